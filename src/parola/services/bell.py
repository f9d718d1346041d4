"""The warning before a turn is over: once for each turn, in each process that has the room open. A passing thing; the
end itself is the house's, and does not wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parola.domain.rooms import Room, Speaker, Turn
from parola.services.clock import Clock


class Bell:
    """`ring(speaker, left_s)` is called on the loop when a speaker's turn comes to its soft end."""

    def __init__(self, now: Clock, ring: Callable[[Speaker, int], None]) -> None:
        self._now = now
        self._ring = ring
        self._turns: dict[Turn, asyncio.TimerHandle] = {}

    def follow(self, room: Room) -> None:
        """What lies behind is not rung for: who opens a room sees in it how far each turn is."""
        speakers = {s.turn: s for s in room.speakers if s.turn is not None and room.due_at is not None}
        for turn in self._turns.keys() - speakers.keys():
            self._turns.pop(turn).cancel()
        loop, now = asyncio.get_running_loop(), self._now()
        for turn, speaker in speakers.items():
            if turn not in self._turns and turn.soft_at > now:
                wait_s = (turn.soft_at - now).total_seconds()
                left_s = round((turn.hard_at - turn.soft_at).total_seconds())
                self._turns[turn] = loop.call_later(wait_s, self._ring, speaker, left_s)

    def stop(self) -> None:
        for handle in self._turns.values():
            handle.cancel()
        self._turns.clear()
