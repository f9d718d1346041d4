"""Opening, finding and changing rooms: decide, append, publish, and wait for silence where there must be one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import prometheus_client as prometheus
import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import MessageError, RoomEvents, RoomStarted, Settled, SettleOrder
from parola.domain import people, rooms
from parola.domain.errors import Conflict, Forbidden, Invalid, NotFound, Unavailable
from parola.domain.moments import milliseconds
from parola.domain.rooms import Access, Command, Event, Lifecycle, Room, encode_event
from parola.projection import Projections
from parola.services.access import Gate
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.hosting import Hosting
from parola.services.words import HostWords
from parola.store import Account, BadCursor, FloorBarred, Page, SeqConflict, Store, TooManyRooms, Wanted
from parola.store.codes import new_id

_log = structlog.get_logger(__name__)

_TRIES = 20
SETTLE_TIMEOUT_S = 2.0
_SILENCE_S = (0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.15, 0.25, 0.5, 1.0, 2.0)
_ASK_AGAIN_S = 0.1
_OVERDUE = timedelta(hours=1)
_SILENCING = (
    rooms.FloorRevoked,
    rooms.SpeakerMuted,
    rooms.PersonRemoved,
    rooms.PersonUninvited,
    rooms.PersonShutOut,
    rooms.VisitEnded,
    rooms.RoomEnded,
)
"""After these somebody must not be heard, or must not hear, any more."""
_SILENCING_COMMANDS = (
    rooms.Revoke,
    rooms.Mute,
    rooms.MuteAll,
    rooms.Remove,
    rooms.Uninvite,
    rooms.End,
    rooms.Close,
    rooms.Silence,
    rooms.PutOut,
    rooms.Next,
    rooms.ShutOut,
    rooms.EndVisit,
    rooms.Vanish,
)


@dataclass(frozen=True, slots=True)
class Carried:
    """What a command has led to: the room after it, and the events, none where it already held."""

    room: Room
    events: tuple[Event, ...]


class Rooms:
    def __init__(
        self,
        store: Store,
        bus: Bus,
        gate: Gate,
        projections: Projections,
        audience: Audience,
        hosting: Hosting,
        words: HostWords,
        now: Clock,
        monotonic: Callable[[], float],
        capacity: int,
        at_most: Mapping[Lifecycle, int],
    ) -> None:
        """`capacity` is how many speakers a new room takes, `at_most` how many rooms one host has in a state."""
        self._store = store
        self._bus = bus
        self._gate = gate
        self._projections = projections
        self._audience = audience
        self._hosting = hosting
        self._words = words
        self._now = now
        self._monotonic = monotonic
        self._capacity = capacity
        self._at_most = at_most
        self.silence_seconds = prometheus.Histogram(
            "parola_silence_seconds",
            "Until it was confirmed that a voice taken away is silent everywhere",
            registry=None,
            buckets=_SILENCE_S,
        )
        self.unconfirmed = prometheus.Counter(
            "parola_commands_unconfirmed",
            "Commands that stand, and whose silence nobody confirmed in time",
            registry=None,
        )

    async def open(
        self,
        caller: Caller,
        title: str,
        access: str,
        guests: bool | None,
        starts_at: datetime | None,
        listeners_at_most: int | None = None,
    ) -> Room:
        """Raises NotSignedIn, Invalid, NotYet, Forbidden("no_floor"), Conflict("too_many_live", "too_many_scheduled")
        ."""
        host = caller.signed_in().account.id
        now = self._now()
        if starts_at is not None and starts_at <= now:
            raise Invalid.field("starts_at", "This is not in the future.")
        kind = Access(access)
        if guests and not kind.asks_nobody:
            raise Invalid.field("guests", "Guests come only into open rooms, and by a link.")
        room_id, clean = new_id(), people.parse_title(title)
        await self._words.check(host, title=clean)
        terms = await self._hosting.admit(host, kind, guests)
        events = rooms.create(
            room_id,
            host,
            clean,
            kind,
            terms.policies.guests if guests is None else guests,
            starts_at,
            now,
            capacity=self._capacity,
            listeners_at_most=listeners_at_most,
            terms=terms,
            removed=await self._store.kept_out.of(host),
        )
        room = rooms.fold(None, events)
        try:
            await self._store.rooms.create(room, events, self._at_most)
        except FloorBarred as error:
            raise _no_floor() from error
        except TooManyRooms as error:
            raise _too_many(error) from error
        # Whoever was put on the list since it was read; the other way about, they find this room.
        for late in await self._store.kept_out.of(host) - room.removed:
            room = (await self.come_about(room.id, rooms.Remove(host, late))).room
        if room.state is Lifecycle.LIVE:
            await self._tell_started(room)
        return room

    async def invited(self, caller: Caller, room_id: str) -> list[Account]:
        """Whom the host has invited and may still meet, by their handles; for the host alone. Raises NotSignedIn,
        NotFound, Forbidden("removed", "host_only")."""
        me = caller.signed_in().account.id
        room = await self._gate.enter(caller, room_id)
        rooms.check_host(room, me)
        found = (await self._store.accounts.by_ids(room.invited - room.shut_out)).values()
        return sorted((one for one in found if not one.deleted), key=lambda one: one.handle)

    async def page(self, caller: Caller, wanted: Wanted, cursor: str | None, limit: int) -> Page:
        """What is long overdue to start is shown among its host's rooms alone. Raises Invalid for a cursor that is not
        ours."""
        if wanted.state is Lifecycle.SCHEDULED and wanted.host is None:
            wanted = replace(wanted, since=milliseconds(self._now() - _OVERDUE))
        try:
            return await self._store.rooms.page(wanted, caller.account_id, cursor, limit)
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    async def start(self, caller: Caller, room_id: str) -> Carried:
        """A scheduled room, under the terms of this moment. Raises as `command` does, NotYet, and
        Conflict("too_many_live")."""
        room = await self._gate.enter(caller, room_id)
        by = caller.signed_in().account.id
        rooms.decide(room, rooms.Start(by), self._now())  # who may not is told so first
        terms = await self._hosting.admit(by, room.access, room.guests)
        return await self.command(caller, room_id, lambda by: rooms.Start(by, terms))

    async def command(self, caller: Caller, room_id: str, make: Callable[[str], Command]) -> Carried:
        """Carries out a member's command. Raises every Refusal there is; Unavailable("not_confirmed") when nobody
        could say that the silence it asks for has come: then the event stands all the same."""
        by = caller.signed_in().account.id
        return await self._carry_out(make(by), self._now, lambda: self._gate.enter(caller, room_id))

    async def raise_hand(self, caller: Caller, room_id: str, note: str | None) -> Carried:
        """Raises as `command`; Invalid, Forbidden("word_blocked") for a note or a name with a blocked word in it."""
        account = caller.signed_in().account

        async def enter() -> Room:
            room = await self._gate.enter(caller, room_id)
            await self._words.check_hand(room.host, account, note)
            return room

        return await self._carry_out(rooms.RaiseHand(account.id, note), self._now, enter)

    async def administer(
        self,
        room_id: str,
        command: rooms.Close | rooms.Silence | rooms.PutOut | rooms.Visit | rooms.EndVisit,
    ) -> Carried:
        """Carries out a command of the server's administration, for which all rooms exist; `services.administering`
        has let it in. Raises as `command` does."""
        return await self._carry_out(command, self._now, lambda: self._load(room_id))

    async def come_about(self, room_id: str, command: Command, due_at: datetime | None = None) -> Carried:
        """Carries out a command of the house's own, or what a member did elsewhere means for this room: nobody is asked
        at the gate. It is decided as of `due_at` where the wall clock lags behind. Raises as `command`; what another
        process has carried out already leads to nothing."""

        def now() -> datetime:
            return max(self._now(), due_at) if due_at is not None else self._now()

        return await self._carry_out(command, now, lambda: self._load(room_id))

    async def _load(self, room_id: str) -> Room:
        room = await self._store.rooms.load(room_id)
        if room is None:
            raise NotFound()
        return room

    async def _carry_out(self, command: Command, now: Clock, load: Callable[[], Awaitable[Room]]) -> Carried:
        for _ in range(_TRIES):
            before = await load()
            try:
                events = rooms.decide(before, command, now())
            except Conflict:
                if isinstance(command, rooms.End | rooms.Close):
                    # Whoever ends it again because nobody confirmed the silence is told "not live" only when it is so.
                    await self._settle_to(before)
                raise
            if not events:
                # It already holds; that it is silent has to be true all the same.
                await self._settle(before, command)
                return Carried(before, ())
            after = rooms.fold(before, events)
            try:
                present = self._present(before.id, events)
                await self._store.rooms.append(before, events, after, self._at_most, present)
            except SeqConflict:
                continue
            except FloorBarred as error:
                if not isinstance(command, rooms.Next):
                    raise _no_floor() from error
                # Their measure has not come to this room yet, or never will: who took it may have died on the way.
                kind = rooms.PutOut if error.removed else rooms.Silence
                await self.administer(before.id, kind(rooms.ADMINISTRATION, error.account))
                continue
            except TooManyRooms as error:
                raise _too_many(error) from error
            self._projections.decided(before.id, events)
            await self._publish(before.id, events)
            if isinstance(command, rooms.Start):
                await self._tell_started(after)
            if any(isinstance(event, _SILENCING) for event in events):
                await self._settle_to(after)
            return Carried(after, events)
        raise Unavailable("busy", "Too many are changing this room at once.", 1)

    def _present(self, room_id: str, events: tuple[Event, ...]) -> frozenset[str]:
        """Who is connected, of those whom these remove."""
        removed = (event.account for event in events if isinstance(event, rooms.PersonRemoved))
        return frozenset(account for account in removed if self._audience.is_here(room_id, account))

    async def _settle(self, room: Room, command: Command) -> None:
        if isinstance(command, _SILENCING_COMMANDS):
            await self._settle_to(room)

    async def _settle_to(self, room: Room) -> None:
        began = self._monotonic()
        deadline = began + SETTLE_TIMEOUT_S
        while True:
            head = (await self._store.rooms.heads([room.id])).get(room.id)
            if head is None or head.owner is None:
                return  # nothing mixes this room, so nothing sounds
            try:
                await self._ask_to_settle(head.owner, room, deadline - self._monotonic())
                self.silence_seconds.observe(self._monotonic() - began)
                return
            except (BusUnavailable, MessageError) as error:
                if self._monotonic() + _ASK_AGAIN_S < deadline:
                    # The bus, or the owner, may be back at once.
                    await asyncio.sleep(_ASK_AGAIN_S)
                    continue
                await self._projections.leases.look()  # one that was not seen yet is no dead one
                if head.owner not in self._projections.leases.alive():
                    return  # its lease has run out: it is dead, or has fallen silent by itself
                self.unconfirmed.inc()
                raise Unavailable(
                    "not_confirmed", "It is done, but not yet confirmed that all is silent.", 1
                ) from error

    async def _ask_to_settle(self, owner: str, room: Room, timeout_s: float) -> None:
        order = SettleOrder(room.id, room.seq).to_bytes()
        Settled.from_bytes(await self._bus.request(subjects.media(owner, "settle"), order, timeout_s))

    async def _tell_started(self, room: Room) -> None:
        """Once, whatever the number of followers: who is connected where, each web process knows for itself."""
        at = room.started_at.isoformat() if room.started_at is not None else ""
        started = RoomStarted(room.id, room.host, room.title, room.access.value, at)
        try:
            await self._bus.publish(subjects.ROOM_STARTED, started.to_bytes())
        except BusUnavailable:
            _log.warning("room.start_not_told", room=room.id)  # it is in the lists all the same

    async def _publish(self, room_id: str, events: tuple[Event, ...]) -> None:
        body = RoomEvents(room_id, [encode_event(event) for event in events])
        try:
            await self._bus.publish(subjects.room_events(room_id), body.to_bytes())
        except BusUnavailable:
            _log.warning(
                "room.events_not_told", room=room_id
            )  # everyone finds them in SQL within two seconds


def _too_many(error: TooManyRooms) -> Conflict:
    return Conflict(
        f"too_many_{error.state}", f"At most {error.most} rooms of one host are {error.state} at once."
    )


def _no_floor() -> Forbidden:
    return Forbidden("no_floor", "The administration lets this person have no floor for now.")
