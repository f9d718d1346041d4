"""What somebody wants of a room. `by` and `target` are account ids."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain.rooms.terms import Terms

HOUSE = ""
"""Who does what nobody did: a clock has run out, or the host has gone. No account has this id."""
OFFER_S = 60
"""So long an offer waits for an answer."""
ADMINISTRATION = "-"
"""Stands as `by` where the server's administration acts, whoever that is: no account has this id."""


@dataclass(frozen=True, slots=True)
class Command:
    by: str


@dataclass(frozen=True, slots=True)
class TargetedCommand(Command):
    target: str


@dataclass(frozen=True, slots=True)
class Start(Command):
    """`terms` are those under which the host is let in now."""

    terms: Terms | None = None


class End(Command):
    __slots__ = ()


class Close(Command):
    """The administration ends the room."""

    __slots__ = ()


class Silence(TargetedCommand):
    """The administration takes a voice: floor, offer and hand, and of the host, who always has the floor, the
    microphone."""

    __slots__ = ()


class PutOut(TargetedCommand):
    """The administration puts somebody out of a live room; a room of theirs ends, since its host always has the
    floor."""

    __slots__ = ()


class Visit(TargetedCommand):
    """The administration lets one of its own listen, seen by everybody."""

    __slots__ = ()


class EndVisit(TargetedCommand):
    """By the administration, too."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class RaiseHand(Command):
    """With a note, or changing that of a hand that is up; None leaves it as it is."""

    note: str | None = None


class LowerHand(Command):
    __slots__ = ()


class Accept(Command):
    __slots__ = ()


class Decline(Command):
    __slots__ = ()


class Unmute(TargetedCommand):
    """Only ever of oneself; the target is there so that anyone else's can be refused by name."""

    __slots__ = ()


class MuteAll(Command):
    __slots__ = ()


class DismissHand(TargetedCommand):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Grant(TargetedCommand):
    """A grant where the hand is up, an offer for `offer_s` where it is not."""

    offer_s: int = OFFER_S


@dataclass(frozen=True, slots=True)
class Next(Command):
    """Grants the first hand, and takes the floor of whom an earlier `next` gave it. `hand` is whose hand is thought to
    be the first: whoever asks again does not call up the one behind."""

    hand: str | None = None


class Revoke(TargetedCommand):
    """Takes the floor, or withdraws an offer."""

    __slots__ = ()


class Mute(TargetedCommand):
    __slots__ = ()


class LockHands(Command):
    """From now on no hand goes up; those that are up stay."""

    __slots__ = ()


class UnlockHands(Command):
    __slots__ = ()


class Remove(TargetedCommand):
    __slots__ = ()


class Restore(TargetedCommand):
    __slots__ = ()


class AddCohost(TargetedCommand):
    __slots__ = ()


class RemoveCohost(TargetedCommand):
    __slots__ = ()


class Invite(TargetedCommand):
    __slots__ = ()


class Uninvite(TargetedCommand):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SetTurns(Command):
    """From now on turns are so long: for those who get the floor, and for those who have it from now."""

    soft_s: int
    hard_s: int


class LiftTurns(Command):
    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SizeStage(Command):
    """At most so many speakers, the host among them. Nobody loses the floor by it."""

    capacity: int


@dataclass(frozen=True, slots=True)
class SlowHands(Command):
    """From now on a hand stays down for so long after it was lowered, or after its turn."""

    pause_s: int


class UnslowHands(Command):
    __slots__ = ()


class NameSuccessor(TargetedCommand):
    """Which co-host is in the host's place where the host has gone."""

    __slots__ = ()


class DropSuccessor(TargetedCommand):
    __slots__ = ()


class ShutOut(TargetedCommand):
    """A block between the host and the target: by the host, or by the target, who has blocked the host."""

    __slots__ = ()


class LetIn(TargetedCommand):
    """The block is no more, by whoever it was."""

    __slots__ = ()


class Vanish(TargetedCommand):
    """The account is deleted: by itself, it gives back all that it holds here."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LimitListeners(Command):
    """None: as many listeners as come."""

    listeners_at_most: int | None


# What the house itself asks for, by `HOUSE`, and nobody else may.


class Sweep(Command):
    """Ends the turns and offers whose time has come."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class LeaveHost(Command):
    """`absent` are accounts that have had no connection to the room for long."""

    absent: frozenset[str]


@dataclass(frozen=True, slots=True)
class LowerHands(Command):
    """Of those whose hands are up, `absent` are accounts that have had no connection to the room for long."""

    absent: frozenset[str]


class ReturnHost(Command):
    """The host is connected again."""

    __slots__ = ()


class RunOut(Command):
    """By the house alone: warns, and later ends the room, when the time is over that it has by its terms."""

    __slots__ = ()
