"""How much one account, or one address, may ask for in a minute, with room for a classroom behind one address."""

from __future__ import annotations

import time
from collections import Counter

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from parola.domain.errors import TooMany

SIGN_UPS = RateLimitItemPerMinute(60)
SIGN_INS = RateLimitItemPerMinute(60)
COMMANDS = RateLimitItemPerMinute(600)
OPEN_CONNECTIONS = 2000


class Limits:
    """In this process's memory. `on` is False for benchmarks."""

    def __init__(self, on: bool) -> None:
        self._on = on
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._open: Counter[str] = Counter()

    def sign_up(self, address: str) -> None:
        self._hit(SIGN_UPS, "sign_up", address)

    def sign_in(self, handle: str, address: str) -> None:
        self._hit(SIGN_INS, "sign_in_account", handle[:64])
        self._hit(SIGN_INS, "sign_in", address)

    def command(self, account_id: str, address: str) -> None:
        self._hit(COMMANDS, "command_account", account_id)
        self._hit(COMMANDS, "command", address)

    def connect(self, address: str) -> None:
        """Raises TooMany; whoever gets through calls `disconnect` in the end."""
        if self._on and self._open[address] >= OPEN_CONNECTIONS:
            raise TooMany("too_many_connections", "Too many open connections from this address.", 10)
        self._open[address] += 1

    def disconnect(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _hit(self, item: RateLimitItemPerMinute, name: str, key: str) -> None:
        """Raises TooMany."""
        if not self._on or self._limiter.hit(item, name, key):
            return
        reset = self._limiter.get_window_stats(item, name, key).reset_time
        raise TooMany("too_many", "Too many calls; wait a moment.", max(1, int(reset - time.time()) + 1))
