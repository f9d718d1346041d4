"""Finding the media process for a connection, and passing offer and answer between the two."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, TypeVar

import prometheus_client as prometheus
import structlog

from parola.bus import Bus, BusUnavailable, NoResponders, RequestTimeout, subjects
from parola.bus.messages import (
    Body,
    Closed,
    CloseOrder,
    Connected,
    Details,
    DetailsOrder,
    MessageError,
    OwnerChanged,
    Refused,
    WhepOrder,
    WhipOrder,
)
from parola.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, TooMany, Unavailable
from parola.domain.rooms import Lifecycle, Room
from parola.projection import Projections
from parola.services.access import Gate
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.days import Days
from parola.services.placement import Placement, Refusals, retry_after_s
from parola.services.tallies import Tallies
from parola.store import Lease, Store, StoreUnavailable

_log = structlog.get_logger(__name__)

_TIMEOUT_S = 1.0
"""With three tries nobody waits much longer than three seconds for a no."""
_TRIES = 3
_PATIENCE_S = 0.2
_ELSEWHERE = frozenset({"full", "owner_unreachable"})
"""One process's refusals that another need not share."""
_REFUSALS: dict[int, type[Forbidden | Conflict | Invalid]] = {403: Forbidden, 409: Conflict, 422: Invalid}

_Answer = TypeVar("_Answer", bound=Body)


