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
    listeners_at_most: int | None = None
    removed: tuple[str, ...] = ()
    """Whom the host keeps out of all their rooms."""


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
    """`reason` is "host_left" or "time_over" where nobody ended it, "called_off" where it never began."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonEvent(Event):
    """Whatever concerns one person."""

    account: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandRaised(PersonEvent):
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandNoted(PersonEvent):
    """Another note with a hand that is up; empty is none."""

    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandLowered(PersonEvent):
    """`reason` is "away" where its person has left the room; else None."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsLocked(Event):
    """No hand goes up after this; those that are up stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsUnlocked(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsSlowed(Event):
    """After this a hand stays down for `pause_s` seconds after it was lowered, or after its turn."""

    pause_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HandsUnslowed(Event):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsSet(Event):
    """Those with the floor who are neither host nor co-host begin a turn with this."""

    soft_s: int
    hard_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnsLifted(Event):
    """Ends no floor, and every turn's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSized(Event):
    capacity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorOffered(PersonEvent):
    """Takes the place of an earlier offer. From `expires_at` on it cannot be accepted, whoever has noticed."""

    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorDeclined(PersonEvent):
    """By the one offered; an offer that was withdrawn has another `by`, one whose time was over `reason` "expired"."""

    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorGranted(PersonEvent):
    """Ends that person's hand and offer; they start unmuted, and `hard_at` is when their turn is over."""

    by_next: bool = False
    soft_at: datetime | None = None
    hard_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorRevoked(PersonEvent):
    """`reason` is "turn_over", or "next" where somebody else was called up; else None."""

    reason: str | None = None


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
    """A turn of theirs has no end any more."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CohostRemoved(PersonEvent):
    """Where they have the floor and turns are set, theirs begins."""

    soft_at: datetime | None = None
    hard_at: datetime | None = None


class SuccessorNamed(PersonEvent):
    __slots__ = ()


class SuccessorDropped(PersonEvent):
    __slots__ = ()


class HostSucceeded(PersonEvent):
    """The host has gone, and this co-host grants the floor until they are back."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReturned(Event):
    pass


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


class VisitBegan(PersonEvent):
    """An administrator may listen from now on."""

    __slots__ = ()


class VisitEnded(PersonEvent):
    """What they held was taken by events before this one; whoever may enter without it comes back."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenersLimited(Event):
    """So many listeners at most from now on, None for as many as come. Who is there stays."""

    listeners_at_most: int | None


_NAMES: dict[type[Event], str] = {
    RoomCreated: "room.created",
    RoomStarted: "room.started",
    RoomClosing: "room.closing",
    RoomEnded: "room.ended",
    HandRaised: "hand.raised",
    HandNoted: "hand.noted",
    HandLowered: "hand.lowered",
    HandsLocked: "hands.locked",
    HandsUnlocked: "hands.unlocked",
    HandsSlowed: "hands.slowed",
    HandsUnslowed: "hands.unslowed",
    TurnsSet: "turns.set",
    TurnsLifted: "turns.lifted",
    StageSized: "stage.sized",
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
    SuccessorNamed: "successor.named",
    SuccessorDropped: "successor.dropped",
    HostSucceeded: "host.succeeded",
    HostReturned: "host.returned",
    PersonInvited: "person.invited",
    PersonUninvited: "person.uninvited",
    PersonShutOut: "person.shut_out",
    PersonLetIn: "person.let_in",
    VisitBegan: "visit.began",
    VisitEnded: "visit.ended",
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
        values["removed"] = tuple(values.get("removed", ()))
    if kind is RoomStarted:
        values["terms"] = decode_terms(values.get("terms"))
    return kind(**values)
