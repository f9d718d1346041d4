"""Rooms as events with a snapshot beside them, and which process mixes them; finding some among many.

Invariant: events of a room are appended only behind the seq on which they were decided; whoever comes second gets
SeqConflict and nothing is written. Events, snapshot and the people's side table change in one transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import from_milliseconds, milliseconds
from parola.domain.rooms import (
    Event,
    HandNoted,
    HandRaised,
    Lifecycle,
    Room,
    RoomEnded,
    RoomStarted,
    Ties,
    decode_event,
    decode_room,
    encode_event,
    encode_room,
)
from parola.domain.search import fold
from parola.store.cursors import make_cursor, parse_cursor
from parola.store.database import Database
from parola.store.listing import Shape, is_listed_for, is_one_of, is_private, listing, may_know, prepared
from parola.store.relations import follows_row
from parola.store.rounds import begin_rounds
from parola.store.standing import (
    FloorBarred,
    TooManyRooms,
    check_floor,
    check_hosted,
    has_acted,
    note_removals,
    put_removed,
    update_people,
)
from parola.store.tables import room_events, room_people, rooms
from parola.store.tallies import count_events

_MOST_IN_ONE_QUERY = 500
WITHDRAWN = "withdrawn"
"""In `state`, and not in the snapshot, where the host's account is no more: no list asks for it, no gate lets in."""


