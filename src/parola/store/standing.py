"""How people stand to a room, written with its events: who may have the floor at all, and whom it keeps, or keeps out.

Invariant: whoever has no floor by an administrator's measure, or whose account is being deleted, gets none by an event
that is written after it, whichever of the two transactions began first.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.rooms import Event, FloorGranted, FloorOffered, HandRaised, Room, RoomStarted
from parola.store.tables import accounts, room_people


class FloorBarred(Exception):
    """This account may not have the floor. `removed`: it may not be in any live room in which it stands either."""

    def __init__(self, account: str, removed: bool) -> None:
        super().__init__(account)
        self.account = account
        self.removed = removed


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
            raise FloorBarred(row.id, row.no_floor)


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
