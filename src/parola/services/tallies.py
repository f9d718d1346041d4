"""What a trial shows, counted where it happens and written down every few seconds.

Invariant: whoever comes to hear waits for none of it. Each process adds up its own joins in memory, and writes the
sums. How long people listen is read off the presence that every process knows, so only one of them counts it: the
keeper, who holds its name in the database; where it dies, another takes it over and counts from there.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import Heard, MessageError, NeverUp
from parola.domain.errors import Conflict
from parola.domain.rollout import bucket_of
from parola.domain.rooms import Lifecycle
from parola.services.access import Gate
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.store import Counts, Store, StoreUnavailable

_log = structlog.get_logger(__name__)

WRITE_EVERY_S = 5.0
TAKEN_OVER_AFTER_S = 20.0
"""A keeper that has written nothing for so long, while others looked, is gone."""
FAILING_S = 600.0
"""Whose connection does not come up tries again and again; so long after the last time they are others."""
_MOST_ROOMS = 10_000
_MOST_WAITING = 10_000
_NAME = "listening"

OnKept = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class _Hearing:
    """One room's listening since it was last written down."""

    people: int
    since: float
    ms: float = 0.0

    def until(self, now: float, people: int) -> None:
        self.ms += self.people * (now - self.since) * 1000
        self.people, self.since = people, now


@dataclass(slots=True)
class _Kept:
    """What a keeper knows: listening by room; whose first sound is counted; what was said since the last round, and
    before, of connections that were not known yet; joins that failed after all since the last round; and, by room and
    person, when somebody failed last."""

    hearing: dict[str, _Hearing] = field(default_factory=dict)
    said: dict[str, set[str]] = field(default_factory=dict)
    waiting: list[Heard] = field(default_factory=list)
    early: list[Heard] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    """Of them, those of somebody who had failed before: no further joins."""
    failing: dict[tuple[str, str], float] = field(default_factory=dict)


