"""How much one account, or one address, may ask for, with room for a classroom behind one address.

The counting is the `limits` library's moving window, in this process's memory. Its own storage in memory goes by the
wall clock, and by a thread; ours goes by the monotonic clock alone: whoever sets the wall clock locks nobody out, and
frees nobody.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter, deque
from collections.abc import Callable

from limits import RateLimitItem, RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MovingWindowSupport, Storage
from limits.strategies import MovingWindowRateLimiter

from parola.domain.errors import TooMany
from parola.domain.limits import OPEN_CONNECTIONS

# In any sixty seconds.
SIGN_UPS = 60
SIGN_INS = 60
SIGN_INS_OF_A_HANDLE = 600
"""From all addresses: who guesses from one of them does not keep the owner out."""
PROOFS = 60
COMMANDS = 600
SAYINGS = 300
GUESSES = 30
JOINS = 10
CEREMONIES = 120
HANDS = 30
FOLLOWS = 60
MESSAGES = 60
TRIALS = 10
# In any hour.
ROOMS = 30
INVITATIONS = 60
REPORTS = 30
SEALS = 10
SEALS_OF_AN_ADDRESS = 60
APPEALS = 10

_TIDY_EVERY_S = 60.0


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
    """In this process's memory. `on` is False for benchmarks. What reaches nobody else but costs the server is counted
    for an account and for its address; what reaches others for the account alone."""

    def __init__(self, on: bool, monotonic: Callable[[], float]) -> None:
        self._on = on
        self._monotonic = monotonic
        self._windows = Windows(monotonic)
        self._limiter = MovingWindowRateLimiter(self._windows)
        self._sign_ups = RateLimitItemPerMinute(SIGN_UPS, namespace="sign_up")
        self._sign_ins = RateLimitItemPerMinute(SIGN_INS, namespace="sign_in")
        self._handles = RateLimitItemPerMinute(SIGN_INS_OF_A_HANDLE, namespace="handle")
        self._proofs = RateLimitItemPerMinute(PROOFS, namespace="proof")
        self._commands = RateLimitItemPerMinute(COMMANDS, namespace="command")
        self._sayings = RateLimitItemPerMinute(SAYINGS, namespace="say")
        self._joins = RateLimitItemPerMinute(JOINS, namespace="join")
        self._guesses = RateLimitItemPerMinute(GUESSES, namespace="guess")
        self._letters = RateLimitItemPerMinute(JOINS, namespace="letter")
        self._ceremonies = RateLimitItemPerMinute(CEREMONIES, namespace="ceremony")
        self._hands = RateLimitItemPerMinute(HANDS, namespace="hand")
        self._follows = RateLimitItemPerMinute(FOLLOWS, namespace="follow")
        self._messages = RateLimitItemPerMinute(MESSAGES, namespace="message")
        self._trials = RateLimitItemPerMinute(TRIALS, namespace="trial")
        self._rooms = RateLimitItemPerHour(ROOMS, namespace="room")
        self._invitations = RateLimitItemPerHour(INVITATIONS, namespace="invitation")
        self._reports = RateLimitItemPerHour(REPORTS, namespace="report")
        self._seals = RateLimitItemPerHour(SEALS, namespace="seal")
        self._seals_of_an_address = RateLimitItemPerHour(SEALS_OF_AN_ADDRESS, namespace="seal")
        self._appeals = RateLimitItemPerHour(APPEALS, namespace="appeal")
        self._open: Counter[str] = Counter()

    def sign_up(self, address: str) -> None:
        self._hit(self._sign_ups, ("address", address))

    def sign_in(self, handle: str, address: str) -> None:
        self._count((self._handles, ("handle", handle[:64])), (self._sign_ins, ("address", address)))

    def proof(self, account_id: str) -> None:
        """Of who is signed in already: apart from whoever guesses at the door."""
        self._hit(self._proofs, ("account", account_id))

    def command(self, account_id: str, address: str) -> None:
        self._hit(self._commands, ("account", account_id), ("address", address))

    def join(self, email: str, address: str) -> None:
        """The waitlist."""
        self._hit(self._joins, ("email", email[:254].lower()), ("address", address))

    def letter(self, address: str) -> None:
        """To somebody who may not have asked for it. How many lie in one mailbox the store knows: whoever asks for
        another's takes nothing from them."""
        self._hit(self._letters, ("address", address))

    def ceremony(self, address: str) -> None:
        """A challenge for a passkey, which the page asks for before anybody has decided on one."""
        self._hit(self._ceremonies, ("address", address))

    def guess(self, address: str) -> None:
        """Of a secret: a code or a link."""
        self._hit(self._guesses, ("address", address))

    def say(self, address: str) -> None:
        """What a page tells of itself, unasked."""
        self._hit(self._sayings, ("address", address))

    def hand(self, account_id: str) -> None:
        """One that goes up or gets another note: all of the room sees it."""
        self._hit(self._hands, ("account", account_id))

    def follow(self, account_id: str) -> None:
        """Also a wish to."""
        self._hit(self._follows, ("account", account_id))

    def message(self, account_id: str) -> None:
        """Whatever else reaches somebody who did not ask for it: an invitation into a room, an offer of the floor."""
        self._hit(self._messages, ("account", account_id))

    def room(self, account_id: str) -> None:
        """One that is opened, or starts: whoever follows the host is told."""
        self._hit(self._rooms, ("account", account_id))

    def invitation(self, account_id: str) -> None:
        """A code for a new account."""
        self._hit(self._invitations, ("account", account_id))

    def report(self, account_id: str) -> None:
        self._hit(self._reports, ("account", account_id))

    def may_seal(self, account_id: str, address: str) -> bool:
        """Whether one more report seals what was heard, of which much has to be kept; it is filed in any case."""
        hits = (self._seals, ("account", account_id)), (self._seals_of_an_address, ("address", address))
        try:
            self._count(*hits)
        except TooMany:
            return False
        return True

    def appeal(self, account_id: str) -> None:
        self._hit(self._appeals, ("account", account_id))

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

    def _hit(self, item: RateLimitItem, *keys: tuple[str, str]) -> None:
        """Raises TooMany."""
        self._count(*((item, key) for key in keys))

    def _count(self, *hits: tuple[RateLimitItem, tuple[str, str]]) -> None:
        """Counts for all of `hits` or, where one of them has had enough, for none. Raises TooMany."""
        if not self._on:
            return
        full = [(item, key) for item, key in hits if not self._limiter.test(item, *key)]
        if not full:
            for item, key in hits:
                self._limiter.hit(item, *key)
            return
        free_at = max(self._limiter.get_window_stats(item, *key).reset_time for item, key in full)
        wait_s = max(1, math.ceil(free_at - self._monotonic()))
        raise TooMany("too_many", "Too many calls; wait a moment.", wait_s)


