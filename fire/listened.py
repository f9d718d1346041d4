"""Everything that one peer hears, with the names of those who sound in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bench.peer import Arrival, RawPeer
from fire.voices import Voices


class Listened:
    """Everything that a peer hears from now on: the wall-clock time of each packet, and who sounds in it."""

    def __init__(self, peer: RawPeer, tones: Mapping[str, float]) -> None:
        self.heard: list[tuple[float, frozenset[str]]] = []
        self.on_heard: Callable[[float, frozenset[str]], None] = lambda at, voices: None
        self._voices = Voices(tones)
        peer.on_arrival = self._arrived

    def times(self, who: str, since: float = 0.0) -> list[float]:
        """When packets with that voice came."""
        return [at for at, voices in self.heard if who in voices and at >= since]

    def _arrived(self, arrival: Arrival) -> None:
        voices = self._voices.of(arrival.packet)
        self.heard.append((arrival.at, voices))
        self.on_heard(arrival.at, voices)
