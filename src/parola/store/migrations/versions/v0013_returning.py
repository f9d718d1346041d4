"""Whose return it is is looked up across the stages of a trial."""

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_index("ix_rollout_listeners_account", "rollout_listeners", ["account_id"])
