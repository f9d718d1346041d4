"""Notices of rooms that start: by choice, to browsers and by mail, and how far each start has been told."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("follows", sa.Column("quiet", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("outbox", sa.Column("room_id", sa.String(64), nullable=True))
    op.add_column("outbox", sa.Column("account_id", sa.String(64), nullable=True))
    op.add_column("outbox", sa.Column("unsubscribe", sa.Text(), nullable=True))
    op.create_index("ix_outbox_room_id", "outbox", ["room_id"])
    op.create_table(
        "notice_choices",
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("in_page", sa.Boolean(), nullable=False, server_default=sa.true()),
        sa.Column("email", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("mails_since", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("mails", sa.Integer(), nullable=False, server_default="0"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_notice_choices_account_id"),
        sa.PrimaryKeyConstraint("account_id", name="pk_notice_choices"),
    )
    _subscriptions()
    _rounds()


def _subscriptions() -> None:
    op.create_table(
        "push_subscriptions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("account_id", sa.String(64), nullable=False),
        sa.Column("session_id", sa.String(64), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("p256dh", sa.String(100), nullable=False),
        sa.Column("auth", sa.String(40), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="fk_push_subscriptions_account_id"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_push_subscriptions_session_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_push_subscriptions"),
    )
    for column in ("account_id", "session_id"):
        op.create_index(f"ix_push_subscriptions_{column}", "push_subscriptions", [column])


def _rounds() -> None:
    op.create_table(
        "notice_rounds",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("host", sa.String(64), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("follower", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_notice_rounds_room_id"),
        sa.PrimaryKeyConstraint("room_id", "kind", name="pk_notice_rounds"),
    )
    op.create_index("ix_notice_rounds_due_at", "notice_rounds", ["due_at"])
    op.create_table(
        "push_again",
        sa.Column("room_id", sa.String(64), nullable=False),
        sa.Column("subscription_id", sa.String(64), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["room_id"], ["rooms.id"], name="fk_push_again_room_id"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["push_subscriptions.id"],
            name="fk_push_again_subscription_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("room_id", "subscription_id", name="pk_push_again"),
    )
    op.create_index("ix_push_again_due_at", "push_again", ["due_at"])
    op.create_index("ix_push_again_subscription", "push_again", ["subscription_id"])
