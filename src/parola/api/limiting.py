"""How much one account, or one address, may ask for in a minute, with room for a classroom behind one address.

A minute is one of the monotonic clock: whoever sets the wall clock locks nobody out, and frees nobody.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, deque
from collections.abc import Callable

from parola.domain.errors import TooMany

SIGN_UPS = 60
SIGN_INS = 60
COMMANDS = 600
SAYINGS = 300
GUESSES = 30
JOINS = 10
TRIALS = 10
OPEN_CONNECTIONS = 2000

_MINUTE_S = 60.0


def counted_as(host: str) -> str:
    """What an address is counted as: of IPv6 the network of one subscriber (RFC 6177), who has 2^64 addresses; an IPv4
    address in IPv6 clothes as itself."""
    if ":" not in host:
        return host
    try:
        ip = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(ip) >> 64 << 64)) + "/64"


class Limits:
    """In this process's memory. `on` is False for benchmarks."""

    def __init__(self, on: bool, monotonic: Callable[[], float]) -> None:
        self._on = on
        self._sign_ups = _Minutes(SIGN_UPS, monotonic)
        self._sign_ins = _Minutes(SIGN_INS, monotonic)
        self._commands = _Minutes(COMMANDS, monotonic)
        self._sayings = _Minutes(SAYINGS, monotonic)
        self._joins = _Minutes(JOINS, monotonic)
        self._guesses = _Minutes(GUESSES, monotonic)
        self._trials = _Minutes(TRIALS, monotonic)
        self._open: Counter[str] = Counter()

    def sign_up(self, address: str) -> None:
        self._hit(self._sign_ups, ("address", address))

    def sign_in(self, handle: str, address: str) -> None:
        self._hit(self._sign_ins, ("account", handle[:64]), ("address", address))

    def command(self, account_id: str, address: str) -> None:
        self._hit(self._commands, ("account", account_id), ("address", address))

    def join(self, email: str, address: str) -> None:
        """The waitlist."""
        self._hit(self._joins, ("email", email[:254].lower()), ("address", address))

    def guess(self, address: str) -> None:
        """Of a secret: a code or a link."""
        self._hit(self._guesses, ("address", address))

    def say(self, address: str) -> None:
        """What a page tells of itself, unasked."""
        self._hit(self._sayings, ("address", address))

    def try_out(self, account_id: str, address: str) -> None:
        """What makes this server call others at once."""
        self._hit(self._trials, ("account", account_id), ("address", address))

    def connect(self, address: str) -> None:
        """Raises TooMany; whoever gets through calls `disconnect` in the end."""
        if self._on and self._open[address] >= OPEN_CONNECTIONS:
            raise TooMany("too_many_connections", "Too many open connections from this address.", 10)
        self._open[address] += 1

    def disconnect(self, address: str) -> None:
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]

    def _hit(self, minutes: _Minutes, *keys: tuple[str, str]) -> None:
        """Raises TooMany."""
        wait_s = minutes.hit(keys) if self._on else 0.0
        if wait_s:
            raise TooMany("too_many", "Too many calls; wait a moment.", math.ceil(wait_s))


class _Minutes:
    """The last minute of each key: at most `most` hits in any sixty seconds. What is refused does not count."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._monotonic = monotonic
        self._hits: dict[tuple[str, str], deque[float]] = {}
        self._tidy_at = 0.0

    def hit(self, keys: tuple[tuple[str, str], ...]) -> float:
        """Counts for all of `keys` or, where one of them has had enough, for none: seconds to wait, 0 for none."""
        now = self._monotonic()
        if now >= self._tidy_at:
            self._tidy(now)
        times = [self._hits.setdefault(key, deque()) for key in keys]
        for past in times:
            while past and past[0] <= now - _MINUTE_S:
                past.popleft()
        wait_s = max((past[0] + _MINUTE_S - now for past in times if len(past) >= self._most), default=0.0)
        if not wait_s:
            for past in times:
                past.append(now)
        return wait_s

    def _tidy(self, now: float) -> None:
        """Once a minute: who was not here for a minute leaves no trace."""
        self._tidy_at = now + _MINUTE_S
        self._hits = {key: past for key, past in self._hits.items() if past and past[-1] > now - _MINUTE_S}
