"""How intelligible a speaker is to a listener, as it is and through a network that loses a tenth of everything.

The listener's side is our own jitter buffer and libopus, standing in for a browser's.
"""

from __future__ import annotations

import asyncio
import random
import statistics

import numpy as np

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
    encoder = Encoder()
    frames = np.pad(original, (0, -len(original) % 960)).reshape(-1, 960).astype(np.float32)
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        peer(ada, room_id, "whip", with_red=True) as speaker,
        peer(carla, room_id, "whep", with_red=True) as listener,
    ):
        speaker.drop = listener.drop = lambda: dice.random() < loss
        hearing = asyncio.create_task(_hear(listener))
        loop = asyncio.get_running_loop()
        begin = loop.time()
        for n, frame in enumerate(frames):
            await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))
            level = 10 * np.log10(float(np.mean(frame**2)) + 1e-12)
            speaker.speak(encoder.encode(frame), dbov=min(127, max(0, int(-level))), copies=1)
        await asyncio.sleep(0.4)
        hearing.cancel()
        return await _result(hearing)


async def _result(hearing: asyncio.Task[Sound]) -> Sound:
    return await hearing


async def _hear(listener: RawPeer) -> Sound:
    """What a receiver would play, until it is cancelled."""
    loop = asyncio.get_running_loop()
    jitter, decoder = JitterBuffer(min_delay_ms=60), Decoder()

    def arrived(arrival: Arrival) -> None:
        packet, now = arrival.packet, loop.time()
        if packet.payload_type != RED_PT:
            jitter.insert(packet.timestamp, packet.payload, now, packet.sequence)
            return
        *earlier, primary = red.decode(packet.payload)
        for block in earlier:
            jitter.insert((packet.timestamp - block.timestamp_offset) & 0xFFFFFFFF, block.data, now, None)
        jitter.insert(packet.timestamp, primary.data, now, packet.sequence)

    listener.on_arrival = arrived
    parts: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    begin = loop.time()
    try:
        while True:
            match jitter.pull(loop.time()):
                case Play(payload=payload):
                    parts.append(decoder.decode(payload))
                case Fec(payload=payload, samples=samples):
                    parts.append(decoder.decode_fec(payload, samples))
                case Lost(samples=samples):
                    parts.append(decoder.conceal(samples))
                case Idle(samples=samples):
                    parts.append(np.zeros(samples, np.float32))
            played = sum(p.size for p in parts) / 48_000
            await asyncio.sleep(max(0.0, begin + played - loop.time()))
    except asyncio.CancelledError:
        return np.concatenate(parts).astype(np.float64)
