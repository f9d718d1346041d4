"""What the source says: the same Opus packets for every server, encoded once.

A voice is made up of what real ones are made of, a buzz through moving formants in syllables that never pause for long,
so that it takes as many bytes as speech, at every moment, on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parola.media.codec import FRAME, RATE, Encoder

SECONDS = 6


def packets(voice: int = 0) -> list[bytes]:
    """20 ms each, to be said over and over; `voice` 0, 1, … are different people."""
    sound = speech(voice)
    encoder = Encoder()
    found = [encoder.encode(sound[at : at + FRAME]) for at in range(0, sound.size - FRAME + 1, FRAME)]
    return found[voice * 7 % len(found) :] + found[: voice * 7 % len(found)]


def speech(voice: int = 0) -> NDArray[np.float32]:
    dice = np.random.default_rng(20 + voice)
    t = np.arange(SECONDS * RATE) / RATE
    pitch = (90 + 17 * voice % 110) * (1 + 0.08 * np.sin(2 * np.pi * 0.7 * t + voice))
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    sound = np.zeros_like(t)
    for harmonic in range(1, 24):
        place = harmonic * 130.0
        loud = sum(
            weight / (1 + ((place - centre * (1 + 0.25 * np.sin(2 * np.pi * rate * t + voice))) / 160) ** 2)
            for centre, weight, rate in ((600, 1.0, 1.9), (1500, 0.5, 2.3), (2600, 0.25, 1.3))
        )
        sound += loud * np.sin(harmonic * phase)
    breath = dice.standard_normal(t.size) * 0.05
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * (3.1 + 0.2 * voice) * t)
    sound = (sound / np.abs(sound).max() + breath) * syllables
    return np.asarray(0.5 * sound / np.abs(sound).max(), np.float32)