class Signalling:
    def __init__(
        self,
        store: Store,
        bus: Bus,
        gate: Gate,
        projections: Projections,
        audience: Audience,
        days: Days,
        monotonic: Callable[[], float],
        tallies: Tallies,
    ) -> None:
        self._store = store
        self._bus = bus
        self._gate = gate
        self._projections = projections
        self._audience = audience
        self._tallies = tallies
        self._days = days
        self._placement = Placement()
        self._refusals = Refusals(monotonic)
        self.takeovers = prometheus.Counter(
            "parola_ownership_takeovers", "Rooms that got another owner", registry=None
        )

    async def listen(self, caller: Caller, room_id: str, offer: str, channel: str, address: str) -> Connected:
        """WHEP. Raises Refusals: not_found, removed, not_live, room_full, bad_sdp, full."""
        try:
            connected = await self._listen(caller, room_id, offer, channel, address)
        except Refusal as refusal:
            if refusal.status >= 500:
                self._tallies.failed(room_id)
            raise
        except StoreUnavailable:
            self._tallies.failed(room_id)
            raise
        self._tallies.joined(room_id, caller.account_id)
        return connected

    async def _listen(
        self, caller: Caller, room_id: str, offer: str, channel: str, address: str
    ) -> Connected:
        room = _check_live(await self._gate.admit(caller, room_id))
        if channel != "main":
            raise NotFound()
        refusal: Refusal = Unavailable("full", "No media process can take this connection now.", 2)
        self._check_place(room, caller.account_id)
        has_floor = caller.account_id is not None and room.has_floor(caller.account_id)
        if not has_floor and self._placement.all_full(await self._alive()):
            raise await self._full()
        tried: set[str] = set()
        watched = self._projections.watched(room_id)
        near = watched.owner if watched is not None else None
        for _ in range(_TRIES):
            process_id = self._placement.choose(await self._alive(), tried, near)
            if process_id is None:
                break
            tried.add(process_id)
            order = WhepOrder(room.id, caller.account_id, caller.session_id, address, room.seq, offer)
            try:
                answer = await self._ask(process_id, "whep", order.to_bytes())
            except Unavailable as error:
                if error.code not in _ELSEWHERE:
                    raise
                refusal = error
                continue
            if answer is not None:
                self._days.note(caller)
                return answer
        raise await self._full() if refusal.code == "full" else refusal

    async def speak(self, caller: Caller, room_id: str, offer: str, address: str) -> Connected:
        """WHIP. Raises Refusals as `listen`, and not_signed_in, floor_required."""
        member = caller.signed_in()
        room = _check_live(await self._gate.enter(caller, room_id))
        if not room.has_floor(member.account.id):
            raise Forbidden("floor_required", "You do not have the floor in this room.")
        for attempt in range(_TRIES):
            # Its supervisor may be about to report its death. A bus that does not reach it is no reason to take a
            # room from an owner whose lease says that it lives.
            await asyncio.sleep(attempt * _PATIENCE_S)
            owner, epoch = await self._owner(room_id)
            order = WhipOrder(room.id, member.account.id, member.session_id, address, epoch, room.seq, offer)
            answer = await self._ask(owner, "whip", order.to_bytes())
            if answer is not None:
                self._days.note(caller)
                return answer
        raise Unavailable("owner_unreachable", "The server that mixes this room cannot be reached.", 1)

    async def hang_up(self, caller: Caller, room_id: str, connection_id: str) -> None:
        """Raises NotFound, for others' connections as for none; Forbidden("removed")."""
        await self._ask_about(caller, CloseOrder(room_id, connection_id, caller.account_id), "close", Closed)

    async def details(self, caller: Caller, room_id: str, connection_id: str) -> dict[str, Any]:
        """As media/details.py has them. Raises as `hang_up`."""
        order = DetailsOrder(room_id, connection_id, caller.account_id)
        return (await self._ask_about(caller, order, "details", Details)).values

    async def _ask_about(
        self, caller: Caller, order: CloseOrder, verb: str, expected: type[_Answer]
    ) -> _Answer:
        with contextlib.suppress(NotFound):  # a connection of one's own outlives the right to enter anew
            await self._gate.enter(caller, order.room_id)
        process_id, dot, _ = order.connection_id.partition(".")
        if not dot or not await self._projections.leases.lives(process_id):
            raise NotFound()
        try:
            reply = await self._bus.request(subjects.media(process_id, verb), order.to_bytes(), _TIMEOUT_S)
            return expected.from_bytes(reply)
        except MessageError as error:
            raise NotFound() from error
        except BusUnavailable as error:
            raise Unavailable("media_away", "The media process does not answer.", 1) from error

    def _check_place(self, room: Room, account_id: str | None) -> None:
        """As far as this process has heard of the others' listeners; of its own, each media process is sure."""
        if room.listeners_at_most is None or self._audience.count(room) < room.listeners_at_most:
            return
        is_needed = account_id is not None and (room.has_floor(account_id) or room.is_moderator(account_id))
        if not is_needed and not self._audience.has(room.id, account_id):
            raise Conflict("room_full", "This room takes no more listeners.")

    async def _full(self) -> Unavailable:
        least = min((lease.load for lease in (await self._alive()).values()), default=1.0)
        seconds = retry_after_s(least, self._refusals.add())
        return Unavailable("full", "No media process can take this connection now.", seconds)

    async def _owner(self, room_id: str) -> tuple[str, int]:
        """Who mixes the room; where nobody alive does, the least loaded process is made to."""
        for _ in range(_TRIES):
            head = (await self._store.rooms.heads([room_id]))[room_id]
            if head.owner is not None and await self._projections.leases.lives(head.owner):
                return head.owner, head.epoch
            process_id = self._placement.choose(await self._alive())
            if process_id is None:
                break
            epoch = await self._store.rooms.claim(room_id, process_id, head.epoch)
            if epoch is not None:
                self.takeovers.inc(head.epoch > 0)  # the first owner takes it from nobody
                await self._tell_owner(OwnerChanged(room_id, process_id, epoch))
                return process_id, epoch
        raise Unavailable("full", "No media process can mix this room now.", 2)

    async def _tell_owner(self, changed: OwnerChanged) -> None:
        try:
            await self._bus.publish(subjects.room_owner(changed.room_id), changed.to_bytes())
        except BusUnavailable:
            _log.warning("room.owner_not_told", room=changed.room_id)

    async def _alive(self) -> dict[str, Lease]:
        """Looked up at once where nothing is known yet, as just after the start."""
        leases = self._projections.leases
        if not leases.alive():
            await leases.look()
        return leases.alive()

    async def _ask(self, process_id: str, verb: str, order: bytes) -> Connected | None:
        """None: that process is not there (any more), another one may be."""
        try:
            reply = await self._bus.request(subjects.media(process_id, verb), order, _TIMEOUT_S)
        except NoResponders:
            return None
        except RequestTimeout as error:
            raise Unavailable("full", "The media process does not answer.", 1) from error
        except BusUnavailable as error:
            raise Unavailable("media_away", "The media processes are out of reach.", 1) from error
        try:
            return Connected.from_bytes(reply)
        except MessageError:
            refused = Refused.from_bytes(reply)
        if refused.status == 404 and verb == "whip":
            return None  # the ownership has just changed
        raise _refusal(refused)


def _check_live(room: Room) -> Room:
    if room.state is not Lifecycle.LIVE:
        raise Conflict("not_live", "This room is not live.")
    return room


def _refusal(refused: Refused) -> Refusal:
    if refused.status in _REFUSALS:
        return _REFUSALS[refused.status](refused.code, refused.detail)
    if refused.status == 404:
        return NotFound()
    if refused.status == 429:
        return TooMany(refused.code, refused.detail, 10)
    return Unavailable(refused.code, refused.detail, 1)