class Windows(Storage, MovingWindowSupport):
    """The hits of each key, as `limits` asks for them: the moving window alone, in seconds of the clock that it is
    given. Everything happens on one event loop, so nothing is locked."""

    STORAGE_SCHEME = None

    def __init__(self, monotonic: Callable[[], float]) -> None:
        super().__init__()
        self._monotonic = monotonic
        self._hits: dict[str, tuple[int, deque[float]]] = {}
        self._tidy_at = 0.0

    def __len__(self) -> int:
        return len(self._hits)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = self._monotonic()
        if now >= self._tidy_at:
            self._tidy(now)
        times = self._window(key, expiry, now)
        if len(times) + amount > limit:
            return False
        self._hits.setdefault(key, (expiry, times))[1].extend([now] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = self._monotonic()
        times = self._window(key, expiry, now)
        return (times[0] if times else now), len(times)

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        had = len(self._hits)
        self._hits.clear()
        return had

    def clear(self, key: str) -> None:
        self._hits.pop(key, None)

    # Of fixed windows, which nobody here asks for.

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        raise NotImplementedError

    def get(self, key: str) -> int:
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        raise NotImplementedError

    def _window(self, key: str, expiry: int, now: float) -> deque[float]:
        _, times = self._hits.get(key, (expiry, deque()))
        while times and times[0] <= now - expiry:
            times.popleft()
        return times

    def _tidy(self, now: float) -> None:
        """Once a minute: who was not here for as long as it counts leaves no trace."""
        self._tidy_at = now + _TIDY_EVERY_S
        self._hits = {
            key: kept for key, kept in self._hits.items() if kept[1] and kept[1][-1] > now - kept[0]
        }