class SeqConflict(Exception):
    """Somebody else has appended meanwhile: load, decide again."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a room is, and who mixes it in which epoch."""

    seq: int
    owner: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Led:
    """A live room's host, whom the host named, and who is in the host's place."""

    host: str
    successor: str | None = None
    acting: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """A room with what the gate has to know of the viewer."""

    room: Room
    ties: Ties


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rooms: those in `state`, and of these only what else is asked for.

    `words` are folded and stand in the title, or in the host's name or handle; `followed_by` follows the host; `since`
    is the earliest start, in milliseconds since 1970.
    """

    state: Lifecycle
    words: str = ""
    host: str | None = None
    followed_by: str | None = None
    since: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """`next` is the cursor of the page after this one, None at the end."""

    rooms: tuple[Room, ...]
    next: str | None


class Rooms:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, room: Room, events: Sequence[Event], at_most: Mapping[Lifecycle, int] | None = None
    ) -> None:
        """`at_most` are how many rooms one host has in a state. Raises FloorBarred, TooManyRooms."""
        async with self._database.write() as connection:
            await check_hosted(connection, room, at_most or {})
            await check_floor(connection, events)
            await connection.execute(
                insert(rooms).values(id=room.id, host=room.host, epoch=0, **_columns(room))
            )
            await _append_events(connection, room.id, events)
            await put_removed(connection, room)
            await count_events(connection, room.id, events)
            await begin_rounds(connection, room, events)

    async def append(
        self,
        before: Room,
        events: Sequence[Event],
        after: Room,
        at_most: Mapping[Lifecycle, int] | None = None,
        present: Collection[str] = (),
    ) -> None:
        """`at_most` as in `create`; `present` are those who are connected, of whom the events remove. Raises
        SeqConflict, FloorBarred, TooManyRooms."""
        at = (rooms.c.id == before.id) & (rooms.c.seq == before.seq)
        try:
            async with self._database.write() as connection:
                if any(isinstance(event, RoomStarted) for event in events):
                    await check_hosted(connection, after, at_most or {})
                await check_floor(connection, events)
                result = await connection.execute(update(rooms).where(at).values(**_columns(after)))
                if not result.rowcount:
                    raise SeqConflict(before.id)
                await _append_events(connection, before.id, events)
                removals = await note_removals(connection, before.id, events, present)
                await count_events(connection, before.id, events, removals.first)
                await begin_rounds(connection, after, events)
                await update_people(connection, before, after, events[-1].at, removals.since)
        except IntegrityError as error:
            raise SeqConflict(before.id) from error

    async def load(self, id: str) -> Room | None:
        async with self._database.read() as connection:
            snapshot = (await connection.execute(select(rooms.c.snapshot).where(rooms.c.id == id))).scalar()
        return _room(snapshot) if snapshot is not None else None

    async def titles(self, ids: Collection[str]) -> dict[str, str]:
        query = select(rooms.c.id, rooms.c.title).where(rooms.c.id.in_(sorted(ids)))
        async with self._database.read() as connection:
            return {row.id: row.title for row in await connection.execute(query)}

    async def load_for(self, id: str, viewer: str | None) -> Seen | None:
        """None for whom the room does not exist. One query whatever the answer, and nothing is read of a room that may
        not be known, so that the time tells nothing."""
        host, me = rooms.c.host, viewer or ""
        query = select(
            rooms.c.snapshot,
            follows_row(me, host).label("follows"),
            follows_row(host, me).label("followed"),
            is_private().label("private"),
        ).where(rooms.c.id == id, rooms.c.state != WITHDRAWN, may_know(viewer))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        ties = Ties(follows=bool(row.follows), followed=bool(row.followed), private=bool(row.private))
        return Seen(_room(row.snapshot), ties)

    async def to_shut_out(self, host: str, account_id: str) -> list[str]:
        """A host's rooms in which somebody may be, or hold something: all that are live, and of those to come the ones
        that they are part of."""
        is_part = and_(rooms.c.state == Lifecycle.SCHEDULED.value, is_one_of(account_id, "invited", "cohost"))
        return await self._ids(rooms.c.host == host, or_(rooms.c.state == Lifecycle.LIVE.value, is_part))

    async def unfinished_of(self, host: str) -> list[str]:
        """A host's rooms that are live or to come."""
        return await self._ids(rooms.c.host == host, rooms.c.state != Lifecycle.ENDED.value)

    async def shut_out_of(self, host: str, account_id: str) -> list[str]:
        """A host's rooms that somebody was shut out of, and that have not ended."""
        return await self._ids(
            rooms.c.host == host, rooms.c.state != Lifecycle.ENDED.value, is_one_of(account_id, "shut_out")
        )

    async def has_acted(self, id: str, account_id: str) -> bool:
        """Whether somebody has done something in a room themselves; who only listens has not."""
        async with self._database.read() as connection:
            return await has_acted(connection, id, account_id)

    async def events_after(self, id: str, seq: int, limit: int = 1000) -> list[Event]:
        these = (room_events.c.room_id == id) & (room_events.c.seq > seq)
        query = select(room_events.c.body).where(these).order_by(room_events.c.seq).limit(limit)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [decode_event(orjson.loads(row.body)) for row in rows]

    async def heads(self, ids: Iterable[str]) -> dict[str, Head]:
        wanted = sorted(set(ids))
        found: dict[str, Head] = {}
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _MOST_IN_ONE_QUERY):
                part = wanted[at : at + _MOST_IN_ONE_QUERY]
                query = select(rooms.c.id, rooms.c.seq, rooms.c.owner, rooms.c.epoch).where(
                    rooms.c.id.in_(part)
                )
                found.update({r.id: Head(r.seq, r.owner, r.epoch) for r in await connection.execute(query)})
        return found

    async def page(self, wanted: Wanted, viewer: str | None, cursor: str | None, limit: int) -> Page:
        """Rooms that `viewer` (None: a guest) may enter, the newest first; of those to come, the soonest. Raises
        BadCursor."""
        shape = Shape(
            wanted.state,
            host=wanted.host is not None,
            followed=wanted.followed_by is not None,
            since=wanted.since is not None,
            guest=viewer is None,
            further=cursor is not None,
        )
        query = listing(shape, wanted.words) if wanted.words else prepared(shape)
        last_at, last_id = parse_cursor(cursor) if cursor is not None else (None, None)
        given = {
            "viewer": viewer,
            "host": wanted.host,
            "followed_by": wanted.followed_by,
            "since": wanted.since,
            "last_at": last_at,
            "last_id": last_id,
        }
        return await self._page(query, limit, given)

    async def _page(self, query: Select[Any], limit: int, given: dict[str, Any] | None = None) -> Page:
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit + 1), given or {})).all()
        more = len(rows) > limit
        last = rows[limit - 1] if more else None
        return Page(
            tuple(_room(row.snapshot) for row in rows[:limit]),
            make_cursor(last.listed_at, last.id) if last is not None else None,
        )

    async def live_rooms_of(self, hosts: Collection[str], viewer: str | None) -> dict[str, str]:
        """Likewise of many hosts: the newest of each, and who has none is not in it."""
        query = (
            select(rooms.c.host, rooms.c.id)
            .where(
                rooms.c.host.in_(sorted(hosts)), rooms.c.state == Lifecycle.LIVE.value, is_listed_for(viewer)
            )
            .order_by(rooms.c.listed_at)
        )
        if not hosts:
            return {}
        async with self._database.read() as connection:
            return {row.host: row.id for row in await connection.execute(query)}

    async def live(self, cursor: str | None, limit: int) -> Page:
        """Every live room, whoever may enter it, the newest first: for administrators. Raises BadCursor."""
        query = select(rooms.c.id, rooms.c.listed_at, rooms.c.snapshot)
        query = query.where(rooms.c.state == Lifecycle.LIVE.value)
        place = tuple_(rooms.c.listed_at, rooms.c.id)
        if cursor is not None:
            query = query.where(place < tuple_(*map(literal, parse_cursor(cursor))))
        return await self._page(query.order_by(rooms.c.listed_at.desc(), rooms.c.id.desc()), limit)

    async def not_over_around(self, account_id: str) -> list[Room]:
        """Rooms, live or to come, in whose snapshot somebody stands."""
        named = rooms.c.snapshot.contains(f'"{account_id}"', autoescape=True)
        states = (Lifecycle.LIVE.value, Lifecycle.SCHEDULED.value)
        query = select(rooms.c.snapshot).where(rooms.c.state.in_(states), named)
        async with self._database.read() as connection:
            return [_room(row.snapshot) for row in await connection.execute(query)]

    async def live_room_of(self, account_id: str, viewer: str | None) -> str | None:
        """The newest live room of a host, where `viewer` may enter it, and it is listed."""
        return (await self.live_rooms_of([account_id], viewer)).get(account_id)

    async def due(self) -> dict[str, datetime]:
        """When the next turn or offer is over, of each room where one is."""
        query = select(rooms.c.id, rooms.c.due_at).where(rooms.c.due_at.is_not(None))
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return {row.id: from_milliseconds(row.due_at) for row in rows}

    async def led(self) -> dict[str, Led]:
        """All live rooms."""
        live = select(rooms.c.id, rooms.c.host).where(rooms.c.state == Lifecycle.LIVE.value)
        leading = select(room_people).where(room_people.c.relation.in_(("successor", "acting")))
        async with self._database.read() as connection:
            others: dict[str, dict[str, str]] = {}
            for row in await connection.execute(leading):
                others.setdefault(row.room_id, {})[row.relation] = row.account_id
            return {row.id: Led(row.host, **others.get(row.id, {})) for row in await connection.execute(live)}

    async def awake(self, now: datetime) -> list[str]:
        """Live rooms whose time asks for something."""
        query = select(rooms.c.id).where(rooms.c.wakes_at <= milliseconds(now))
        async with self._database.read() as connection:
            return [row.id for row in await connection.execute(query)]

    async def removed_at(self, account_id: str) -> datetime | None:
        """When somebody was last removed from a room to which they may not come back."""
        mine = (room_people.c.account_id == account_id) & (room_people.c.relation == "removed")
        async with self._database.read() as connection:
            since = (await connection.execute(select(func.max(room_people.c.since)).where(mine))).scalar()
        return from_milliseconds(since) if since is not None else None

    async def claim(self, id: str, process_id: str, expected_epoch: int) -> int | None:
        """Takes a room over: the new epoch, or None when somebody else did so meanwhile."""
        at = (rooms.c.id == id) & (rooms.c.epoch == expected_epoch)
        async with self._database.write() as connection:
            result = await connection.execute(
                update(rooms).where(at).values(owner=process_id, epoch=expected_epoch + 1)
            )
        return expected_epoch + 1 if result.rowcount else None

    async def _ids(self, *conditions: ColumnElement[bool]) -> list[str]:
        async with self._database.read() as connection:
            return [row.id for row in await connection.execute(select(rooms.c.id).where(*conditions))]


