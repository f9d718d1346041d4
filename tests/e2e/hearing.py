"""How well, and whether at all, something was heard: alignment, STOI, and traces of a voice in a mix.

STOI (Taal et al. 2011, by pystoi) says how intelligible speech is, 0..1, against the clean original.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pystoi import stoi as _stoi

RATE = 48_000
Sound = NDArray[np.float64]


def offset(reference: Sound, heard: Sound) -> int:
    """Where in `heard` the reference begins, in samples (negative: before), by cross-correlation."""
    size = 1 << int(np.ceil(np.log2(len(reference) + len(heard))))
    spectrum = np.fft.rfft(heard, size) * np.conj(np.fft.rfft(reference, size))
    correlation = np.fft.irfft(spectrum, size)
    at = int(np.argmax(correlation))
    return at if at < size // 2 else at - size


def intelligibility(reference: Sound, heard: Sound) -> float:
    """STOI of what was heard, after alignment as a whole and again within each second (clocks may drift)."""
    start = offset(reference, heard)
    begin, end = max(0, -start), min(len(reference), len(heard) - start)
    assert end - begin > RATE, "less than a second of the reference was heard"
    original, received = reference[begin:end], heard[begin + start : end + start]
    return float(_stoi(original, _followed(original, received), RATE, extended=False))


def trace(voice: Sound, heard: Sound) -> float:
    """How much of `voice` is in `heard`, 0..1: the best normalised correlation over stretches of half a second."""
    length = RATE // 2
    best = 0.0
    for at in range(0, len(voice) - length + 1, length):
        piece = voice[at : at + length]
        energy = float(np.dot(piece, piece))
        if energy < 1e-3 * length * float(np.mean(voice**2) + 1e-12):
            continue
        best = max(best, _best_match(piece, heard))
    return best


def tone(frequency: float, seconds: float, level: float = 0.3) -> NDArray[np.int16]:
    """A sine that no voice has, with a slow beat so that nothing takes it for noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * frequency * t) * (0.7 + 0.3 * np.sin(2 * np.pi * 3 * t))
    return (wave * level * 32767).astype(np.int16)


def tone_level(sound: NDArray[np.int16] | Sound, frequency: float) -> float:
    """The share of a sound's energy within 20 Hz of a frequency, 0..1; 0 for silence."""
    samples = np.asarray(sound, np.float64)
    if samples.size < RATE // 50 or not samples.any():
        return 0.0
    power = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
    frequencies = np.fft.rfftfreq(samples.size, 1 / RATE)
    width = max(20.0, 2.5 * RATE / samples.size)
    return float(power[np.abs(frequencies - frequency) <= width].sum() / power.sum())


def tone_amplitude(sound: NDArray[np.int16] | Sound, frequency: float) -> float:
    """The amplitude of a tone in a sound, in the sound's own unit, by projection on sine and cosine."""
    samples = np.asarray(sound, np.float64)
    if not samples.size:
        return 0.0
    t = np.arange(samples.size) / RATE
    return float(2 * abs(np.dot(samples, np.exp(-2j * np.pi * frequency * t))) / samples.size)


def _followed(original: Sound, received: Sound) -> Sound:
    """`received`, second by second shifted to where it matches best: receivers stretch and shorten pauses. A second
    moves by at most 40 ms against the one before it, and by 120 ms in all."""
    step, most = RATE // 25, RATE * 3 // 25
    padded = np.pad(received, most + step)
    out = np.zeros_like(original)
    shift = 0
    for at in range(0, len(original), RATE):
        piece = original[at : at + RATE]
        begin = at + most + step + shift
        around = padded[begin - step : begin + len(piece) + step]
        if piece.any() and around.any():
            moved = offset(piece, around) - step
            shift = min(most, max(-most, shift + min(step, max(-step, moved))))
        taken = padded[at + most + step + shift :][: len(piece)]
        out[at : at + len(taken)] = taken
    return out


def _best_match(piece: Sound, heard: Sound) -> float:
    if len(heard) < len(piece):
        return 0.0
    size = 1 << int(np.ceil(np.log2(len(piece) + len(heard))))
    correlation = np.fft.irfft(np.fft.rfft(heard, size) * np.conj(np.fft.rfft(piece, size)), size)
    correlation = correlation[: len(heard) - len(piece) + 1]
    squares = np.concatenate([[0.0], np.cumsum(heard**2)])
    energies = squares[len(piece) :] - squares[: -len(piece)]
    floor = 1e-6 * float(np.dot(piece, piece))
    return float(np.max(np.abs(correlation) / np.sqrt(np.dot(piece, piece) * np.maximum(energies, floor))))