class Tallies:
    """`start` listens, `run` writes until it is cancelled; `look` is one round of it. `on_kept` are called in each
    round of the keeper."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        gate: Gate,
        audience: Audience,
        now: Clock,
        monotonic: Callable[[], float],
        process_id: str,
    ) -> None:
        self._store = store
        self._bus = bus
        self._gate = gate
        self._audience = audience
        self._now = now
        self._monotonic = monotonic
        self._process_id = process_id
        self._counts: dict[str, Counts] = {}
        self._kept: _Kept | None = None
        self._beat: tuple[int | None, float] | None = None
        self._on_kept: list[OnKept] = []
        audience.on_change(self._presence_changed)

    async def start(self) -> None:
        await self._bus.subscribe(subjects.ROLLOUT_HEARD, self._heard)
        await self._bus.subscribe(subjects.NEVER_UP, self._never_up)

    def on_kept(self, callback: OnKept) -> None:
        self._on_kept.append(callback)

    def joined(self, room_id: str, account_id: str | None) -> None:
        counts = self._of(room_id)
        if counts is None:
            return
        counts.joins += 1
        if account_id is None:
            counts.guests += 1
        else:
            counts.accounts[account_id] = None

    def failed(self, room_id: str) -> None:
        """Somebody came to hear and was told that something is wrong here."""
        counts = self._of(room_id)
        if counts is not None:
            counts.joins += 1
            counts.failed_joins += 1

    async def heard(self, caller: Caller, room_id: str, connection_id: str, ms: int) -> None:
        """How long a connection of the caller's took to the first sound: counted once, and only of one that is there.
        It is passed on to the keeper, and lost where the bus is away."""
        heard = Heard(room_id, connection_id, caller.account_id, ms)
        try:
            await self._bus.publish(subjects.ROLLOUT_HEARD, heard.to_bytes())
        except BusUnavailable:
            _log.info("tallies.not_told")

    async def answer(self, caller: Caller, room_id: str, good: bool) -> None:
        """Was it good to be there? Of a member the first answer counts. Raises NotFound, Forbidden,
        Conflict("not_live")."""
        room = await self._gate.enter(caller, room_id)
        if room.state is Lifecycle.SCHEDULED:
            raise Conflict("not_live", "Nobody has been in this room yet.")
        await self.write()
        await self._store.tallies.answer(room.id, caller.account_id, good)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            try:
                await self.look()
            except StoreUnavailable:
                _log.warning("tallies.store_away")
            except Exception:
                _log.exception("tallies.failed")

    async def look(self) -> None:
        """Raises StoreUnavailable; what could not be written is kept for the next time."""
        await self.write()
        if not await self._is_keeper():
            self._kept = None
            return
        if self._kept is None:
            now = self._monotonic()
            rooms = self._audience.rooms()
            self._kept = _Kept({id: _Hearing(self._audience.hearing(id), now) for id in rooms})
        await self._keep(self._kept)
        for callback in self._on_kept:
            await callback()

    async def write(self) -> None:
        """This process's own joins."""
        counts, self._counts = self._counts, {}
        if not counts:
            return
        try:
            await self._store.tallies.add(counts, self._now())
        except StoreUnavailable:
            for room_id, before in counts.items():
                self._put_back(room_id, before)
            raise

    async def _is_keeper(self) -> bool:
        beat = await self._store.tallies.beat(_NAME)
        now = self._monotonic()
        if self._kept is None and beat is not None:
            if self._beat is None or self._beat[0] != beat:
                self._beat = beat, now
                return False
            if now - self._beat[1] < TAKEN_OVER_AFTER_S:
                return False
        return (
            await self._store.tallies.hold(_NAME, self._process_id, None if self._kept else beat) is not None
        )

    async def _keep(self, kept: _Kept) -> None:
        now = self._monotonic()
        for room_id, hearing in kept.hearing.items():
            hearing.until(now, self._audience.hearing(room_id))
        listening = {room_id: hearing.ms for room_id, hearing in kept.hearing.items()}
        failed, again = kept.failed.copy(), kept.again.copy()
        more = {
            "listening_ms": {room_id: round(ms) for room_id, ms in listening.items()},
            "failed_joins": failed,
            "joins": {room_id: -count for room_id, count in again.items()},
        }
        waiting = len(kept.waiting)
        fresh, early = self._sorted(kept)
        if not await self._store.tallies.keep(_NAME, self._process_id, more, _by_bucket(fresh)):
            self._kept = None
            return
        kept.failed -= failed
        kept.again -= again
        kept.failing = {who: at for who, at in kept.failing.items() if now - at < FAILING_S}
        del kept.waiting[:waiting]
        kept.early = early
        for room_id, connection_id in fresh:
            kept.said.setdefault(room_id, set()).add(connection_id)
        for room_id, ms in listening.items():
            hearing = kept.hearing[room_id]
            hearing.ms -= ms
            if not hearing.people:
                del kept.hearing[room_id]
        there = set(self._audience.rooms())
        kept.said = {room_id: said for room_id, said in kept.said.items() if room_id in there}

    def _sorted(self, kept: _Kept) -> tuple[dict[tuple[str, str], int], list[Heard]]:
        """Milliseconds by room and connection, of those who say it for the first time; and who says it of a connection
        that is not known: presence may come a moment later, so these are looked at once more."""
        fresh: dict[tuple[str, str], int] = {}
        early = []
        for number, heard in enumerate([*kept.early, *kept.waiting]):
            if heard.connection_id in kept.said.get(heard.room_id, ()):
                continue
            if self._audience.listens(heard.room_id, heard.connection_id, heard.account_id):
                fresh.setdefault((heard.room_id, heard.connection_id), heard.ms)
            elif number >= len(kept.early):
                early.append(heard)
        return fresh, early

    def _of(self, room_id: str) -> Counts | None:
        """None where there are too many: a database that is away for long, or somebody who asks for anything."""
        if room_id not in self._counts and len(self._counts) >= _MOST_ROOMS:
            return None
        return self._counts.setdefault(room_id, Counts())

    def _put_back(self, room_id: str, before: Counts) -> None:
        counts = self._of(room_id)
        if counts is not None:
            counts.joins += before.joins
            counts.failed_joins += before.failed_joins
            counts.guests += before.guests
            counts.accounts |= before.accounts

    def _presence_changed(self, room_id: str) -> None:
        if self._kept is None:
            return
        now, people = self._monotonic(), self._audience.hearing(room_id)
        hearing = self._kept.hearing.get(room_id)
        if hearing is not None:
            hearing.until(now, people)
        elif people:
            self._kept.hearing[room_id] = _Hearing(people, now)

    async def _never_up(self, message: Message) -> None:
        """The join was counted when it was answered."""
        kept = self._kept
        if kept is None or len(kept.failing) >= _MOST_WAITING:
            return
        try:
            tried = NeverUp.from_bytes(message.data)
        except MessageError:
            return
        who = tried.room_id, tried.account_id or tried.address
        (kept.again if who in kept.failing else kept.failed)[tried.room_id] += 1
        kept.failing[who] = self._monotonic()

    async def _heard(self, message: Message) -> None:
        if self._kept is None or len(self._kept.waiting) >= _MOST_WAITING:
            return
        try:
            self._kept.waiting.append(Heard.from_bytes(message.data))
        except MessageError:
            return


def _by_bucket(fresh: dict[tuple[str, str], int]) -> dict[str, dict[int, int]]:
    sounds: dict[str, dict[int, int]] = {}
    for (room_id, _), ms in fresh.items():
        buckets = sounds.setdefault(room_id, {})
        buckets[bucket_of(ms)] = buckets.get(bucket_of(ms), 0) + 1
    return sounds
