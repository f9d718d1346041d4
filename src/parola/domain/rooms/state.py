"""What a room is at one moment. People appear only as account ids: names change, and are put in when served."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from parola.domain.rooms.terms import Terms

WARNING = timedelta(minutes=5)
"""So long before its time is over a room is told so."""


class Access(StrEnum):
    """Who may enter, beside the host, co-hosts and whom the host has invited."""

    OPEN = "open"
    """Everybody."""
    LINK = "link"
    """Whoever has the address; it is listed nowhere."""
    FOLLOWERS = "followers"
    """Who follows the host."""
    MUTUALS = "mutuals"
    """Who follows the host, and is followed by them."""
    INVITED = "invited"
    """Nobody else."""

    @property
    def asks_nobody(self) -> bool:
        """Whether the address is enough: guests can come, and no invitation is needed."""
        return self in (Access.OPEN, Access.LINK)


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
class Turns:
    """How long a turn is: seconds until its speaker is warned, and until the floor is taken."""

    soft_s: int
    hard_s: int

    def beginning(self, at: datetime) -> Turn:
        return Turn(at, at + timedelta(seconds=self.soft_s), at + timedelta(seconds=self.hard_s))


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's: when they are warned, and when the floor is taken from them."""

    began_at: datetime
    soft_at: datetime
    hard_at: datetime


@dataclass(frozen=True, slots=True)
class Speaker:
    """Somebody with the floor; `by_next` until the next `next`, and without a `turn` as long as they like."""

    account: str
    muted: bool = False
    by_next: bool = False
    turn: Turn | None = None


@dataclass(frozen=True, slots=True)
class Hand:
    """Somebody's wish for the floor, and what they want to ask."""

    account: str
    raised_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class Offer:
    """The floor, for who says yes before `expires_at`; offers of old rooms have none."""

    account: str
    expires_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


@dataclass(frozen=True, slots=True)
class Rest:
    """Whose hand stays down until when, where hands are slow."""

    account: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Room:
    """Speakers in the order in which they got the floor, the host first; hands in the order in which they went up.

    `capacity` counts speakers, None is no bound; `hands_pause_s` is how long a hand rests where they are slow;
    `successor` is whom the host named, `acting` who is in the host's place now: both are co-hosts. `terms` are those
    under which it began, and hold to its end; `closing` once it was told that its time is over soon.
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
    offers: tuple[Offer, ...] = ()
    cohosts: tuple[str, ...] = ()
    removed: frozenset[str] = frozenset()
    invited: frozenset[str] = frozenset()
    hands_locked: bool = False
    hands_pause_s: int | None = None
    rests: tuple[Rest, ...] = ()
    turns: Turns | None = None
    capacity: int | None = None
    successor: str | None = None
    acting: str | None = None
    shut_out: frozenset[str] = frozenset()
    """Between whom and the host a block came while this room was there; those from before are the gate's to know."""
    visitors: frozenset[str] = frozenset()
    """Administrators who may listen while it is live, whoever else may, and whom everybody sees."""
    listeners_at_most: int | None = None
    """So many listeners at most; None for as many as come."""
    terms: Terms | None = None
    closing: bool = False

    def speaker(self, account: str) -> Speaker | None:
        return next((s for s in self.speakers if s.account == account), None)

    def has_floor(self, account: str) -> bool:
        return self.speaker(account) is not None

    def is_muted(self, account: str) -> bool:
        speaker = self.speaker(account)
        return speaker is not None and speaker.muted

    def hand(self, account: str) -> Hand | None:
        return next((h for h in self.hands if h.account == account), None)

    def has_hand(self, account: str) -> bool:
        return self.hand(account) is not None

    def offer(self, account: str) -> Offer | None:
        return next((o for o in self.offers if o.account == account), None)

    def is_offered(self, account: str) -> bool:
        return self.offer(account) is not None

    def may_be_heard(self, account: str) -> bool:
        """The one question the media engine asks for each packet."""
        speaker = self.speaker(account)
        return (
            self.state is Lifecycle.LIVE
            and speaker is not None
            and not speaker.muted
            and account not in self.removed
            and account not in self.shut_out
        )

    @property
    def barred(self) -> frozenset[str]:
        """Who may not come in to listen."""
        return (self.removed | self.shut_out) - self.visitors

    def is_visited_by(self, account: str) -> bool:
        return self.state is Lifecycle.LIVE and account in self.visitors

    def is_moderator(self, account: str) -> bool:
        return account == self.host or account in self.cohosts

    def grants(self, account: str) -> bool:
        """The host, and whoever is in the host's place."""
        return account in (self.host, self.acting)

    @property
    def due_at(self) -> datetime | None:
        """When the next turn or offer is over."""
        if self.state is not Lifecycle.LIVE:
            return None
        ends = [s.turn.hard_at for s in self.speakers if s.turn is not None]
        ends += [o.expires_at for o in self.offers if o.expires_at is not None]
        return min(ends, default=None)

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

    @property
    def around_floor(self) -> frozenset[str]:
        """Who has it, is offered it, or has a hand up."""
        theirs: tuple[Speaker | Offer | Hand, ...] = (*self.speakers, *self.offers, *self.hands)
        return frozenset(one.account for one in theirs)

    def role(self, account: str | None) -> Role:
        if account is None:
            return Role.GUEST
        if account == self.host:
            return Role.HOST
        if account in self.cohosts:
            return Role.COHOST
        return Role.SPEAKER if self.has_floor(account) else Role.LISTENER
