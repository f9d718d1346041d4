"""When the next turn or offer of a room is over can be asked of all rooms at once."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("rooms", sa.Column("due_at", sa.BigInteger(), nullable=True))
    op.create_index("ix_rooms_due_at", "rooms", ["due_at"])
