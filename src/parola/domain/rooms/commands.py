"""What somebody wants of a room. `by` and `target` are account ids."""

from __future__ import annotations

from dataclasses import dataclass

ADMINISTRATION = "-"
"""Stands as `by` where the server's administration acts, whoever that is: no account has this id."""


@dataclass(frozen=True, slots=True)
class Command:
    by: str


@dataclass(frozen=True, slots=True)
class TargetedCommand(Command):
    target: str


class Start(Command):
    __slots__ = ()


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