def _columns(room: Room) -> dict[str, object]:
    return {
        "title": room.title,
        "search": fold(room.title),
        "access": room.access.value,
        "guests": room.guests,
        "state": room.state.value,
        "seq": room.seq,
        "listed_at": milliseconds(room.started_at or room.starts_at or room.created_at),
        "due_at": milliseconds(room.due_at) if room.due_at is not None else None,
        "wakes_at": milliseconds(room.wakes_at) if room.wakes_at is not None else None,
        "snapshot": orjson.dumps(encode_room(room)).decode(),
    }


async def _append_events(connection: AsyncConnection, room_id: str, events: Sequence[Event]) -> None:
    rows = [
        {"room_id": room_id, "seq": event.seq, "body": orjson.dumps(encode_event(event)).decode()}
        for event in events
    ]
    await connection.execute(insert(room_events), rows)
    if any(isinstance(event, RoomEnded) for event in events):
        await _forget_notes(connection, room_id)


async def _forget_notes(connection: AsyncConnection, room_id: str) -> None:
    """What people wrote beside their hands was for the time of the room."""
    body = room_events.c.body
    noted = body.contains('"note":"') & ~body.contains('"note":""')
    found = await connection.execute(select(body).where(room_events.c.room_id == room_id, noted))
    said = [decode_event(orjson.loads(row.body)) for row in found]
    bare = [replace(event, note="") for event in said if isinstance(event, HandRaised | HandNoted)]
    if bare:
        this = (room_events.c.room_id == room_id) & (room_events.c.seq == bindparam("of_seq"))
        changed = update(room_events).where(this).values(body=bindparam("bare"))
        await connection.execute(
            changed,
            [{"of_seq": event.seq, "bare": orjson.dumps(encode_event(event)).decode()} for event in bare],
        )


def _room(snapshot: str) -> Room:
    return decode_room(orjson.loads(snapshot))


__all__ = ["FloorBarred", "Head", "Page", "Rooms", "Seen", "SeqConflict", "TooManyRooms", "Wanted"]
