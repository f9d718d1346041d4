"""How people stand to a room, written with its events: who may host it, or have the floor at all, and whom it keeps, or
keeps out.

Invariant: whoever has no floor by an administrator's measure, or whose account is being deleted, gets none by an event
that is written after it, whichever of the two transactions began first.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.rooms import (
    Event,
    FloorGranted,
    FloorOffered,
    HandRaised,
    Lifecycle,
    PersonRemoved,
    Room,
    RoomStarted,
)
from parola.store.tables import accounts, room_events, room_people, rooms


class FloorBarred(Exception):
    """This account may not have the floor. `removed`: it may not be in any live room in which it stands either."""

    def __init__(self, account: str, removed: bool) -> None:
        super().__init__(account)
        self.account = account
        self.removed = removed


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
            raise FloorBarred(row.id, row.no_floor)


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


@dataclass(slots=True)
class Removals:
    """`first` are those whom nobody has removed from that room before; `since`, in milliseconds since 1970, is when
    somebody was last removed while they were there."""

    first: int = 0
    since: dict[str, int] = field(default_factory=dict)


async def note_removals(
    connection: AsyncConnection, room_id: str, events: Sequence[Event], present: Collection[str]
) -> Removals:
    """Of people who were in the room. Who was never there loses nothing by it, and who has not come back nothing more:
    else a host could do that to anybody, as often as they like."""
    found = Removals()
    for event in events:
        if not isinstance(event, PersonRemoved):
            continue
        account, now = event.account, milliseconds(event.at)
        this = (room_people.c.room_id == room_id) & (room_people.c.account_id == account)
        this &= room_people.c.relation == "was_removed"
        since = (await connection.execute(select(room_people.c.since).where(this))).scalar()
        if since is not None and account in present:
            since = now
            await connection.execute(update(room_people).where(this).values(since=now))
        elif since is None and (account in present or await has_acted(connection, room_id, account)):
            since = now
            found.first += 1
            values = {"room_id": room_id, "account_id": account, "relation": "was_removed"}
            await connection.execute(insert(room_people).values(**values, since=now))
        if since is not None:
            found.since[account] = since
    return found


async def has_acted(connection: AsyncConnection, room_id: str, account: str) -> bool:
    """Whether somebody has done something in a room themselves: whoever had a hand up, or the floor, has. What others
    offered them, or did to them, says nothing."""
    theirs = room_events.c.body.contains(f'"by":"{account}"', autoescape=True)
    query = select(room_events.c.seq).where(room_events.c.room_id == room_id, theirs).limit(1)
    return (await connection.execute(query)).first() is not None


async def update_people(
    connection: AsyncConnection, before: Room, after: Room, at: datetime, removed: Mapping[str, int]
) -> None:
    """`removed` says since when those are who were there; the removal of others has no time, and keeps nobody from
    hosting."""
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
            since = removed.get(account_id) if relation == "removed" else milliseconds(at)
            await connection.execute(insert(room_people).values(**values, since=since))


def _only(account: str | None) -> frozenset[str]:
    return frozenset() if account is None else frozenset({account})
