"""Rooms and events as the protocol shows them: handles and names stand where the domain has account ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from parola.bus.messages import RoomStarted
from parola.domain import rooms as r
from parola.domain.moments import from_milliseconds
from parola.domain.rooms import (
    Event,
    HandRaised,
    PersonInvited,
    PersonLetIn,
    PersonShutOut,
    PersonUninvited,
    Room,
    Turn,
)
from parola.domain.rooms.events import PersonEvent
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.pictures import picture_of
from parola.services.words import by_key, in_name
from parola.store import Account, Store

_MOST_HANDLES = 10_000
_LOOKED_THROUGH = 3
"""Listeners for each one that is shown: some of them stay unseen."""
_UNNAMED = (PersonInvited, PersonUninvited, PersonShutOut, PersonLetIn)
"""What is between two: others learn only that something was done."""


def instant(at: datetime | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def instant_of_ms(ms: int) -> str:
    """Of milliseconds since 1970, as the store keeps times that it sorts by."""
    return str(instant(from_milliseconds(ms)))


class Views:
    """`public_url` is the origin that people see, without a slash at its end; `kept_minutes` is what is kept of each
    live room for reports, None where nothing is."""

    def __init__(
        self, store: Store, audience: Audience, public_url: str, kept_minutes: int | None = None
    ) -> None:
        self._store = store
        self._audience = audience
        self._public_url = public_url
        self._evidence = {"minutes": kept_minutes} if kept_minutes is not None else None
        self._handles: dict[str, str] = {}

    async def room(self, room: Room, caller: Caller) -> dict[str, Any]:
        (view,) = await self.rooms([room], caller)
        return view

    async def shared(self, room: Room) -> dict[str, Any]:
        """All of it that is the same for everybody."""
        return self._room(room, await self._people([room]))

    async def rooms(self, rooms: Iterable[Room], caller: Caller) -> list[dict[str, Any]]:
        listed = list(rooms)
        people = await self._people(listed)
        blocked: set[str] = set()
        stage = {account for room in listed for account in on_stage(room)}
        if caller.account_id is not None and stage:
            blocked = await self._store.relations.blocked_among(caller.account_id, stage)
        return [
            {**self._room(room, people), "you": you(room, caller, not blocked.isdisjoint(on_stage(room)))}
            for room in listed
        ]

    async def notice(self, started: RoomStarted) -> dict[str, Any]:
        """That a room has started, for who follows its host."""
        people = await self._store.accounts.by_ids([started.host_id])
        room = {
            "id": started.room_id,
            "url": f"{self._public_url}/r/{started.room_id}",
            "title": started.title,
            "access": started.access,
            "started_at": instant(datetime.fromisoformat(started.at)),
        }
        return {"room": room, "host": _person(people, started.host_id)}

    async def audience(self, room: Room, most: int, caller: Caller) -> dict[str, Any]:
        """How many listen, and some of them who let themselves be seen, and whom the caller wants to see; nobody
        whose name has a word in it that the host has blocked."""
        ids = self._audience.some(room, most * _LOOKED_THROUGH)
        accounts = await self._store.accounts.by_ids(ids)
        if caller.account_id is not None:
            unseen = await self._store.relations.unseen_by(caller.account_id, ids)
            ids = [id for id in ids if id not in unseen]
        blocked = by_key(await self._store.host_words.of(room.host))
        seen = (
            _person(accounts, id)
            for id in ids
            if id in accounts
            and (id in room.visitors or not (accounts[id].listen_unseen or in_name(accounts[id], blocked)))
        )
        return {"count": self._audience.count(room), "people": list(islice(seen, most))}

    async def events(self, events: Iterable[Event]) -> list[dict[str, Any]]:
        """Lasting events. Whom the host invites is between the two: those say only that something was done."""
        listed = list(events)
        ids = {e.by for e in listed} | {e.account for e in listed if isinstance(e, PersonEvent)}
        people = await self._store.accounts.by_ids(ids)
        return [_event(event, people) for event in listed]

    async def handles(self, ids: Iterable[str]) -> dict[str, str]:
        """Handles never change: those of talkers are asked for ten times a second, and read once."""
        wanted = set(ids)
        if unknown := wanted - self._handles.keys():
            if len(self._handles) > _MOST_HANDLES:
                self._handles.clear()
            accounts = await self._store.accounts.by_ids(unknown)
            self._handles.update({id: account.handle for id, account in accounts.items()})
        return {id: self._handles[id] for id in wanted if id in self._handles}

    def forget(self, account_id: str) -> None:
        """Handles change only when an account is deleted."""
        self._handles.pop(account_id, None)

    async def names_deleted(self, room: Room) -> bool:
        """Whether somebody in the room as it is shown has deleted their account."""
        return any(account.deleted for account in (await self._people([room])).values())

    async def _people(self, rooms: Iterable[Room]) -> dict[str, Account]:
        ids: set[str] = set()
        for room in rooms:
            ids.add(room.host)
            ids.update(s.account for s in room.speakers)
            ids.update(h.account for h in room.hands)
            ids.update(o.account for o in room.offers)
            ids.update(room.cohosts)
            ids.update(room.visitors)
        return await self._store.accounts.by_ids(ids)

    def _room(self, room: Room, people: Mapping[str, Account]) -> dict[str, Any]:
        connected = self._audience.connected_speakers(room.id)
        return {
            "id": room.id,
            "url": f"{self._public_url}/r/{room.id}",
            "title": room.title,
            "access": room.access.value,
            "guests": room.guests,
            "state": room.state.value,
            "host": _person(people, room.host),
            "seq": room.seq,
            "speakers": [
                {
                    **_person(people, s.account),
                    "muted": s.muted,
                    "connected": s.account in connected,
                    "turn": _turn(s.turn),
                }
                for s in room.speakers
            ],
            "hands": [
                {**_person(people, h.account), "raised_at": instant(h.raised_at), "note": h.note}
                for h in room.hands
            ],
            "listeners_at_most": room.listeners_at_most,
            "hands_locked": room.hands_locked,
            "hands_pause_s": room.hands_pause_s,
            "turns": asdict(room.turns) if room.turns is not None else None,
            "capacity": room.capacity,
            "ends_at": instant(room.ends_at),
            "offers": [_person(people, o.account)["handle"] for o in room.offers],
            "offers_until": {
                str(_person(people, o.account)["handle"]): instant(o.expires_at)
                for o in room.offers
                if o.expires_at is not None
            },
            "cohosts": [_person(people, account)["handle"] for account in room.cohosts],
            "successor": _handle(people, room.successor),
            "acting_host": _handle(people, room.acting),
            "visitors": [
                _person(people, account) for account in sorted(room.visitors) if room.is_visited_by(account)
            ],
            "audience": {"count": self._audience.count(room)},
            "evidence": self._evidence,
            "starts_at": instant(room.starts_at),
            "started_at": instant(room.started_at),
            "ended_at": instant(room.ended_at),
        }


def on_stage(room: Room) -> set[str]:
    """Who can be heard beside the host: whoever a block keeps from the host is not here at all."""
    return {speaker.account for speaker in room.speakers if speaker.account != room.host}


def you(room: Room, caller: Caller, blocked_on_stage: bool) -> dict[str, Any]:
    """`blocked_on_stage`: the caller has blocked somebody whom they would hear."""
    account = caller.account_id
    return {
        "role": room.role(account).value,
        "may_speak": account is not None and room.has_floor(account),
        "hand": account is not None and room.has_hand(account),
        "muted": account is not None and room.is_muted(account),
        "offered": account is not None and room.is_offered(account),
        "may_grant": account is not None and room.grants(account),
        "warning": "blocked_on_stage" if blocked_on_stage else None,
    }


def _event(event: Event, people: Mapping[str, Account]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "seq": event.seq,
        "at": instant(event.at),
        "by": _person(people, event.by)["handle"]
        if not isinstance(event, PersonShutOut | PersonLetIn)
        else "",
    }
    if isinstance(event, PersonEvent) and not isinstance(event, _UNNAMED):
        data.update(_person(people, event.account))
    data.update(_more(event))
    return data


def _more(event: Event) -> dict[str, Any]:
    """What an event says beyond who did it to whom."""
    match event:
        case HandRaised():
            return {"raised_at": instant(event.at), "note": event.note}
        case r.RoomStarted() if event.terms is not None:
            policies = event.terms.policies
            minutes = policies.minutes_at_most
            return {
                "capacity": policies.speakers_at_most,
                "hands": policies.hands,
                "ends_at": instant(event.at + timedelta(minutes=minutes)) if minutes else None,
            }
        case r.RoomClosing():
            return {"ends_at": instant(event.ends_at)}
        case r.HandNoted():
            return {"note": event.note}
        case r.HandsSlowed():
            return {"pause_s": event.pause_s}
        case r.TurnsSet():
            turns = r.Turns(event.soft_s, event.hard_s)
            return {**asdict(turns), "turn": _turn(turns.beginning(event.at))}
        case r.StageSized():
            return {"capacity": event.capacity}
        case r.ListenersLimited():
            return {"listeners_at_most": event.listeners_at_most}
        case r.FloorOffered():
            return {"expires_at": instant(event.expires_at)}
        case r.HandLowered() | r.FloorDeclined() | r.FloorRevoked() | r.RoomEnded():
            return {"reason": event.reason}
        case r.FloorGranted() | r.CohostRemoved() if event.soft_at is not None and event.hard_at is not None:
            return {"turn": _turn(Turn(event.at, event.soft_at, event.hard_at))}
        case r.FloorGranted() | r.CohostRemoved():
            return {"turn": None}
    return {}


def _turn(turn: Turn | None) -> dict[str, Any] | None:
    if turn is None:
        return None
    return {
        "began_at": instant(turn.began_at),
        "soft_at": instant(turn.soft_at),
        "hard_at": instant(turn.hard_at),
    }


def _handle(people: Mapping[str, Account], account_id: str | None) -> str | None:
    return _person(people, account_id)["handle"] if account_id is not None else None


def _person(people: Mapping[str, Account], account_id: str) -> dict[str, str | None]:
    account = people.get(account_id)
    if account is None:  # the house itself, or the administration
        return {"handle": "", "name": "", "picture": None}
    return {"handle": account.handle, "name": account.name, "picture": picture_of(account)}
