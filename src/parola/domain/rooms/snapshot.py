"""A room as JSON types and back. What was written before a field existed is read as if nobody had used it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from parola.domain.rooms.state import Access, Hand, Lifecycle, Offer, Rest, Room, Speaker, Turn, Turns
from parola.domain.rooms.terms import decode_terms


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
        "speakers": [[s.account, s.muted, s.by_next, _turn_text(s.turn)] for s in room.speakers],
        "hands": [[h.account, h.raised_at.isoformat(), h.note] for h in room.hands],
        "offers": [[o.account, _text(o.expires_at)] for o in room.offers],
        "cohosts": list(room.cohosts),
        "removed": sorted(room.removed),
        "invited": sorted(room.invited),
        "hands_locked": room.hands_locked,
        "hands_pause_s": room.hands_pause_s,
        "rests": [[r.account, r.until.isoformat()] for r in room.rests],
        "turns": [room.turns.soft_s, room.turns.hard_s] if room.turns is not None else None,
        "capacity": room.capacity,
        "successor": room.successor,
        "acting": room.acting,
        "shut_out": sorted(room.shut_out),
        "visitors": sorted(room.visitors),
        "listeners_at_most": room.listeners_at_most,
        "terms": room.terms.to_json() if room.terms is not None else None,
        "closing": room.closing,
    }


def decode_room(data: dict[str, Any]) -> Room:
    turns = data.get("turns")
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
        speakers=tuple(_speaker(*values) for values in data["speakers"]),
        hands=tuple(Hand(account, datetime.fromisoformat(at), *note) for account, at, *note in data["hands"]),
        offers=tuple(map(_offer, data["offers"])),
        cohosts=tuple(data["cohosts"]),
        removed=frozenset(data["removed"]),
        invited=frozenset(data["invited"]),
        hands_locked=data.get("hands_locked", False),
        hands_pause_s=data.get("hands_pause_s"),
        rests=tuple(Rest(account, datetime.fromisoformat(until)) for account, until in data.get("rests", ())),
        turns=Turns(*turns) if turns is not None else None,
        capacity=data.get("capacity"),
        successor=data.get("successor"),
        acting=data.get("acting"),
        shut_out=frozenset(data.get("shut_out", ())),
        visitors=frozenset(data.get("visitors", ())),
        listeners_at_most=data.get("listeners_at_most"),
        terms=decode_terms(data.get("terms")),
        closing=data.get("closing", False),
    )


def _speaker(account: str, muted: bool, by_next: bool = False, turn: list[str] | None = None) -> Speaker:
    return Speaker(account, muted, by_next, Turn(*map(datetime.fromisoformat, turn)) if turn else None)


def _offer(written: str | list[Any]) -> Offer:
    """Once an offer was only an account, and did not expire."""
    if isinstance(written, str):
        return Offer(written)
    account, expires_at = written
    return Offer(account, _time(expires_at))


def _turn_text(turn: Turn | None) -> list[str] | None:
    if turn is None:
        return None
    return [turn.began_at.isoformat(), turn.soft_at.isoformat(), turn.hard_at.isoformat()]


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at is not None else None


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text is not None else None
