"""How intelligible a speaker is to a listener, as it is and through a network that loses a tenth of everything.

The listener's side is our own jitter buffer and libopus, standing in for a browser's.
"""

from __future__ import annotations

import asyncio
import random
import statistics
from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bench.figures import Figure, spread
from bench.peer import RED_PT, Arrival, RawPeer
from bench.scene import live_room, peer
from parola.client.webrtc import read_audio
from parola.media.codec import Decoder, Encoder
from parola.rtp import red
from parola.rtp.jitter import Fec, Idle, JitterBuffer, Lost, Play
from tests.e2e.hearing import Sound, intelligibility
from tests.e2e.house import House
from tools.speech import clips


async def intelligibility_over_network(house: House) -> list[Figure]:
    figures = []
    found = clips()
    for loss, least in ((0.0, 0.97), (0.1, 0.93)):
        scores = []
        for i, clip in enumerate(found.values()):
            original = read_audio(clip.microphone).astype(np.float64) / 32768
            heard = await _through(house, original, loss, seed=i)
            scores.append(intelligibility(original, heard))
        origin = next(iter(found.values())).origin
        name = f"STOI of speech heard, one speaker, {loss:.0%} random loss both ways, median of {len(scores)} clips"
        note = f"{spread(scores, '')}, {origin} speech, English and Italian"
        figures.append(Figure(name, statistics.median(scores), "", least, note, at_least=True))
    return figures


async def _through(house: House, original: Sound, loss: float, seed: int) -> Sound:
    dice = random.Random(seed)
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        peer(ada, room_id, "whip", with_red=True) as speaker,
        peer(carla, room_id, "whep", with_red=True) as listener,
    ):
        speaker.drop = listener.drop = lambda: dice.random() < loss
        return await said_and_heard(speaker, listener, original)


async def said_and_heard(
    speaker: RawPeer, listener: RawPeer, original: Sound, copies: int = 1, encoder: Encoder | None = None
) -> Sound:
    """Says it in real time, with so many earlier frames in each packet, and returns what the listener would play."""
    listener.arrivals.clear()
    await _say(speaker, original, copies, encoder or Encoder())
    await asyncio.sleep(0.4)
    return played(listener.arrivals)


async def _say(speaker: RawPeer, original: Sound, copies: int, encoder: Encoder) -> None:
    frames = np.pad(original, (0, -len(original) % 960)).reshape(-1, 960).astype(np.float32)
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for n, frame in enumerate(frames):
        await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))
        level = 10 * np.log10(float(np.mean(frame**2)) + 1e-12)
        speaker.speak(encoder.encode(frame), dbov=min(127, max(0, int(-level))), copies=copies)


def played(arrivals: Sequence[Arrival]) -> Sound:
    """What a receiver makes of packets, each at the instant that the kernel got it: whoever measures may be late, the
    sound is not."""
    jitter, decoder = JitterBuffer(min_delay_ms=60), Decoder()
    parts: list[NDArray[np.float32]] = []
    waiting = deque(arrivals)
    now = waiting[0].at
    end = waiting[-1].at + 0.4
    while now < end:
        while waiting and waiting[0].at <= now:
            _insert(jitter, waiting.popleft())
        match jitter.pull(now):
            case Play(payload=payload):
                parts.append(decoder.decode(payload))
            case Fec(payload=payload, samples=samples):
                parts.append(decoder.decode_fec(payload, samples))
            case Lost(samples=samples):
                parts.append(decoder.conceal(samples))
            case Idle(samples=samples):
                parts.append(np.zeros(samples, np.float32))
        now += parts[-1].size / 48_000
    return np.concatenate(parts).astype(np.float64)


def _insert(jitter: JitterBuffer, arrival: Arrival) -> None:
    packet = arrival.packet
    if packet.payload_type != RED_PT:
        jitter.insert(packet.timestamp, packet.payload, arrival.at, packet.sequence)
        return
    *earlier, primary = red.decode(packet.payload)
    for block in earlier:
        timestamp = (packet.timestamp - block.timestamp_offset) & 0xFFFFFFFF
        jitter.insert(timestamp, block.data, arrival.at, None)
    jitter.insert(packet.timestamp, primary.data, arrival.at, packet.sequence)
