"""Administrators, their audit log, invitations with makers and ends, a waitlist, and mail that waits."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_SAYS = "the audit log cannot be changed"


def upgrade() -> None:
    _people()
    _invitations()
    op.create_table(
        "outbox",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("recipient", sa.String(254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failure", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
    )
    op.create_index("ix_outbox_due_at", "outbox", ["due_at"])
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("object", sa.String(254), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("before", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    _only_ever_added_to()


def _people() -> None:
    op.add_column("accounts", sa.Column("role", sa.String(16), nullable=False, server_default="member"))
    op.add_column("accounts", sa.Column("suspended_at", sa.String(40), nullable=True))
    op.add_column("accounts", sa.Column("invited_by", sa.String(64), nullable=True))
    op.create_index("ix_accounts_role", "accounts", ["role"])
    op.create_index("ix_accounts_invited_by", "accounts", ["invited_by"])
    op.create_table(
        "claims",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_claims"),
    )


def _invitations() -> None:
    with op.batch_alter_table("invites") as batch:
        batch.add_column(sa.Column("id", sa.String(64), nullable=True))
        batch.add_column(sa.Column("made_by", sa.String(64), nullable=True))
        batch.add_column(sa.Column("code", sa.String(64), nullable=True))
        batch.add_column(sa.Column("expires_at", sa.BigInteger(), nullable=True))
        batch.add_column(sa.Column("revoked_at", sa.String(40), nullable=True))
        batch.create_unique_constraint("uq_invites_id", ["id"])
    op.create_index("ix_invites_made_by", "invites", ["made_by"])
    op.create_table(
        "active_days",
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_active_days_account_id"),
        sa.PrimaryKeyConstraint("account_id", "day", name="pk_active_days"),
    )
    op.create_table(
        "waitlist",
        sa.Column("place", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("email", sa.String(254), nullable=False),
        sa.Column("handle", sa.String(64), nullable=True),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("approved_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("place", name="pk_waitlist"),
        sa.UniqueConstraint("token_hash", name="uq_waitlist_token_hash"),
    )
    op.create_index("ix_waitlist_email", "waitlist", ["email"])
    op.create_index("ix_waitlist_waiting", "waitlist", ["approved_at", "place"])


def _only_ever_added_to() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_no_{change.lower()} BEFORE {change} ON audit "
                f"BEGIN SELECT RAISE(ABORT, '{_SAYS}'); END"
            )
        op.execute(
            "CREATE TRIGGER audit_no_replace BEFORE INSERT ON audit "
            "WHEN EXISTS (SELECT 1 FROM audit WHERE seq = NEW.seq) "
            "BEGIN SELECT RAISE(ABORT, 'the audit log cannot be changed'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_SAYS}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()"
    )
