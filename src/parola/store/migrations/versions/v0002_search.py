"""Rooms and people can be found by words; a listener may stay unseen."""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from alembic import op

from parola.domain.search import fold

revision = "0002"
down_revision = "0001"

_AT_ONCE = 1000


def upgrade() -> None:
    op.add_column("accounts", sa.Column("search", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "accounts", sa.Column("listen_unseen", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("rooms", sa.Column("search", sa.Text(), nullable=False, server_default=""))
    _fill("accounts", ("handle", "name"), lambda row: f"{row.handle}\n{fold(row.name)}")
    _fill("rooms", ("title",), lambda row: fold(row.title))


def _fill(table: str, names: tuple[str, ...], words: Callable[[sa.Row[Any]], str]) -> None:
    columns = [sa.Column(name, sa.Text()) for name in ("id", "search", *names)]
    rows = sa.Table(table, sa.MetaData(), *columns)
    find = sa.select(rows).order_by(rows.c.id).limit(_AT_ONCE)
    fill = sa.update(rows).where(rows.c.id == sa.bindparam("this")).values(search=sa.bindparam("words"))
    found = op.get_bind().execute(find).all()
    while found:
        op.get_bind().execute(fill, [{"this": row.id, "words": words(row)} for row in found])
        found = op.get_bind().execute(find.where(rows.c.id > found[-1].id)).all()
