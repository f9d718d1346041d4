"""Private accounts, requests, blocks and hushes; followers in the order in which they came; handles that look alike."""

import sqlalchemy as sa
from alembic import op

from parola.domain.people import skeleton

revision = "0004"
down_revision = "0003"

_AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("accounts", sa.Column("private", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("skeleton", sa.String(length=128), nullable=True))
    _fill_skeletons()
    op.create_index("uq_accounts_skeleton", "accounts", ["skeleton"], unique=True)
    op.add_column("follows", sa.Column("since", sa.BigInteger(), nullable=False, server_default="0"))
    op.drop_index("ix_follows_followed", "follows")
    op.create_index("ix_follows_followers", "follows", ["followed", "since", "follower"])
    op.create_index("ix_follows_following", "follows", ["follower", "since", "followed"])
    for name, one, other in (
        ("follow_requests", "follower", "followed"),
        ("blocks", "blocker", "blocked"),
        ("hushes", "account", "hushed"),
    ):
        op.create_table(
            name,
            sa.Column(one, sa.String(length=64), nullable=False),
            sa.Column(other, sa.String(length=64), nullable=False),
            sa.Column("since", sa.BigInteger(), nullable=False),
            sa.ForeignKeyConstraint([one], ["accounts.id"], name=op.f(f"fk_{name}_{one}")),
            sa.ForeignKeyConstraint([other], ["accounts.id"], name=op.f(f"fk_{name}_{other}")),
            sa.PrimaryKeyConstraint(one, other, name=op.f(f"pk_{name}")),
        )
    op.create_index("ix_follow_requests_followed", "follow_requests", ["followed", "since", "follower"])
    op.create_index("ix_blocks_blocked", "blocks", ["blocked"])


def _fill_skeletons() -> None:
    """Of several that look alike the oldest has it; the others keep their handles, and stand in nobody's way."""
    accounts = sa.Table(
        "accounts",
        sa.MetaData(),
        *(sa.Column(n, sa.Text()) for n in ("id", "handle", "created_at", "skeleton")),
    )
    fill = (
        sa.update(accounts).where(accounts.c.id == sa.bindparam("this")).values(skeleton=sa.bindparam("like"))
    )
    found = op.get_bind().execute(sa.select(accounts).order_by(accounts.c.created_at, accounts.c.id)).all()
    oldest = {skeleton(row.handle): row.id for row in reversed(found)}
    filled = [{"this": id, "like": like} for like, id in oldest.items()]
    for at in range(0, len(filled), _AT_ONCE):
        op.get_bind().execute(fill, filled[at : at + _AT_ONCE])
