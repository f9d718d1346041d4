"""One open event stream: what is written to it, in which order, and when that has to end.

Invariant: a reader gets every lasting event behind the one it began with, in order and once, until it ends. Whoever
takes nothing of it ends; nobody else waits for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from parola.services.caller import Caller

MOST_UNREAD_BYTES = 256 << 10
"""What waits for one reader, beside what was not taken at once of what they began with: that may be larger by itself.
The bytes are the same for all, and stand in memory once."""
SLOW_BYTES = 16 << 10
"""Whoever has so much before them gets nothing of what may be dropped."""
_MOST_HELD = 256


class Outlet(Protocol):
    """Where a stream's bytes go. `on_lost` is called when the other side is gone."""

    on_lost: Callable[[], None]

    def write(self, text: bytes) -> None:
        """Never waits."""
        ...

    def unread(self) -> int:
        """Bytes that are written and not taken yet."""
        ...

    def close(self) -> None:
        """The end, behind what is written."""
        ...


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it goes over the wire. `seq` is None for passing ones; `ends` names who reads no
    further after it, None for nobody, the empty set for everyone."""

    text: bytes
    seq: int | None = None
    ends: frozenset[str] | None = None
    may_be_dropped: bool = False


class Reader:
    """Until `begin`, what is told is held back: it comes behind the snapshot."""

    __slots__ = (
        "_at",
        "_held",
        "_most_unread",
        "_on_end",
        "_outlet",
        "account_id",
        "over",
        "session_id",
        "turn",
    )

    def __init__(self, caller: Caller, outlet: Outlet, on_end: Callable[[Reader], None]) -> None:
        self.account_id = caller.account_id
        self.session_id = caller.session_id
        self.over = False
        self.turn = 0
        """When it gets its comment."""
        self._outlet = outlet
        self._on_end = on_end
        self._at = 0
        self._most_unread = MOST_UNREAD_BYTES
        self._held: list[Told] | None = []
        outlet.on_lost = self.end

    def begin(self, at: int, texts: Iterable[bytes]) -> None:
        """`texts` bring the reader up to event `at`."""
        if self.over:
            return
        held, self._held, self._at = self._held, None, at
        for text in texts:
            self._outlet.write(text)
        self._most_unread += self._outlet.unread()
        for told in held or ():
            self.tell(told)

    def tell(self, told: Told) -> None:
        if self.over:
            return
        if self._held is not None:
            self._hold(told)
            return
        if told.seq is not None:
            if told.seq <= self._at:
                return
            self._at = told.seq
        unread = self._outlet.unread()
        if told.may_be_dropped and unread > SLOW_BYTES:
            return
        if unread + len(told.text) > self._most_unread:
            self.end()
            return
        self._outlet.write(told.text)
        if told.ends is not None and (not told.ends or self.account_id in told.ends):
            self.end()

    def end(self) -> None:
        """No more for this one."""
        if self.over:
            return
        self.over = True
        self._held = None
        self._outlet.close()
        self._on_end(self)

    def _hold(self, told: Told) -> None:
        assert self._held is not None
        if len(self._held) >= _MOST_HELD:
            self.end()
        elif not told.may_be_dropped:
            self._held.append(told)


def event_text(kind: str, data: Any, seq: int | None = None) -> bytes:
    """As it goes over the wire; `data` may be JSON already."""
    head = f"event: {kind}\n" if seq is None else f"id: {seq}\nevent: {kind}\n"
    return head.encode() + b"data: " + (data if isinstance(data, bytes) else orjson.dumps(data)) + b"\n\n"


def comment_text() -> bytes:
    return b": still here\n\n"
