"""What somebody wants of a room. `by` and `target` are account ids."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain.rooms.terms import Terms

HOUSE = ""
"""Who does what nobody did: a clock has run out. No account has this id."""
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


class RaiseHand(Command):
    __slots__ = ()


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


class Grant(TargetedCommand):
    """A grant where the hand is up, an offer where it is not."""

    __slots__ = ()


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


class RunOut(Command):
    """By the house alone: warns, and later ends the room, when the time is over that it has by its terms."""

    __slots__ = ()
