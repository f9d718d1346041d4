"""Tells followers who have no page open that a room has started: their browsers by push, their mailboxes by mail.

Where that stands is in the store (`store/rounds.py`). Any number of web processes do this side by side, in slices; who
may know of the room, wants to, and whether it is live still, is asked anew for each. No caller waits for any of it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Protocol

import structlog

from parola.bus import Bus, Message, subjects
from parola.domain.moments import milliseconds
from parola.services import letters
from parola.services.clock import Clock
from parola.services.letters import Start, written_in
from parola.services.pushing import AT_ONCE, Became, Outcome, Pusher
from parola.store import MAIL, Failed, Round, Store, StoreUnavailable, Subscription

_log = structlog.get_logger(__name__)

FOLLOWERS_PER_SLICE = 20_000
"""Looked through at once. Most have nothing that could be pushed to, and each slice costs a commit."""
MOST_PUSHED = 2000
"""Of a slice."""
_HELD_MS = 60_000
"""For one batch, of which each message takes ten seconds at most."""
_BATCH = 2 * AT_ONCE
_ROUNDS_AT_ONCE = 8
_AGAIN_AT_ONCE = 64
_LOOK_EVERY_S = 1.0
AGAIN_AFTER_S = (5.0, 30.0, 90.0)
"""After so many failures nobody tries any more."""
MOST_NOTICES_WAITING = 200
"""In the outbox, before more are written: what is not written needs not be taken back when the room ends."""
_OUTBOX_FULL_MS = 2000


class Addresses(Protocol):
    """Where people can be written to."""

    async def confirmed(self, account_ids: Collection[str]) -> Mapping[str, str]:
        """The address of each account that has one of which it has proved that it is theirs."""
        ...


class Rounds:
    """`unsubscribe` makes of an account id the address that ends mail to it."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        pusher: Pusher,
        addresses: Addresses,
        now: Clock,
        public_url: str,
        unsubscribe: Callable[[str], str],
    ) -> None:
        self._store = store
        self._bus = bus
        self._pusher = pusher
        self._addresses = addresses
        self._now = now
        self._public_url = public_url
        self._unsubscribe = unsubscribe
        self._running: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()

    async def start(self) -> None:
        """Makes it look as soon as a room has started."""
        await self._bus.subscribe(subjects.ROOM_STARTED, self._started)

    async def run(self) -> None:
        try:
            while True:
                await self._look_safely()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_EVERY_S):
                        await self._wake.wait()
                self._wake.clear()
        finally:
            for task in self._running:
                task.cancel()

    async def work(self) -> None:
        """Takes what is due, and returns when it is done. Raises StoreUnavailable."""
        await self._look()
        while self._running:
            await asyncio.gather(*self._running)

    async def _started(self, _: Message) -> None:
        self._wake.set()

    async def _look_safely(self) -> None:
        try:
            await self._look()
        except StoreUnavailable:
            _log.warning("rounds.store_away")
        except Exception:
            _log.exception("rounds.failed")

    async def _look(self) -> None:
        free = _ROUNDS_AT_ONCE - len(self._running)
        now = milliseconds(self._now())
        if free <= 0:
            return
        failed = await self._store.rounds.take_again(now, now + _HELD_MS, _AGAIN_AT_ONCE)
        if failed:
            self._begin(_all(self._again(one) for one in failed))
        for round in await self._store.rounds.take(now, now + _HELD_MS, free):
            self._begin(self._carry_on(round))

    def _begin(self, work: Awaitable[None]) -> None:
        task = asyncio.create_task(_safely(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _carry_on(self, round: Round) -> None:
        """Until everybody is told, the room is over, or somebody else has it."""
        start = await self._start(round)
        held: Round | None = round
        while held is not None:
            if not held.is_live or start is None:
                await self._store.rounds.finish(held)
                return
            held = await (self._mail(held, start) if held.kind == MAIL else self._push(held, start))

    async def _start(self, round: Round) -> Start | None:
        host = (await self._store.accounts.by_ids([round.host])).get(round.host)
        return Start(round.room_id, round.title, host.handle, host.name) if host is not None else None

    async def _push(self, round: Round, start: Start) -> Round | None:
        """One slice. None where there is nothing left to do here."""
        rounds = self._store.rounds
        end = await rounds.boundary(round, FOLLOWERS_PER_SLICE)
        found, end = await rounds.subscriptions(round, end, MOST_PUSHED)
        held: Round | None = round
        for at in range(0, len(found), _BATCH):
            if at:
                held = await rounds.hold(round, self._until())
                if held is None or not held.is_live:
                    return held
                round = held
            await self._push_to(found[at : at + _BATCH], round.room_id, start)
        if end is None:
            await rounds.finish(round)
            return None
        return await rounds.advance(round, end, self._until())

    async def _push_to(self, subscriptions: list[Subscription], room_id: str, start: Start) -> None:
        outcomes = await asyncio.gather(*(self._tell(one, start) for one in subscriptions))
        pairs = list(zip(subscriptions, outcomes, strict=True))
        gone = [one.id for one, outcome in pairs if outcome.became is Became.GONE]
        if gone:
            await self._store.notices.forget(gone)
        later = [
            (Failed(room_id, one.id, 1), self._due(outcome, 1))
            for one, outcome in pairs
            if outcome.became is Became.LATER
        ]
        if later:
            await self._store.rounds.put_again(later)

    async def _again(self, failed: Failed) -> None:
        found = await self._store.rounds.failed(failed)
        start = await self._start(found[0]) if found is not None else None
        if found is None or start is None:
            await self._store.rounds.done_again(failed)
            return
        outcome = await self._tell(found[1], start)
        tries = failed.tries + 1
        if outcome.became is Became.LATER and tries <= len(AGAIN_AFTER_S):
            once_more = Failed(failed.room_id, failed.subscription_id, tries)
            await self._store.rounds.put_again([(once_more, self._due(outcome, tries))])
            return
        if outcome.became is Became.GONE:
            await self._store.notices.forget([failed.subscription_id])
        await self._store.rounds.done_again(failed)

    async def _tell(self, subscription: Subscription, start: Start) -> Outcome:
        said = {
            "kind": "room.started",
            "language": written_in(subscription.language),
            "room": {"id": start.room_id, "title": start.title},
            "host": {"handle": start.handle, "name": start.name},
        }
        return await self._pusher.push(subscription, said, start.room_id)

    async def _mail(self, round: Round, start: Start) -> Round | None:
        """One slice, as `_push`."""
        rounds = self._store.rounds
        if await self._store.outbox.notices() >= MOST_NOTICES_WAITING:
            await rounds.hold(round, milliseconds(self._now()) + _OUTBOX_FULL_MS)
            return None  # whoever looks then goes on with it
        end = await rounds.boundary(round, FOLLOWERS_PER_SLICE)
        readers, end = await rounds.readers(round, end, MOST_NOTICES_WAITING)
        addresses = await self._addresses.confirmed([one.account_id for one in readers]) if readers else {}
        written = [
            letters.started(
                start, one, addresses[one.account_id], self._public_url, self._unsubscribe(one.account_id)
            )
            for one in readers
            if one.account_id in addresses
        ]
        return await rounds.write(round, end, written, milliseconds(self._now()), self._until())

    def _until(self) -> int:
        return milliseconds(self._now()) + _HELD_MS

    def _due(self, outcome: Outcome, tries: int) -> int:
        wait_s = max(outcome.after_s, AGAIN_AFTER_S[tries - 1])
        return milliseconds(self._now()) + int(wait_s * 1000)


async def _all(works: Iterable[Awaitable[None]]) -> None:
    await asyncio.gather(*works)


async def _safely(work: Awaitable[None]) -> None:
    try:
        await work
    except StoreUnavailable:
        _log.warning("rounds.store_away")  # it is due again when it is held no more
    except Exception:
        _log.exception("rounds.failed")
