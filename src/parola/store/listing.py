"""Which rooms somebody may know of, and find in a list: the domain's rules as conditions over many rooms."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, String, and_, bindparam, exists, or_, select, tuple_

from parola.domain.rooms import Access, Lifecycle
from parola.store.relations import Id, blocked_between, follows_row
from parola.store.tables import accounts, room_people, rooms


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a list: what is asked for, whatever the values. `further`: behind a cursor."""

    state: Lifecycle
    host: bool
    followed: bool
    since: bool
    guest: bool
    further: bool


def listing(shape: Shape, words: str) -> Select[Any]:
    """Values are parameters of the names that `page` gives."""
    text, number = String(), BigInteger()
    conditions = [rooms.c.state == shape.state.value]
    if words:
        by_host = exists().where(
            accounts.c.id == rooms.c.host, accounts.c.search.contains(words, autoescape=True)
        )
        conditions.append(or_(rooms.c.search.contains(words, autoescape=True), by_host))
    if shape.host:
        conditions.append(rooms.c.host == bindparam("host", type_=text))
    if shape.followed:
        conditions.append(follows_row(bindparam("followed_by", type_=text), rooms.c.host))
    if shape.since:
        conditions.append(rooms.c.listed_at >= bindparam("since", type_=number))
    soonest_first = shape.state is Lifecycle.SCHEDULED
    place = tuple_(rooms.c.listed_at, rooms.c.id)
    if shape.further:
        last = tuple_(bindparam("last_at", type_=number), bindparam("last_id", type_=text))
        conditions.append(place > last if soonest_first else place < last)
    viewer = None if shape.guest else bindparam("viewer", type_=text)
    query = select(rooms.c.id, rooms.c.listed_at, rooms.c.snapshot)
    query = query.where(*conditions, is_listed_for(viewer))
    for column in (rooms.c.listed_at, rooms.c.id):
        query = query.order_by(column if soonest_first else column.desc())
    return query


prepared = functools.cache(functools.partial(listing, words=""))
"""There are few shapes; to make a query of one takes longer than to ask it."""


def is_listed_for(viewer: Id | None) -> ColumnElement[bool]:
    """`domain.rooms.check_entry` as a condition over many rooms; those for a link are listed for their hosts."""
    listed = rooms.c.access != Access.LINK.value
    if viewer is None:
        return and_(may_know(viewer), listed)
    return and_(may_know(viewer), ~is_one_of(viewer, "removed"), or_(listed, rooms.c.host == viewer))


def may_know(viewer: Id | None) -> ColumnElement[bool]:
    """`domain.rooms.may_know` as a condition over many rooms. What the snapshot alone says of blocks, `blocks` says
    too."""
    asks_nobody = rooms.c.access.in_([access.value for access in Access if access.asks_nobody])
    is_over = and_(rooms.c.state == Lifecycle.ENDED.value, is_private())
    if viewer is None:
        return and_(asks_nobody, rooms.c.guests.is_(True), ~is_over)
    follows = follows_row(viewer, rooms.c.host)
    by_access = or_(
        asks_nobody,
        is_one_of(viewer, "invited", "cohost"),
        and_(rooms.c.access == Access.FOLLOWERS.value, follows),
        and_(rooms.c.access == Access.MUTUALS.value, follows, follows_row(rooms.c.host, viewer)),
    )
    return or_(
        rooms.c.host == viewer,
        and_(rooms.c.state == Lifecycle.LIVE.value, is_one_of(viewer, "visitor")),
        and_(by_access, or_(~is_over, follows), ~blocked_between(viewer, rooms.c.host)),
    )


def is_private() -> ColumnElement[bool]:
    return exists().where(accounts.c.id == rooms.c.host, accounts.c.private.is_(True))


def is_one_of(viewer: Id, *relations: str) -> ColumnElement[bool]:
    mine = and_(room_people.c.room_id == rooms.c.id, room_people.c.account_id == viewer)
    return exists().where(mine, room_people.c.relation.in_(relations))
