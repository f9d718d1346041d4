"""Where the sealed sound of reports lies and until when, and tickets to hear it once."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "evidence",
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("path", sa.String(128), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sealed_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("taken_until", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("report_id", name="pk_evidence"),
        sa.UniqueConstraint("path", name="uq_evidence_path"),
    )
    op.create_index("ix_evidence_expires_at", "evidence", ["expires_at"])
    op.create_table(
        "evidence_tickets",
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name="pk_evidence_tickets"),
    )
    op.create_index("ix_evidence_tickets_report_id", "evidence_tickets", ["report_id"])
