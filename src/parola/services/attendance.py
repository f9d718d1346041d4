"""Is the host there? Where not for two minutes, the room goes on with whom the host named, or it ends. And is there who
has a hand up? Where not for one minute, it is lowered.

Being connected is passing knowledge, and no right rests on it. So nothing here takes or gives one: where the absence is
certain, the domain is asked to decide on it, and what holds is its event. Certain is it only while nothing is in doubt:
the bus is there, the database is, every media process that lives has said lately who is connected to it, and every web
process that was ever heard says still whom it tells of a room. A doubt makes everybody be there anew, and the
minutes begin from its end. Hands are looked at in rooms that somebody reads here: elsewhere nobody sees them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import structlog

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import MessageError, Reading
from parola.domain import rooms as r
from parola.domain.errors import Refusal
from parola.projection import Projections
from parola.services.audience import Audience
from parola.services.feeds import Feeds
from parola.services.rooms import Rooms
from parola.store import Led, Store, StoreUnavailable

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
HEARD_WITHIN_S = 12.0
"""Media and web processes say every five seconds who is there."""
LOOKED_WITHIN_S = 3.0
FORGOTTEN_AFTER_S = 600.0
"""A web process that fell silent without a word may be behind a parted bus for so long; then it is dead."""
_AT_ONCE = 2000
"""Readers in one message: some hundred KB."""

Key = tuple[str, str]
"""A room, and an account."""


class Attendance:
    """`start` listens, `run` looks until it is cancelled, `close` says goodbye. `host_away_s` is how long a host may be
    away, `hand_away_s` who has a hand up; 0 is for ever. `name` is this web process's on all machines, the same after
    it was started anew."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        projections: Projections,
        audience: Audience,
        feeds: Feeds,
        rooms: Rooms,
        monotonic: Callable[[], float],
        name: str,
        process_id: str,
        host_away_s: float,
        hand_away_s: float,
    ) -> None:
        self._store = store
        self._bus = bus
        self._projections = projections
        self._audience = audience
        self._feeds = feeds
        self._rooms = rooms
        self._monotonic = monotonic
        self._name = name
        self._process_id = process_id
        self._host_away_s = host_away_s
        self._hand_away_s = hand_away_s
        self._read_at: dict[Key, float] = {}
        """When another web process last said that it tells them of the room."""
        self._heard_at: dict[str, float] = {}
        self._absent_s: dict[Key, float] = {}
        self._looked_at: float | None = None

    async def start(self) -> None:
        await self._bus.subscribe(subjects.READING, self._reading)

    async def close(self) -> None:
        await self._say([], leaves=True)

    async def run(self) -> None:
        while True:
            try:
                await self.tell()
                await self.look()
            except StoreUnavailable:
                self._doubt()
                _log.warning("attendance.store_away")
            except Exception:
                self._doubt()
                _log.exception("attendance.failed")
            await asyncio.sleep(LOOK_EVERY_S)

    async def tell(self) -> None:
        """To the other web processes: who reads rooms here whose going would have to be noticed."""
        readers = sorted(self._feeds.awaited())
        for at in range(0, max(1, len(readers)), _AT_ONCE):
            await self._say(readers[at : at + _AT_ONCE])

    async def look(self) -> None:
        """Counts how long people have been away, and has the domain decide where it is too long. Raises
        StoreUnavailable."""
        now = self._monotonic()
        since = min(now - self._looked_at, 2 * LOOK_EVERY_S) if self._looked_at is not None else 0.0
        self._looked_at = now
        if self._is_doubtful(now):
            self._doubt()
            return
        led = await self._store.rooms.led() if self._host_away_s else {}
        raised = self._feeds.raised() if self._hand_away_s else {}
        self._count(led, raised, now, since)
        for room_id, leaders in led.items():
            await self._judge(room_id, leaders)
        for room_id, accounts in raised.items():
            if away := self._away(room_id, accounts, self._hand_away_s):
                await self._come_about(room_id, r.LowerHands(r.HOUSE, away))

    def _count(
        self, led: dict[str, Led], raised: dict[str, frozenset[str]], now: float, since: float
    ) -> None:
        reading = self._feeds.awaited() | {
            key for key, at in self._read_at.items() if now - at <= HEARD_WITHIN_S
        }
        awaited = {
            (room_id, account)
            for room_id, leaders in led.items()
            for account in (leaders.host, leaders.successor, leaders.acting)
            if account is not None
        }
        awaited |= {(room_id, account) for room_id, accounts in raised.items() for account in accounts}
        self._absent_s = {
            key: self._absent_s.get(key, 0.0) + since
            for key in awaited - reading
            if not self._audience.is_here(*key)
        }

    async def _judge(self, room_id: str, leaders: Led) -> None:
        if leaders.acting is not None and (room_id, leaders.host) not in self._absent_s:
            await self._come_about(room_id, r.ReturnHost(r.HOUSE))
        leading = {leaders.host, leaders.successor, leaders.acting} - {None}
        away = self._away(room_id, map(str, leading), self._host_away_s)
        if leaders.host in away and (leaders.acting is None or leaders.acting in away):
            await self._come_about(room_id, r.LeaveHost(r.HOUSE, away))

    def _away(self, room_id: str, accounts: Iterable[str], away_s: float) -> frozenset[str]:
        """Which of them have been absent for so long."""
        return frozenset(a for a in accounts if self._absent_s.get((room_id, a), -1.0) >= away_s)

    async def _come_about(self, room_id: str, command: r.Command) -> None:
        try:
            carried = await self._rooms.come_about(room_id, command)
        except Refusal as refusal:
            # It stands; that it is silent is found by the owner itself within two seconds.
            _log.warning("attendance.refused", room=room_id, code=refusal.code)
            return
        for event in carried.events:
            _log.info("attendance.decided", room=room_id, seq=event.seq, type=r.type_name(event))

    def _is_doubtful(self, now: float) -> bool:
        leases = self._projections.leases
        alive = leases.alive()
        for name, at in list(self._heard_at.items()):
            if now - at > FORGOTTEN_AFTER_S:
                del self._heard_at[name]
        return (
            not self._bus.connected
            or leases.looked_ago() > LOOKED_WITHIN_S
            or not alive
            or not self._audience.hears(alive, HEARD_WITHIN_S)
            or any(now - at > HEARD_WITHIN_S for at in self._heard_at.values())
        )

    def _doubt(self) -> None:
        self._absent_s.clear()

    async def _reading(self, message: Message) -> None:
        try:
            reading = Reading.from_bytes(message.data)
        except MessageError:
            return
        if reading.process_id == self._process_id:
            return
        now = self._monotonic()
        self._heard_at[reading.name] = now
        if reading.leaves:
            del self._heard_at[reading.name]
        self._read_at = {key: at for key, at in self._read_at.items() if now - at <= HEARD_WITHIN_S}
        self._read_at.update(dict.fromkeys(reading.readers, now))

    async def _say(self, readers: list[Key], leaves: bool = False) -> None:
        body = Reading(self._name, self._process_id, readers, leaves)
        try:
            await self._bus.publish(subjects.READING, body.to_bytes())
        except BusUnavailable:
            self._doubt()
