"""What is one's own: a picture, a language, accounts elsewhere by which one signs in, and an account's end."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("language", sa.String(8), nullable=True))
    op.add_column("accounts", sa.Column("picture", sa.String(32), nullable=True))
    op.add_column("accounts", sa.Column("deleted_at", sa.String(40), nullable=True))
    _ends()
    op.create_table(
        "identities",
        sa.Column("provider", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(512), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("since", sa.String(40), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_identities_account_id"),
        sa.PrimaryKeyConstraint("provider", "subject", name="pk_identities"),
    )
    op.create_index("ix_identities_account_id", "identities", ["account_id"])
    op.create_table(
        "elsewhere_apps",
        sa.Column("server", sa.String(512), nullable=False),
        sa.Column("client_id", sa.Text(), nullable=False),
        sa.Column("client_secret", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("server", name="pk_elsewhere_apps"),
    )
    op.create_table(
        "elsewhere_errands",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_elsewhere_errands"),
    )
    op.create_index("ix_elsewhere_errands_expires_at", "elsewhere_errands", ["expires_at"])


def _ends() -> None:
    op.create_table(
        "deletions",
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("began_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_deletions_account_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_deletions"),
    )
    op.create_table(
        "resting_handles",
        sa.Column("handle", sa.String(64), nullable=False),
        sa.Column("skeleton", sa.String(128), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("handle", name="pk_resting_handles"),
    )
    op.create_index("ix_resting_handles_skeleton", "resting_handles", ["skeleton"])
