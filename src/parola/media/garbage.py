"""Garbage collection that keeps no tick waiting.

By itself Python goes through all objects when a quarter more have come: with ten thousand listeners that stops
everything for a tenth of a second, just when a crowd comes. Here what the last second has left is looked through once a
second, and what is still in use then is left alone from there on. Whoever goes is freed at once, without any collector
(`Peer` leaves no cycles); what such collections miss is found when no room sounds, or at last when it has become a lot.
"""

from __future__ import annotations

import gc
from collections.abc import Callable

COLLECTED_EVERY_S = 1.0
_A_LOT = 500_000
"""Objects that have come to stay since everything was looked through: some 100 MB if all were garbage."""


class Garbage:
    """Takes the place of the automatic collector. `sounding`: whether anybody would hear it if everything stopped."""

    def __init__(self, sounding: Callable[[], bool]) -> None:
        self._sounding = sounding
        self._more = 0

    def start(self) -> None:
        gc.disable()
        self._collect_all()

    async def collect(self) -> None:
        """To be called every COLLECTED_EVERY_S."""
        self._more += max(0, gc.get_count()[0])
        gc.collect(1)
        gc.freeze()
        if self._more > _A_LOT or (self._more > _A_LOT // 50 and not self._sounding()):
            self._collect_all()

    def _collect_all(self) -> None:
        gc.unfreeze()
        gc.collect()
        gc.freeze()
        self._more = 0
