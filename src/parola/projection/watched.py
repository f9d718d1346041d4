"""One room as this process sees it, and whoever wants to know when it changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from parola.domain.rooms import Event, Lifecycle, Room, fold

_log = structlog.get_logger(__name__)

OnChange = Callable[[Room, tuple[Event, ...], Room], None]
OnOwner = Callable[[str | None, int], None]


class Watched:
    """`catch_up` is given by Projections: it folds up to a seq, reading SQL where messages were not enough."""

    def __init__(self, room: Room, catch_up: Callable[[str, int], Awaitable[None]]) -> None:
        self.room = room
        self.owner: str | None = None
        self.epoch = 0
        self.watchers = 0
        self.compared_at = float("-inf")
        """When SQL was last seen to have nothing newer, in monotonic seconds."""
        self.barred: frozenset[str] | None = None
        """Between whom and the host a block stands, as of `compared_at`; None where that is not known. What came since
        the room is live stands in the room itself, so that the two together never know too little."""
        self._catch_up = catch_up
        self._on_change: list[OnChange] = []
        self._on_owner: list[OnOwner] = []

    async def catch_up(self, seq: int) -> None:
        """Returns when `seq` is folded. Raises StoreUnavailable."""
        await self._catch_up(self.room.id, seq)

    def on_change(self, listener: OnChange) -> None:
        """`listener(before, events, after)` is called at once, on the loop, for every change."""
        self._on_change.append(listener)

    def on_owner(self, listener: OnOwner) -> None:
        self._on_owner.append(listener)

    def remove_listener(self, listener: OnChange | OnOwner) -> None:
        self._on_change = [x for x in self._on_change if x != listener]
        self._on_owner = [x for x in self._on_owner if x != listener]

    def apply(self, events: tuple[Event, ...]) -> None:
        """Folds events that follow the room's seq."""
        before = self.room
        self.room = fold(before, events)
        if before.state is not Lifecycle.LIVE:
            self.barred = None  # a block that was made until now left no mark in the room
        for listener in list(self._on_change):
            _guarded(listener, before, events, self.room)

    def set_owner(self, owner: str | None, epoch: int) -> None:
        """An older epoch is old news."""
        if epoch < self.epoch or (owner, epoch) == (self.owner, self.epoch):
            return
        self.owner, self.epoch = owner, epoch
        for listener in list(self._on_owner):
            _guarded(listener, owner, epoch)


def _guarded(listener: Callable[..., None], *arguments: object) -> None:
    """One listener's failure must not keep the others from learning what has happened."""
    try:
        listener(*arguments)
    except Exception:
        _log.exception("projection.listener_failed")
