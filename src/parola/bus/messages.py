"""What processes say to each other, as JSON. Answers carry their `kind`, so that a refusal is never taken for a yes."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import orjson

# long: one class for each message; nothing is decided here


class MessageError(ValueError):
    """Bytes that are not the message they should be."""


class Body:
    """Shared by all messages: their JSON form."""

    kind: ClassVar[str]

    def __init_subclass__(cls) -> None:
        cls.kind = cls.__name__

    def to_bytes(self) -> bytes:
        values = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return orjson.dumps({"kind": self.kind, **values})

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Raises MessageError; unknown fields are left out, so that two versions can talk."""
        try:
            values = orjson.loads(data)
            if values["kind"] != cls.kind:
                raise MessageError(f"{values['kind']} instead of {cls.kind}")
            return cls.parse(values)
        except MessageError:
            raise
        except (ValueError, KeyError, TypeError) as error:
            raise MessageError(f"no {cls.kind}: {error}") from error

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})  # type: ignore[arg-type]


# Orders to a media process, and its answers.


@dataclass(frozen=True, slots=True)
class WhepOrder(Body):
    """`seq` is what the asking process has seen of the room: the media process must not know less. `address` is the
    client's, as the web process sees it: connections are counted by it."""

    room_id: str
    account_id: str | None
    session_id: str | None
    address: str
    seq: int
    offer: str


@dataclass(frozen=True, slots=True)
class WhipOrder(Body):
    room_id: str
    account_id: str
    session_id: str | None
    address: str
    epoch: int
    seq: int
    offer: str


@dataclass(frozen=True, slots=True)
class Connected(Body):
    connection_id: str
    answer: str


@dataclass(frozen=True, slots=True)
class Refused(Body):
    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class CloseOrder(Body):
    room_id: str
    connection_id: str
    account_id: str | None


@dataclass(frozen=True, slots=True)
class Closed(Body):
    pass


@dataclass(frozen=True, slots=True)
class DetailsOrder(CloseOrder):
    """How does this connection fare?"""


@dataclass(frozen=True, slots=True)
class Details(Body):
    """As media/details.py has them."""

    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class OwnOrder(Body):
    room_id: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Owned(Body):
    pass


@dataclass(frozen=True, slots=True)
class SettleOrder(Body):
    """Answer when everything that event `seq` silences has left every edge."""

    room_id: str
    seq: int


@dataclass(frozen=True, slots=True)
class Settled(Body):
    pass


@dataclass(frozen=True, slots=True)
class EvidenceOrder(Body):
    """What is kept of a room, behind segment number `after` and up to `until`; None: up to now."""

    room_id: str
    after: int
    until: int | None


@dataclass(frozen=True, slots=True)
class EvidencePart(Body):
    """Some sealed segments, by number and in base64; there are more where the last of them is before `until`."""

    segments: list[tuple[int, str]]
    until: int

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        found = [(_number(number), _text(data)) for number, data in values["segments"]]
        return cls(found, _number(values["until"]))


# Between an owner and its edges.


@dataclass(frozen=True, slots=True)
class AttachOrder(Body):
    room_id: str
    process_id: str
    outputs: list[str]


@dataclass(frozen=True, slots=True)
class Attached(Body):
    """Epoch 0: this process does not own the room."""

    epoch: int
    tick: int


@dataclass(frozen=True, slots=True)
class DetachOrder(Body):
    room_id: str
    process_id: str


@dataclass(frozen=True, slots=True)
class Fence(Body):
    """Send nothing of `tick` or before any more, and have `seq` folded before you answer."""

    room_id: str
    epoch: int
    tick: int
    seq: int


@dataclass(frozen=True, slots=True)
class FencePassed(Body):
    process_id: str


@dataclass(frozen=True, slots=True)
class FiguresOrder(Body):
    """Asks a media process for its counters."""


@dataclass(frozen=True, slots=True)
class Figures(Body):
    """`values` is what processes judge each other by; `families` is for /metrics (bus/figures.py). `name` is the
    process's on its machine, the same after it was started anew."""

    values: dict[str, float]
    machine: str = ""
    name: str = ""
    families: list[dict[str, Any]] = field(default_factory=list)


# To whom it may concern.


