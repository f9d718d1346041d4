"""Something that everybody gets once in a while, and never all at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from parola.services.readers import Reader

_EVERY_S = 0.1


class Turns:
    """Each reader's turn comes once in `every_s`, from its coming on; those who come together are spread over all of
    it. `run` calls `work` with each whose turn it is."""

    def __init__(self, every_s: float, work: Callable[[Reader], None]) -> None:
        self._every_s = every_s
        self._work = work
        self._slots: list[set[Reader]] = [set() for _ in range(max(1, round(every_s / _EVERY_S)))]
        self._next = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, reader: Reader) -> None:
        reader.turn = self._next
        self._next = (self._next + 1) % len(self._slots)
        self._slots[reader.turn].add(reader)
        self._count += 1

    def remove(self, reader: Reader) -> None:
        if reader in self._slots[reader.turn]:
            self._slots[reader.turn].remove(reader)
            self._count -= 1

    def take(self, slot: int) -> None:
        for reader in list(self._slots[slot % len(self._slots)]):
            self._work(reader)

    async def run(self) -> None:
        """Until it is cancelled. A loop that was held up leaves nobody out."""
        loop = asyncio.get_running_loop()
        began, slot = loop.time(), 0
        while True:
            await asyncio.sleep(began + (slot + 1) * self._every_s / len(self._slots) - loop.time())
            self.take(slot)
            slot += 1
