"""What a room is at one moment. People appear only as account ids: names change, and are put in when served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from parola.domain.rooms.terms import Terms, decode_terms

WARNING = timedelta(minutes=5)
"""So long before its time is over a room is told so."""


class Access(StrEnum):
    """Who may enter."""

    OPEN = "open"
    FOLLOWERS = "followers"
    INVITED = "invited"


class Lifecycle(StrEnum):
    """Where a room stands."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    ENDED = "ended"


class Role(StrEnum):
    """What somebody is in a room."""

    HOST = "host"
    COHOST = "cohost"
    SPEAKER = "speaker"
    LISTENER = "listener"
    GUEST = "guest"


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody with the floor."""

    account: str
    muted: bool = False


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody's wish for the floor."""

    account: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """Speakers in the order in which they got the floor, the host first; hands in the order in which they went up.

    `capacity` counts speakers, None is no bound; `terms` are those under which it began, and hold to its end; `closing`
    once it was told that its time is over soon.
    """

    id: str
    host: str
    title: str
    access: Access
    guests: bool
    state: Lifecycle
    seq: int
    created_at: datetime
    starts_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    speakers: tuple[Speaker, ...] = ()
    hands: tuple[Hand, ...] = ()
    offers: tuple[str, ...] = ()
    cohosts: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()
    invited: frozenset[str] = frozenset()
    hands_locked: bool = False
    capacity: int | None = None
    terms: Terms | None = None
    closing: bool = False

    def speaker(self, account: str) -> Speaker | None:
        return next((s for s in self.speakers if s.account == account), None)

    def has_floor(self, account: str) -> bool:
        return self.speaker(account) is not None

    def is_muted(self, account: str) -> bool:
        speaker = self.speaker(account)
        return speaker is not None and speaker.muted

    def has_hand(self, account: str) -> bool:
        return any(h.account == account for h in self.hands)

    def may_be_heard(self, account: str) -> bool:
        """The one question the media engine asks for each packet."""
        speaker = self.speaker(account)
        return (
            self.state is Lifecycle.LIVE
            and speaker is not None
            and not speaker.muted
            and account not in self.removed
        )

    def is_moderator(self, account: str) -> bool:
        return account == self.host or account in self.cohosts

    @property
    def ends_at(self) -> datetime | None:
        """When the time that it has by its terms is over; None where it has any."""
        if self.state is not Lifecycle.LIVE or self.started_at is None or self.terms is None:
            return None
        minutes = self.terms.policies.minutes_at_most
        return self.started_at + timedelta(minutes=minutes) if minutes else None

    @property
    def wakes_at(self) -> datetime | None:
        """When there is something to do about that: a warning, and then the end."""
        if self.ends_at is None or self.closing:
            return self.ends_at
        return self.ends_at - WARNING

    def role(self, account: str | None) -> Role:
        if account is None:
            return Role.GUEST
        if account == self.host:
            return Role.HOST
        if account in self.cohosts:
            return Role.COHOST
        return Role.SPEAKER if self.has_floor(account) else Role.LISTENER


def encode_room(room: Room) -> dict[str, Any]:
    """As JSON types; `decode_room` is its inverse."""
    return {
        "id": room.id,
        "host": room.host,
        "title": room.title,
        "access": room.access.value,
        "guests": room.guests,
        "state": room.state.value,
        "seq": room.seq,
        "created_at": room.created_at.isoformat(),
        "starts_at": _text(room.starts_at),
        "started_at": _text(room.started_at),
        "ended_at": _text(room.ended_at),
        "speakers": [[s.account, s.muted] for s in room.speakers],
        "hands": [[h.account, h.raised_at.isoformat()] for h in room.hands],
        "offers": list(room.offers),
        "cohosts": list(room.cohosts),
        "removed": sorted(room.removed),
        "invited": sorted(room.invited),
        "hands_locked": room.hands_locked,
        "capacity": room.capacity,
        "terms": room.terms.to_json() if room.terms is not None else None,
        "closing": room.closing,
    }


def decode_room(data: dict[str, Any]) -> Room:
    return Room(
        id=data["id"],
        host=data["host"],
        title=data["title"],
        access=Access(data["access"]),
        guests=data["guests"],
        state=Lifecycle(data["state"]),
        seq=data["seq"],
        created_at=datetime.fromisoformat(data["created_at"]),
        starts_at=_time(data["starts_at"]),
        started_at=_time(data["started_at"]),
        ended_at=_time(data["ended_at"]),
        speakers=tuple(Speaker(account, muted) for account, muted in data["speakers"]),
        hands=tuple(Hand(account, datetime.fromisoformat(at)) for account, at in data["hands"]),
        offers=tuple(data["offers"]),
        cohosts=tuple(data["cohosts"]),
        removed=frozenset(data["removed"]),
        invited=frozenset(data["invited"]),
        hands_locked=data.get("hands_locked", False),  # rooms written before hands could be locked
        capacity=data.get("capacity"),
        terms=decode_terms(data.get("terms")),
        closing=data.get("closing", False),
    )


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
