"""What has happened in a room, one class for each kind; `account` is whom it concerns, `by` who did it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from parola.domain.rooms.state import Access


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`seq` counts the events of a room from 1 without a gap; `at` is UTC."""

    seq: int
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomCreated(Event):
    room: str
    title: str
    access: Access
    guests: bool
    starts_at: datetime | None
    listeners_at_most: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStarted(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEnded(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEvent(Event):
    """Whatever concerns one person."""

    account: str


class HandRaised(PersonEvent):
    __slots__ = ()


class HandLowered(PersonEvent):
    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsLocked(Event):
    """No hand goes up after this; those that are up stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsUnlocked(Event):
    pass


class FloorOffered(PersonEvent):
    __slots__ = ()


class FloorDeclined(PersonEvent):
    """By the one offered; an offer that was withdrawn has another `by`."""

    __slots__ = ()


class FloorGranted(PersonEvent):
    """Ends that person's hand and offer; they start unmuted."""

    __slots__ = ()


class FloorRevoked(PersonEvent):
    __slots__ = ()


class SpeakerMuted(PersonEvent):
    __slots__ = ()


class SpeakerUnmuted(PersonEvent):
    __slots__ = ()


class PersonRemoved(PersonEvent):
    """Takes hand, offer, floor and co-hosting."""

    __slots__ = ()


class PersonRestored(PersonEvent):
    __slots__ = ()


class CohostAdded(PersonEvent):
    __slots__ = ()


class CohostRemoved(PersonEvent):
    __slots__ = ()


class PersonInvited(PersonEvent):
    __slots__ = ()


class PersonUninvited(PersonEvent):
    """What the invitation carried was taken by events before this one."""

    __slots__ = ()


class PersonShutOut(PersonEvent):
    """A block came between them and the host. What they held was taken by events before this one."""

    __slots__ = ()


class PersonLetIn(PersonEvent):
    """The block is no more."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenersLimited(Event):
    """So many listeners at most from now on, None for as many as come. Who is there stays."""

    listeners_at_most: int | None


_NAMES: dict[type[Event], str] = {
    RoomCreated: "room.created",
    RoomStarted: "room.started",
    RoomEnded: "room.ended",
    HandRaised: "hand.raised",
    HandLowered: "hand.lowered",
    HandsLocked: "hands.locked",
    HandsUnlocked: "hands.unlocked",
    FloorOffered: "floor.offered",
    FloorDeclined: "floor.declined",
    FloorGranted: "floor.granted",
    FloorRevoked: "floor.revoked",
    SpeakerMuted: "speaker.muted",
    SpeakerUnmuted: "speaker.unmuted",
    PersonRemoved: "person.removed",
    PersonRestored: "person.restored",
    CohostAdded: "cohost.added",
    CohostRemoved: "cohost.removed",
    PersonInvited: "person.invited",
    PersonUninvited: "person.uninvited",
    PersonShutOut: "person.shut_out",
    PersonLetIn: "person.let_in",
    ListenersLimited: "listeners.limited",
}
_TYPES = {name: kind for kind, name in _NAMES.items()}

EVENT_TYPES = frozenset(_NAMES)
"""Every kind of event there is."""


def type_name(event: Event) -> str:
    """As the protocol calls it, such as `floor.granted`."""
    return _NAMES[type(event)]


def encode_event(event: Event) -> dict[str, Any]:
    """As JSON types, with its `type`; `decode_event` is its inverse."""
    data = {
        key: value.isoformat() if isinstance(value, datetime) else value
        for key, value in asdict(event).items()
    }
    return {"type": type_name(event), **data}


def decode_event(data: dict[str, Any]) -> Event:
    kind = _TYPES[data["type"]]
    # Rooms that were created before there were capacities have none.
    values = {
        field.name: data[field.name]
        for field in fields(kind)
        if field.name in data or kind is not RoomCreated
    }
    values["at"] = datetime.fromisoformat(values["at"])
    if kind is RoomCreated:
        values["access"] = Access(values["access"])
        values["starts_at"] = datetime.fromisoformat(values["starts_at"]) if values["starts_at"] else None
    return kind(**values)
