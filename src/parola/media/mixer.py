"""The sum of the loudest few voices, without clicks and without overload; pure arithmetic on 20 ms frames.

Invariant: an output holds nothing of an excluded voice; and of a voice that has no frame in a tick, or was cut, it
holds no new sample: only the last one, fading to nothing within 5 ms, so that no edge is heard as a click.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.float32]

FRAME = 960
_FADE = 240
_STICKINESS_DB = 6.0
"""Who is already in the mix stays there until somebody is clearly louder: the choice must not flutter."""
_WANTED_DB = -22.0
_MOST_GAIN_DB = 9.0
_LEAST_GAIN_DB = -6.0
_GAIN_DB_A_TICK = 0.06
"""3 dB a second."""
_SPEECH_DB = -50.0
_CEILING = 0.89
_RELEASE = 0.02
"""The limiter's way back to full gain for each tick: about a second."""
_KNEE = 0.9

_DOWN = (0.5 + 0.5 * np.cos(np.pi * np.arange(1, _FADE + 1) / _FADE)).astype(np.float32)
_UP = (1 - _DOWN).astype(np.float32)
_RISE = np.linspace(0, 1, FRAME, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Mixed:
    """One output's tick: `pcm` float32[960] within ±1, `talkers` whose frames are in it."""

    pcm: Pcm
    talkers: tuple[str, ...]


class Mixer:
    """`max_talkers` voices at once; the others wait until they are louder."""

    def __init__(self, max_talkers: int = 6) -> None:
        self._max_talkers = max_talkers
        self._last: dict[str, float] = {}
        """The last sample of each voice in the mix, as it was mixed."""
        self._gain_db: dict[str, float] = {}
        self._limits: dict[str, float] = {}
        self._cut: set[str] = set()

    def cut(self, voice: str) -> None:
        """From the next tick on nothing new of this voice is mixed; what follows begins as a new voice."""
        self._cut.add(voice)

    def tick(
        self,
        frames: Mapping[str, Pcm | None],
        levels: Mapping[str, float],
        outputs: Mapping[str, frozenset[str]],
    ) -> dict[str, Mixed]:
        """`frames`: float32[960] by voice; `levels` in dB below full scale; `outputs`: excluded voices by name."""
        present = {v: f for v, f in frames.items() if f is not None and v not in self._cut}
        for voice in self._cut:
            self._gain_db.pop(voice, None)
        chosen = self._choose(present, levels)
        parts = {
            voice: self._enter_or_go_on(voice, present[voice], levels.get(voice, -120.0)) for voice in chosen
        }
        for voice in [v for v in self._last if v not in chosen]:
            parts[voice] = self._leave(voice, present.get(voice))
        self._cut.clear()
        self._limits = {name: self._limits.get(name, 1.0) for name in outputs}
        return {name: self._mix(name, parts, chosen, excluded) for name, excluded in outputs.items()}

    def _choose(self, present: Mapping[str, Pcm], levels: Mapping[str, float]) -> list[str]:
        if len(present) <= self._max_talkers:
            return list(present)

        def loudness(voice: str) -> float:
            return levels.get(voice, -120.0) + (_STICKINESS_DB if voice in self._last else 0.0)

        return sorted(present, key=loudness, reverse=True)[: self._max_talkers]

    def _enter_or_go_on(self, voice: str, frame: Pcm, level: float) -> Pcm:
        before = self._gain_db.get(voice, 0.0)
        after = self._next_gain(before, level)
        self._gain_db[voice] = after
        part: Pcm = np.multiply(frame, _ramp(before, after), dtype=np.float32)
        if voice not in self._last:
            part[:_FADE] *= _UP
        self._last[voice] = float(part[-1])
        return part

    def _leave(self, voice: str, frame: Pcm | None) -> Pcm:
        """The end of a voice: its own sound fading where that may still be heard, else its last sample dying away."""
        part = np.zeros(FRAME, np.float32)
        if frame is not None:
            part[:_FADE] = frame[:_FADE] * _linear(self._gain_db.get(voice, 0.0)) * _DOWN
        else:
            part[:_FADE] = self._last[voice] * _DOWN
        del self._last[voice]
        return part

    def _next_gain(self, gain: float, level: float) -> float:
        """A slow hand on the fader: quiet speakers come up, loud ones down, pauses change nothing."""
        if level < _SPEECH_DB:
            return gain
        wanted = min(_MOST_GAIN_DB, max(_LEAST_GAIN_DB, _WANTED_DB - level))
        return gain + min(_GAIN_DB_A_TICK, max(-_GAIN_DB_A_TICK, wanted - gain))

    def _mix(self, name: str, parts: Mapping[str, Pcm], chosen: list[str], excluded: frozenset[str]) -> Mixed:
        total = np.zeros(FRAME, np.float32)
        for voice, part in parts.items():
            if voice not in excluded:
                total += part
        return Mixed(self._limit(name, total), tuple(v for v in chosen if v not in excluded))

    def _limit(self, name: str, total: Pcm) -> Pcm:
        before = self._limits[name]
        peak = float(np.abs(total).max())
        after = min(1.0, before + _RELEASE, _CEILING / peak if peak > _CEILING else 1.0)
        self._limits[name] = after
        if before == after == 1.0:
            return total
        ramp = np.full(FRAME, after, np.float32)
        ramp[:_FADE] = before + (after - before) * _UP
        limited: Pcm = total * ramp
        # The first 5 ms of a sudden peak are still under the old gain: bend them instead of cutting them off.
        over = np.abs(limited) > _KNEE
        if over.any():
            bent = _KNEE + (1 - _KNEE) * np.tanh((np.abs(limited[over]) - _KNEE) / (1 - _KNEE))
            limited[over] = np.copysign(bent, limited[over])
        return limited


def meter(frame: Pcm) -> float:
    """How loud a frame is, for eyes: 0 at −60 dB below full scale and less, 1 at full scale."""
    power = float(np.dot(frame, frame)) / frame.size
    return min(1.0, max(0.0, 1 + 10 * math.log10(power) / 60)) if power > 1e-12 else 0.0


def _ramp(before: float, after: float) -> Pcm | np.float32:
    """From one gain in dB to another over a frame."""
    if before == after:
        return np.float32(_linear(after))
    begin, end = _linear(before), _linear(after)
    ramp: Pcm = np.float32(begin) + np.float32(end - begin) * _RISE
    return ramp


def _linear(decibels: float) -> float:
    return float(10 ** (decibels / 20))
