"""How people stand to a room, written with its events: who may host it, or have the floor at all, and whom it keeps, or
keeps out.

Invariant: whoever has no floor by an administrator's measure, or whose account is being deleted, gets none by an event
that is written after it, whichever of the two transactions began first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.rooms import Event, FloorGranted, FloorOffered, HandRaised, Lifecycle, Room, RoomStarted
from parola.store.tables import accounts, room_people, rooms


class FloorBarred(Exception):
    """This account may not have the floor; its id is the argument."""


class TooManyRooms(Exception):
    """The host has as many rooms in `state` as one may have, which is `most`."""

    def __init__(self, state: Lifecycle, most: int) -> None:
        super().__init__(state, most)
        self.state = state
        self.most = most


async def check_floor(connection: AsyncConnection, events: Sequence[Event]) -> None:
    """Raises FloorBarred. On PostgreSQL the rows are held until the end of the transaction, so that a measure waits for
    it, and finds in the room what it wrote; on SQLite there is only ever one that writes."""
    wanted = {e.account for e in events if isinstance(e, FloorGranted | FloorOffered | HandRaised)}
    wanted |= {e.by for e in events if isinstance(e, RoomStarted)}
    if not wanted:
        return
    columns = (accounts.c.id, accounts.c.no_floor, accounts.c.suspended_at, accounts.c.deleted_at)
    query = select(*columns).where(accounts.c.id.in_(sorted(wanted)))
    rows = (await connection.execute(query.order_by(accounts.c.id).with_for_update(read=True))).all()
    for row in rows:
        if row.no_floor or row.suspended_at is not None or row.deleted_at is not None:
            raise FloorBarred(row.id)


async def check_hosted(connection: AsyncConnection, room: Room, at_most: Mapping[Lifecycle, int]) -> None:
    """Before a room comes into its state. Raises TooManyRooms. On PostgreSQL the host's row is held until the end of
    the transaction, so that of two rooms at once the second counts the first."""
    if room.state not in at_most:
        return
    host = select(accounts.c.id).where(accounts.c.id == room.host)
    await connection.execute(host.with_for_update(key_share=True))
    others = (rooms.c.host == room.host) & (rooms.c.state == room.state.value) & (rooms.c.id != room.id)
    count = (await connection.execute(select(func.count()).where(others))).scalar_one()
    if count >= at_most[room.state]:
        raise TooManyRooms(room.state, at_most[room.state])


async def put_removed(connection: AsyncConnection, room: Room) -> None:
    """Whom a room has kept out since its creation: without a time, since nobody removed them just now."""
    if room.removed:
        rows = [
            {"room_id": room.id, "account_id": account, "relation": "removed", "since": None}
            for account in sorted(room.removed)
        ]
        await connection.execute(insert(room_people), rows)


async def update_people(connection: AsyncConnection, before: Room, after: Room, at: datetime) -> None:
    for relation, old, new in (
        ("invited", before.invited, after.invited),
        ("removed", before.removed, after.removed),
        ("shut_out", before.shut_out, after.shut_out),
        ("visitor", before.visitors, after.visitors),
        ("cohost", frozenset(before.cohosts), frozenset(after.cohosts)),
        ("successor", _only(before.successor), _only(after.successor)),
        ("acting", _only(before.acting), _only(after.acting)),
    ):
        for account_id in old - new:
            this = (room_people.c.room_id == after.id) & (room_people.c.account_id == account_id)
            await connection.execute(delete(room_people).where(this, room_people.c.relation == relation))
        for account_id in new - old:
            values = {"room_id": after.id, "account_id": account_id, "relation": relation}
            since = milliseconds(at)
            await connection.execute(insert(room_people).values(**values, since=since))


def _only(account: str | None) -> frozenset[str]:
    return frozenset() if account is None else frozenset({account})
