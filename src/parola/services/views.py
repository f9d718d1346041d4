"""Rooms and events as the protocol shows them: handles and names stand where the domain has account ids."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from parola.domain.rooms import (
    Event,
    HandRaised,
    PersonInvited,
    PersonUninvited,
    Room,
    RoomClosing,
    RoomEnded,
    RoomStarted,
)
from parola.domain.rooms.events import PersonEvent
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.store import Account, Store

_MOST_HANDLES = 10_000
_LOOKED_THROUGH = 3
"""Listeners for each one that is shown: some of them stay unseen."""


def instant(at: datetime | None) -> str | None:
    """RFC 3339, UTC, milliseconds."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Views:
    """`public_url` is the origin that people see, without a slash at its end."""

    def __init__(self, store: Store, audience: Audience, public_url: str) -> None:
        self._store = store
        self._audience = audience
        self._public_url = public_url
        self._handles: dict[str, str] = {}

    async def room(self, room: Room, caller: Caller) -> dict[str, Any]:
        return {**await self.shared(room), "you": you(room, caller)}

    async def shared(self, room: Room) -> dict[str, Any]:
        """All of it that is the same for everybody."""
        return self._room(room, await self._people([room]))

    async def rooms(self, rooms: Iterable[Room], caller: Caller) -> list[dict[str, Any]]:
        listed = list(rooms)
        people = await self._people(listed)
        return [{**self._room(room, people), "you": you(room, caller)} for room in listed]

    async def audience(self, room: Room, most: int) -> dict[str, Any]:
        """How many listen, and some of them who let themselves be seen."""
        ids = self._audience.some(room, most * _LOOKED_THROUGH)
        accounts = await self._store.accounts.by_ids(ids)
        seen = [_person(accounts, id) for id in ids if id in accounts and not accounts[id].listen_unseen]
        return {"count": self._audience.count(room), "people": seen[:most]}

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

    async def _people(self, rooms: Iterable[Room]) -> dict[str, Account]:
        ids: set[str] = set()
        for room in rooms:
            ids.add(room.host)
            ids.update(s.account for s in room.speakers)
            ids.update(h.account for h in room.hands)
            ids.update(room.offers)
            ids.update(room.cohosts)
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
                {**_person(people, s.account), "muted": s.muted, "connected": s.account in connected}
                for s in room.speakers
            ],
            "hands": [{**_person(people, h.account), "raised_at": instant(h.raised_at)} for h in room.hands],
            "hands_locked": room.hands_locked,
            "capacity": room.capacity,
            "ends_at": instant(room.ends_at),
            "offers": [_person(people, account)["handle"] for account in room.offers],
            "cohosts": [_person(people, account)["handle"] for account in room.cohosts],
            "audience": {"count": self._audience.count(room)},
            "starts_at": instant(room.starts_at),
            "started_at": instant(room.started_at),
            "ended_at": instant(room.ended_at),
        }


def you(room: Room, caller: Caller) -> dict[str, Any]:
    account = caller.account_id
    return {
        "role": room.role(account).value,
        "may_speak": account is not None and room.has_floor(account),
        "hand": account is not None and room.has_hand(account),
        "muted": account is not None and room.is_muted(account),
        "offered": account is not None and account in room.offers,
    }


def _event(event: Event, people: Mapping[str, Account]) -> dict[str, Any]:
    data: dict[str, Any] = {
        "seq": event.seq,
        "at": instant(event.at),
        "by": _person(people, event.by)["handle"],
    }
    if isinstance(event, PersonEvent) and not isinstance(event, PersonInvited | PersonUninvited):
        data.update(_person(people, event.account))
    if isinstance(event, HandRaised):
        data["raised_at"] = instant(event.at)
    if isinstance(event, RoomStarted) and event.terms is not None:
        policies = event.terms.policies
        ends_at = event.at + timedelta(minutes=policies.minutes_at_most) if policies.minutes_at_most else None
        data |= {
            "capacity": policies.speakers_at_most,
            "hands": policies.hands,
            "ends_at": instant(ends_at),
        }
    if isinstance(event, RoomClosing):
        data["ends_at"] = instant(event.ends_at)
    if isinstance(event, RoomEnded):
        data["reason"] = event.reason
    return data


def _person(people: Mapping[str, Account], account_id: str) -> dict[str, str]:
    account = people.get(account_id)
    # Accounts can be deleted one day; rooms that they were in stay readable.
    return {"handle": account.handle, "name": account.name} if account else {"handle": "", "name": ""}
