"""One who reads a stream of Ogg Opus by HTTP: bytes and the time go in, what has come of them is kept."""

from __future__ import annotations

import socket

from bench.listeners.peers.ogg_pages import Page, Pages


class Listener:
    """Times are nanoseconds of the wall clock. `first_at` is 0 until there is sound."""

    __slots__ = (
        "_before", "_head", "_pages", "anchor", "answered_at", "asked_at", "failure", "first_at", "gap_ns",
        "has_left", "index", "is_recorded", "last", "last_at", "late_ns", "missing", "octets", "pages",
        "recorded", "socket", "started_at", "started_from",
    )  # fmt: skip

    def __init__(self, index: int, asked_at: int) -> None:
        self.index = index
        self.asked_at = asked_at
        self.socket = socket.socket()
        self.answered_at = self.first_at = self.last_at = 0
        self.failure = ""
        self.has_left = False
        self.last: Page | None = None
        self.anchor: int | None = None
        self._head = b""
        self._pages = Pages()
        self.begin(is_recorded=False)

    @property
    def is_on_its_way(self) -> bool:
        return not self.first_at and not self.failure and not self.has_left

    @property
    def listens(self) -> bool:
        return bool(self.first_at) and not self.failure and not self.has_left

    def begin(self, is_recorded: bool) -> None:
        """What is counted is counted from now on."""
        self.started_at, self.started_from = self.last_at, self.last
        self.pages = self.octets = self.missing = self.gap_ns = 0
        self.late_ns: list[int] = []
        self.recorded: list[Page] = []
        self.is_recorded = is_recorded

    def take(self, data: bytes, at: int) -> None:
        """Raises ValueError for what is no such stream."""
        if not self.answered_at:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if b" 200 " not in head.split(b"\r\n")[0] + b" ":
                raise ValueError(head.split(b"\r\n")[0].decode(errors="replace"))
            self.answered_at, self._head = at, b""
        for page in self._pages.take(data):
            if page.is_sound:
                self._note(page, at)

    def fail(self, why: str) -> None:
        self.failure = self.failure or why

    def _note(self, page: Page, at: int) -> None:
        """How long a page's sound is, it says itself: it was due when the last sample of it had been."""
        if self.last is not None:
            self.missing += max(0, page.number - self.last.number - 1)
            self.gap_ns = max(self.gap_ns, at - self.last_at)
        else:
            self.first_at = at
        transit = at - page.samples * 1_000_000 // 48
        self.anchor = transit if self.anchor is None else min(self.anchor, transit)
        self.late_ns.append(transit - self.anchor)
        self.pages += 1
        self.octets += page.octets
        if self.is_recorded:
            self.recorded.append(page)
        self.last, self.last_at = page, at
