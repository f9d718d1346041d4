"""Reports, measures with notices and appeals, blocked words, whom a host keeps out, and sessions of the suspended."""

import secrets
from datetime import datetime

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column("accounts", sa.Column("no_floor", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("sessions", sa.Column("narrow", sa.Boolean(), nullable=False, server_default=sa.false()))
    _reports()
    _measures()
    op.create_table(
        "blocked_words",
        sa.Column("key", sa.String(256), nullable=False),
        sa.Column("word", sa.String(64), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_blocked_words"),
    )
    op.create_table(
        "kept_out",
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["host"], ["accounts.id"], name="fk_kept_out_host"),
        sa.ForeignKeyConstraint(["person"], ["accounts.id"], name="fk_kept_out_person"),
        sa.PrimaryKeyConstraint("host", "person", name="pk_kept_out"),
    )
    op.create_index("ix_kept_out_listing", "kept_out", ["host", "since", "person"])
    _suspended_so_far()


def _reports() -> None:
    op.create_table(
        "reports",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("room_id", sa.String(64), nullable=True),
        sa.Column("open_subject", sa.String(140), nullable=True),
        sa.Column("voices", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("rank", sa.BigInteger(), nullable=False),
        sa.Column("taken_by", sa.String(64), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_by", sa.String(64), nullable=True),
        sa.Column("outcome", sa.String(16), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_reports"),
        sa.UniqueConstraint("open_subject", name="uq_reports_open_subject"),
    )
    op.create_index("ix_reports_account_id", "reports", ["account_id"])
    op.create_index("ix_reports_room_id", "reports", ["room_id"])
    op.create_index("ix_reports_queue", "reports", ["closed_at", "rank", "id"])
    op.create_table(
        "report_voices",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("report_id", sa.String(64), nullable=False),
        sa.Column("reporter", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["report_id"], ["reports.id"], name="fk_report_voices_report_id"),
        sa.PrimaryKeyConstraint("id", name="pk_report_voices"),
        sa.UniqueConstraint("report_id", "reporter", name="uq_report_voices_report_id"),
    )
    op.create_index("ix_report_voices_listing", "report_voices", ["reporter", "at", "id"])


def _measures() -> None:
    op.create_table(
        "measures",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("report_id", sa.String(64), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("over_at", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("appeal", sa.Text(), nullable=True),
        sa.Column("appealed_at", sa.BigInteger(), nullable=True),
        sa.Column("decision", sa.String(16), nullable=True),
        sa.Column("decided_by", sa.String(64), nullable=True),
        sa.Column("decided_at", sa.BigInteger(), nullable=True),
        sa.Column("decided_why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_measures"),
    )
    op.create_index("ix_measures_account_id", "measures", ["account_id", "at"])
    op.create_index("ix_measures_until", "measures", ["over_at", "until"])
    op.create_index("ix_measures_appeals", "measures", ["decided_at", "appealed_at"])


def _suspended_so_far() -> None:
    """Who is suspended already has a notice of it, too, with the reason that stands in the log, and can appeal."""
    connection = op.get_bind()
    accounts = sa.table("accounts", sa.column("id"), sa.column("suspended_at"))
    audit = sa.table("audit", *map(sa.column, ("seq", "actor", "action", "kind", "object", "reason")))
    measures = sa.table(
        "measures", *map(sa.column, ("id", "account_id", "kind", "reason", "actor", "at", "until"))
    )
    suspended = connection.execute(sa.select(accounts).where(accounts.c.suspended_at.is_not(None))).all()
    for account in suspended:
        said = sa.select(audit.c.actor, audit.c.reason).where(
            audit.c.action == "suspend", audit.c.kind == "account", audit.c.object == account.id
        )
        entry = connection.execute(said.order_by(audit.c.seq.desc()).limit(1)).first()
        values = {
            "id": secrets.token_urlsafe(16),
            "account_id": account.id,
            "kind": "suspend",
            "reason": entry.reason if entry is not None else "",
            "actor": entry.actor if entry is not None else "-",
            "at": _ms(account.suspended_at),
        }
        connection.execute(measures.insert().values(**values))


def _ms(text: str) -> int:
    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        return 0
