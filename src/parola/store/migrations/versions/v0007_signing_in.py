"""Passkeys, addresses, links by mail, recovery codes; accounts without a password; sessions say where and when."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    _passwords()
    _sessions()
    op.create_table(
        "passkeys",
        _id("id"),
        sa.Column("credential_id", sa.String(1400), nullable=False),
        _id("account_id"),
        sa.Column("public_key", sa.Text(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("transports", sa.String(120), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=True),
        _account("passkeys"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
    )
    op.create_index("ix_passkeys_account_id", "passkeys", ["account_id"])
    op.create_table(
        "ceremonies",
        _id("ticket_hash"),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("challenge", sa.String(64), nullable=False),
        _id("account_id", nullable=True),
        _id("session_id", nullable=True),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("ticket_hash", name="pk_ceremonies"),
    )
    op.create_index("ix_ceremonies_expires_at", "ceremonies", ["expires_at"])
    _mail()
    op.create_table(
        "recovery_codes",
        _id("code_hash"),
        _id("account_id"),
        _account("recovery_codes"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_recovery_codes"),
    )
    op.create_index("ix_recovery_codes_account_id", "recovery_codes", ["account_id"])


def _passwords() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.alter_column("accounts", "password_hash", nullable=True)
        return
    # SQLite changes no column in place, and a table that others refer to is not to be made anew.
    op.add_column("accounts", sa.Column("password", sa.Text(), nullable=True))
    op.execute("UPDATE accounts SET password = password_hash")
    op.drop_column("accounts", "password_hash")
    op.alter_column("accounts", "password", new_column_name="password_hash")


def _sessions() -> None:
    for name in ("browser", "system"):
        op.add_column("sessions", sa.Column(name, sa.String(40), nullable=False, server_default=""))
    for name in ("seen_at", "proved_at"):
        op.add_column("sessions", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    # When a session from before was last used nobody knows: it was today.
    seen = sa.text("UPDATE sessions SET seen_at = :now").bindparams(now=int(time.time()) // 3600 * 3_600_000)
    op.get_bind().execute(seen)
    op.create_index("ix_sessions_seen_at", "sessions", ["seen_at"])


def _mail() -> None:
    op.create_table(
        "addresses",
        _id("account_id"),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("confirmed_at", sa.String(40), nullable=False),
        _account("addresses"),
        sa.PrimaryKeyConstraint("account_id", name="pk_addresses"),
        sa.UniqueConstraint("email", name="uq_addresses_email"),
    )
    op.create_table(
        "mail_links",
        _id("token_hash"),
        sa.Column("purpose", sa.String(16), nullable=False),
        _id("account_id", nullable=True),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_mail_links"),
    )
    op.create_index("ix_mail_links_account_id", "mail_links", ["account_id"])
    op.create_index("ix_mail_links_expires_at", "mail_links", ["expires_at"])
    op.create_index("ix_mail_links_email", "mail_links", ["email", "created_at"])


def _id(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(64), nullable=nullable)


def _account(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=f"fk_{table}_account_id")
