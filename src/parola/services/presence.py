"""Who is connected to one room, and through which media processes; counted as it changes, and never counted over."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from parola.bus.messages import PresenceChanged, Present
from parola.domain.rooms import Room

SMALL = 200
"""So many connections are named one by one when they are lost."""


@dataclass(slots=True)
class Through:
    """One media process's part of a room: whose each connection is, as of presence `number`."""

    number: int = 0
    listeners: dict[str, str | None] = field(default_factory=dict)
    speakers: dict[str, str | None] = field(default_factory=dict)


@dataclass(slots=True)
class Lost:
    """Connections of a room that died with their process, by full name, and whose they were."""

    at: float
    connections: dict[str, str | None]
    _by_account: dict[str, list[str]] | None = None

    def __len__(self) -> int:
        return len(self.connections)

    @property
    def is_small(self) -> bool:
        return len(self.connections) <= SMALL

    def named_to(self, account_id: str | None) -> list[str] | str:
        """What a reader is told: the names of a few; of many "all", but a member knows by name what was theirs."""
        if self.is_small:
            return list(self.connections)
        if account_id is None:
            return "all"
        if self._by_account is None:
            self._by_account = defaultdict(list)
            for name, owner in self.connections.items():
                if owner is not None:
                    self._by_account[owner].append(name)
        return self._by_account.get(account_id, [])


class RoomPresence:
    """Invariant: the counts are those of the connections that stand in `through`."""

    def __init__(self) -> None:
        self.through: dict[str, Through] = {}
        self._guests = 0
        self._accounts: Counter[str] = Counter()
        self._speakers: Counter[str] = Counter()

    def count(self, room: Room) -> int:
        """Listening people without the floor: an account once, each guest's connection once."""
        with_floor = sum(speaker.account in self._accounts for speaker in room.speakers)
        return self._guests + len(self._accounts) - with_floor

    def some(self, room: Room, most: int) -> list[str]:
        """Accounts of the count, those first who came first."""
        with_floor = {speaker.account for speaker in room.speakers}
        return list(islice((id for id in self._accounts if id not in with_floor), most))

    def has_listener(self, account_id: str) -> bool:
        return account_id in self._accounts

    @property
    def hearing(self) -> int:
        """Of those who listen, who does not speak as well."""
        both = sum(account in self._accounts for account in self._speakers)
        return self._guests + len(self._accounts) - both

    def listens(self, connection_id: str, account_id: str | None) -> bool:
        """Whether a listener's connection, by full name, is there and theirs."""
        process_id, _, name = connection_id.partition(".")
        through = self.through.get(process_id)
        return through is not None and through.listeners.get(name, "") == account_id

    @property
    def connected_speakers(self) -> frozenset[str]:
        return frozenset(self._speakers)

    def is_here(self, account: str) -> bool:
        return account in self._accounts or account in self._speakers

    def number(self, process_id: str) -> int:
        """How far this process's part is known; 0 where nobody is there."""
        found = self.through.get(process_id)
        return found.number if found is not None else 0

    def change(self, changed: PresenceChanged) -> None:
        """What follows upon the number that is known."""
        through = self.through.setdefault(changed.process_id, Through())
        for name in changed.left:
            self._leave(through, name)
        self._enter(through, changed.listeners, changed.speakers)
        through.number = changed.number
        if not through.listeners and not through.speakers:
            del self.through[changed.process_id]

    def replace(
        self, process_id: str, number: int, listeners: Iterable[Present], speakers: Iterable[Present]
    ) -> None:
        """Everybody who is there through one process."""
        self.forget(process_id)
        through = Through(number)
        self._enter(through, listeners, speakers)
        if through.listeners or through.speakers:
            self.through[process_id] = through

    def forget(self, process_id: str) -> dict[str, str | None]:
        """The connections, by full name, that were there through this process."""
        through = self.through.pop(process_id, None)
        if through is None:
            return {}
        connections = {**through.listeners, **through.speakers}
        for name in connections:
            self._leave(through, name)
        return {f"{process_id}.{name}": account for name, account in connections.items()}

    def _enter(self, through: Through, listeners: Iterable[Present], speakers: Iterable[Present]) -> None:
        for name, account in listeners:
            self._leave(through, name)
            through.listeners[name] = account
            if account is None:
                self._guests += 1
            else:
                self._accounts[account] += 1
        for name, account in speakers:
            self._leave(through, name)
            through.speakers[name] = account
            self._speakers[account or ""] += 1

    def _leave(self, through: Through, name: str) -> None:
        if name in through.listeners:
            account = through.listeners.pop(name)
            if account is None:
                self._guests -= 1
            else:
                _less(self._accounts, account)
        elif name in through.speakers:
            _less(self._speakers, through.speakers.pop(name) or "")


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
