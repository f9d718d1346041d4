"""Plans of what is not for everyone yet, and what their stages showed; rooms that end by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("wakes_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_rooms_wakes_at", "rooms", ["wakes_at"])
    op.add_column("room_people", sa.Column("since", sa.BigInteger(), nullable=True))
    op.create_table(
        "rollout_versions",
        sa.Column("feature", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("feature", "version", name="pk_rollout_versions"),
    )
    _rooms()
    _people()
    op.create_table(
        "rollout_keepers",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("beat", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_rollout_keepers"),
    )


def _rooms() -> None:
    counts = ("joins", "failed_joins", "guests", "removals", "good", "bad", "guest_answers")
    op.create_table(
        "rollout_rooms",
        sa.Column("room_id", sa.String(64), nullable=False),
        *_stage(),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("listening_ms", sa.BigInteger(), nullable=False, server_default="0"),
        *(sa.Column(name, sa.Integer(), nullable=False, server_default="0") for name in counts),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_rollout_rooms_room_id"),
        sa.PrimaryKeyConstraint("room_id", name="pk_rollout_rooms"),
    )
    op.create_index("ix_rollout_rooms_stage", "rollout_rooms", ["feature", "version", "stage"])
    op.create_table(
        "rollout_answers",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_rollout_answers_room_id"),
        sa.PrimaryKeyConstraint("room_id", "account_id", name="pk_rollout_answers"),
    )


def _people() -> None:
    op.create_table(
        "rollout_listeners",
        *_stage(),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.PrimaryKeyConstraint("feature", "version", "stage", "account_id", name="pk_rollout_listeners"),
    )
    op.create_table(
        "rollout_sounds",
        *_stage(),
        sa.Column("bucket", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feature", "version", "stage", "bucket", name="pk_rollout_sounds"),
    )


def _stage() -> list[sa.Column[object]]:
    return [
        sa.Column("feature", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("stage", sa.String(16), nullable=False),
    ]
