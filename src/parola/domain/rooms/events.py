"""What has happened in a room, one class for each kind; `account` is whom it concerns, `by` who did it."""

from __future__ import annotations

from dataclasses import MISSING, asdict, dataclass, fields
from datetime import datetime
from typing import Any

from parola.domain.rooms.state import Access
from parola.domain.rooms.terms import Terms, decode_terms


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
    capacity: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomStarted(Event):
    """Rooms of older versions have no terms: nothing bounds them."""

    terms: Terms | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomClosing(Event):
    """The time that the room has by its terms is over soon: it ends at `ends_at`."""

    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEnded(Event):
    """`reason` is "time_over" where the room's time had run out; None where somebody ended it."""

    reason: str | None = None


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


_NAMES: dict[type[Event], str] = {
    RoomCreated: "room.created",
    RoomStarted: "room.started",
    RoomClosing: "room.closing",
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
    if isinstance(event, RoomStarted) and event.terms is not None:
        data["terms"] = event.terms.to_json()
    return {"type": type_name(event), **data}


def decode_event(data: dict[str, Any]) -> Event:
    """What was written before a field existed has that field's default."""
    kind = _TYPES[data["type"]]
    values = {f.name: data[f.name] for f in fields(kind) if f.name in data or f.default is MISSING}
    for name, value in values.items():
        if value is not None and (name == "at" or name.endswith("_at")):
            values[name] = datetime.fromisoformat(value)
    if kind is RoomCreated:
        values["access"] = Access(values["access"])
    if kind is RoomStarted:
        values["terms"] = decode_terms(values.get("terms"))
    return kind(**values)