@dataclass(frozen=True, slots=True)
class RoomEvents(Body):
    """Events of one room in order, as `encode_event` makes them."""

    room_id: str
    events: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class RoomStarted(Body):
    """Whoever follows the host may want to know, if they may enter. Said once, by the process that has started it."""

    room_id: str
    host_id: str
    title: str
    access: str
    at: str


@dataclass(frozen=True, slots=True)
class OwnerChanged(Body):
    room_id: str
    process_id: str | None
    epoch: int


@dataclass(frozen=True, slots=True)
class Gone(Body):
    """A media process has died or left."""

    process_id: str


@dataclass(frozen=True, slots=True)
class SessionEnded(Body):
    session_id: str


@dataclass(frozen=True, slots=True)
class AccountDeleted(Body):
    """Who still has its name in mind forgets it."""

    account_id: str


@dataclass(frozen=True, slots=True)
class RolloutChanged(Body):
    """There is a newer version of a feature's plan."""

    feature: str
    version: int


@dataclass(frozen=True, slots=True)
class Heard(Body):
    """A page says how long its connection took to the first sound."""

    room_id: str
    connection_id: str
    account_id: str | None
    ms: int


@dataclass(frozen=True, slots=True)
class NeverUp(Body):
    """A listener's connection was answered, and never came up. `address` is the client's."""

    room_id: str
    account_id: str | None
    address: str


@dataclass(frozen=True, slots=True)
class Levels(Body):
    """How loud talkers are, 0..1 by account id."""

    room_id: str
    levels: dict[str, float]


@dataclass(frozen=True, slots=True)
class Strayed(Body):
    """A speaker's packets come from an address that is not proved: their page had better connect anew."""

    room_id: str
    connection_id: str
    account_id: str


Present = tuple[str, str | None]
"""A connection's id without its process's before it, and whose it is: None for a guest's."""


@dataclass(frozen=True, slots=True)
class PresenceChanged(Body):
    """Who came to one room through one media process, and who left, between its presence number `after` and `number`.
    Numbers of a process only grow; `after` is 0 where nobody was there before."""

    process_id: str
    room_id: str
    after: int
    number: int
    listeners: list[Present]
    speakers: list[Present]
    left: list[str]

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        return cls(
            values["process_id"],
            values["room_id"],
            values["after"],
            values["number"],
            [_present(x) for x in values["listeners"]],
            [_present(x) for x in values["speakers"]],
            [_text(x) for x in values["left"]],
        )


@dataclass(frozen=True, slots=True)
class PresencePage(Body):
    """A part of everybody who is there, as of presence `number`; nobody at all is one page, too."""

    process_id: str
    room_id: str
    number: int
    page: int
    is_last: bool
    listeners: list[Present]
    speakers: list[Present]

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        return cls(
            values["process_id"],
            values["room_id"],
            values["number"],
            values["page"],
            values["is_last"],
            [_present(x) for x in values["listeners"]],
            [_present(x) for x in values["speakers"]],
        )


@dataclass(frozen=True, slots=True)
class PresenceHeads(Body):
    """The present number of each room in which somebody is connected through this process, and its highest so far."""

    process_id: str
    number: int
    rooms: dict[str, int]


@dataclass(frozen=True, slots=True)
class PresenceOrder(Body):
    """Say again, to `reply_to`, who is connected to these rooms."""

    rooms: list[str]
    reply_to: str


@dataclass(frozen=True, slots=True)
class Reading(Body):
    """Rooms, with accounts that lead them or may come to, or whose hand is up there, whose events this web process is
    telling them. `name` stays when the process is started anew; who leaves says so."""

    name: str
    process_id: str
    readers: list[tuple[str, str]]
    leaves: bool = False

    @classmethod
    def parse(cls, values: dict[str, Any]) -> Self:
        return cls(
            _text(values["name"]),
            _text(values["process_id"]),
            [(_text(room_id), _text(account_id)) for room_id, account_id in values["readers"]],
            values["leaves"] is True,
        )


def _present(value: Any) -> Present:
    connection, account = value
    return _text(connection), None if account is None else _text(account)


def _number(value: Any) -> int:
    if not isinstance(value, int):
        raise TypeError(f"{value!r} is no number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
