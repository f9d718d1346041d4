"""What the protocol's page says that a snapshot shows and that an event makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class State:
    """What the protocol says of a room, by handles. Who was removed stands in no snapshot."""

    seq: int
    live: bool
    host: str
    floor: frozenset[str]
    muted: frozenset[str]
    hands: frozenset[str]
    offers: frozenset[str]
    cohosts: frozenset[str]
    removed: frozenset[str] = frozenset()

    def may_sound(self, handle: str) -> bool:
        return self.live and handle in self.floor and handle not in self.muted


def from_snapshot(seq: int, room: Mapping[str, Any]) -> State:
    return State(
        seq, room["state"] == "live", room["host"]["handle"],
        frozenset(s["handle"] for s in room["speakers"]),
        frozenset(s["handle"] for s in room["speakers"] if s["muted"]),
        frozenset(h["handle"] for h in room["hands"]), frozenset(room["offers"]), frozenset(room["cohosts"]),
    )  # fmt: skip


def after(s: State, seq: int, kind: str, handle: str) -> State:
    who, s = {handle}, replace(s, seq=seq)
    match kind:
        case "room.started" | "room.ended":
            return replace(s, live=kind == "room.started")
        case "hand.raised":
            return replace(s, hands=s.hands | who)
        case "hand.lowered":
            return replace(s, hands=s.hands - who)
        case "floor.offered":
            return replace(s, offers=s.offers | who)
        case "floor.declined":
            return replace(s, offers=s.offers - who)
        case "floor.granted":
            return replace(
                s, hands=s.hands - who, offers=s.offers - who, floor=s.floor | who, muted=s.muted - who
            )
        case "floor.revoked":
            return replace(s, floor=s.floor - who, muted=s.muted - who)
        case "speaker.muted":
            return replace(s, muted=s.muted | who)
        case "speaker.unmuted":
            return replace(s, muted=s.muted - who)
        case "person.removed":
            return replace(
                s, hands=s.hands - who, offers=s.offers - who, floor=s.floor - who, muted=s.muted - who,
                cohosts=s.cohosts - who, removed=s.removed | who,
            )  # fmt: skip
        case "person.restored":
            return replace(s, removed=s.removed - who)
        case "cohost.added":
            return replace(s, cohosts=s.cohosts | who)
        case "cohost.removed":
            return replace(s, cohosts=s.cohosts - who)
    return s
