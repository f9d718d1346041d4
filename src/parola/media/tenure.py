"""Whether this process may go on as the owner of its rooms: not after it stood still, and not when it is cut off.

Invariant: while others may hold this process for dead, nobody sounds here. Others do so after three seconds without
its lease and without an answer over the bus; it falls silent before, and sounds again only with a new epoch, taken by
compare and set: whoever has taken the room meanwhile keeps it, and whoever is about to comes too late.

A database that is away for all is another matter: nobody can take anything over, nobody can revoke, and what sounds
goes on. So before it falls silent for want of the database, it asks the others when they saw it last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import Figures, FiguresOrder, MessageError, OwnerChanged
from parola.media.owner import OwnedRoom
from parola.media.ticker import STALL_S
from parola.projection import Projections
from parola.projection.leases import LOOK_EVERY_S
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

BLIND_S = 2.0
"""Without a look at the database for this long it is time to ask the others."""
_MUCH_LATER_S = LOOK_EVERY_S + 0.5
"""Whoever saw the database this much later saw it when it was looked for here in vain."""
_PULSE_S = 0.1
_WATCH_EVERY_S = 0.25
_ASK_AGAIN_S = 1.0
_ANSWER_TIMEOUT_S = 0.4


class Tenure:
    """`disown` ends an ownership that was lost."""

    def __init__(
        self,
        process_id: str,
        owned: Mapping[str, OwnedRoom],
        store: Store,
        bus: Bus,
        projections: Projections,
        monotonic: Callable[[], float],
        disown: Callable[[OwnedRoom, str], Awaitable[None]],
    ) -> None:
        self._process_id = process_id
        self._owned = owned
        self._store = store
        self._bus = bus
        self._projections = projections
        self._monotonic = monotonic
        self._disown = disown
        self._resuming: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Watches until it is cancelled."""
        loop = asyncio.get_running_loop()
        pulse = loop.call_later(_PULSE_S, self._pulse, self._monotonic())
        self._next_pulse = pulse
        try:
            while True:
                await asyncio.sleep(_WATCH_EVERY_S)
                if self._owned and not self.sees_database and self._resuming is None:
                    if await self._cut_off():
                        self.suspend("cut_off")
                    else:
                        await asyncio.sleep(_ASK_AGAIN_S)
        finally:
            self._next_pulse.cancel()
            if self._resuming is not None:
                self._resuming.cancel()
                await asyncio.wait({self._resuming})

    @property
    def sees_database(self) -> bool:
        return self._projections.leases.looked_ago() < BLIND_S

    def stood_still(self) -> None:
        self.suspend("stood_still")

    def suspend(self, reason: str) -> None:
        """Silence in all rooms, until it is certain whose they are."""
        for owned in self._owned.values():
            owned.suspended = True
        if self._resuming is None and self._owned:
            _log.warning("ownership.suspended", reason=reason, rooms=len(self._owned))
            self._resuming = asyncio.get_running_loop().create_task(self._resume())

    def _pulse(self, earlier: float) -> None:
        # A callback and no task: it has to come before whatever waited in the sockets meanwhile may sound.
        now = self._monotonic()
        if now - earlier > STALL_S:
            self.stood_still()
        self._next_pulse = asyncio.get_running_loop().call_later(_PULSE_S, self._pulse, now)

    async def _cut_off(self) -> bool:
        """Somebody else sees the database, or lives where this process does not reach."""
        if not self._bus.connected:
            return True
        others = [p for p in self._projections.leases.alive() if p != self._process_id]
        answers = await asyncio.gather(*(self._looked_ago(process_id) for process_id in others))
        here = self._projections.leases.looked_ago()
        return any(there is None or here - there > _MUCH_LATER_S for there in answers)

    async def _looked_ago(self, process_id: str) -> float | None:
        """Seconds since another one saw the database; None when it says nothing."""
        order, subject = FiguresOrder().to_bytes(), subjects.media(process_id, "figures")
        try:
            reply = await self._bus.request(subject, order, _ANSWER_TIMEOUT_S)
            return Figures.from_bytes(reply).values.get("looked_ago")
        except (BusUnavailable, MessageError):
            return None

    async def _resume(self) -> None:
        try:
            while waiting := [owned for owned in self._owned.values() if owned.suspended]:
                try:
                    # Whoever sounds again sees the database; if not, `run` would silence it once more at once.
                    await self._projections.leases.look()
                    await self._projections.compare()
                    for owned in waiting:
                        await self._renew(owned)
                except StoreUnavailable:
                    await asyncio.sleep(_WATCH_EVERY_S)
                except Exception:
                    _log.exception("ownership.resume_failed")
                    await asyncio.sleep(_WATCH_EVERY_S)
        finally:
            self._resuming = None

    async def _renew(self, owned: OwnedRoom) -> None:
        epoch = await self._store.rooms.claim(owned.room_id, self._process_id, owned.epoch)
        watched = self._projections.watched(owned.room_id)
        if epoch is None or watched is None:
            await self._disown(owned, "ownership_lost")
            return
        owned.renew(epoch)
        watched.set_owner(self._process_id, epoch)
        _log.info("ownership.renewed", room=owned.room_id, epoch=epoch)
        try:
            changed = OwnerChanged(owned.room_id, self._process_id, epoch)
            await self._bus.publish(subjects.room_owner(owned.room_id), changed.to_bytes())
        except BusUnavailable:
            pass  # edges find it in SQL within two seconds
