"""A client's address changes in mid-call, and nothing tells the server but the packets that come from the new one.

First a client that notices and checks its path at once, as one does whose network has changed: that is the server's own
part. Then Chromium behind a router that forgets a mapping, which the browser cannot notice: it sends its next
connectivity check up to 2.5 s later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from pathlib import Path

from playwright.async_api import Route

from bench.figures import Figure, quantile, spread
from bench.peer import RawPeer
from bench.scene import live_room, peer, talk
from fire.impairment import connected, in_front
from fire.listened import Listened
from fire.relay import Relay, relay
from tests.e2e.browsing import Visitor, browser
from tests.e2e.hearing import tone
from tests.e2e.house import House, eventually, opened

LIMIT_S = 1.0
TRIES = 10
WATCHED_S = 5.0
TONES = {"ada": 700.0}

# Says, for each track that any connection brings, when it was loud.
_LISTEN_CLOSELY = """() => {
  const Plain = window.RTCPeerConnection;
  window.__loud = [];
  window.RTCPeerConnection = class extends Plain {
    constructor(...all) {
      super(...all);
      this.addEventListener("track", event => {
        const context = (window.__context ??= new AudioContext({sampleRate: 48000}));
        const tap = context.createScriptProcessor(256, 1, 1);
        tap.onaudioprocess = e => {
          if (e.inputBuffer.getChannelData(0).some(x => Math.abs(x) > 0.02)) window.__loud.push(Date.now() / 1000);
        };
        context.createMediaStreamSource(new MediaStream([event.track])).connect(tap);
        tap.connect(context.destination);
        (window.__taps ??= []).push(tap);
      });
    }
  };
}"""


async def moving(folder: Path, tries: int = TRIES) -> list[Figure]:
    with in_front(), opened(House(folder)) as house:
        return [
            await _listener_who_notices(house, tries),
            await _speaker_who_notices(house, tries),
            await _chromium_listens(house, tries),
            await _chromium_speaks(house, tries, folder / "tone.wav"),
        ]


async def _listener_who_notices(house: House, tries: int) -> Figure:
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay() as between,
        peer(ada, room_id, "whip") as speaker,
    ):
        listener = await connected(carla, room_id, "whep", between)
        heard = Listened(listener, TONES)
        async with _talking(speaker):
            gaps = await _gaps(tries, 1.5, _moves(between, listener), _direct(heard))
        listener.close()
    return _figure("a listener who notices", gaps)


async def _speaker_who_notices(house: House, tries: int) -> Figure:
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay() as between,
        peer(carla, room_id, "whep") as listener,
    ):
        speaker = await connected(ada, room_id, "whip", between)
        heard = Listened(listener, TONES)
        async with _talking(speaker):
            gaps = await _gaps(tries, 1.5, _moves(between, speaker), _direct(heard))
        speaker.close()
    return _figure("a speaker who notices", gaps)


async def _chromium_listens(house: House, tries: int) -> Figure:
    """A fresh page each time: one that has connected anew just now takes its time before it does so again."""
    gaps = []
    async with (
        live_room(house, "ada") as (room_id, (ada,)),
        peer(ada, room_id, "whip") as speaker,
        browser() as chrome,
        _talking(speaker),
    ):
        for n in range(tries):
            async with relay() as between:
                visitor = await Visitor.arrive(chrome, house.origin)
                await visitor.page.add_init_script(f"({_LISTEN_CLOSELY})()")
                await _through(visitor, between)
                await visitor.open(f"/r/{room_id}")
                await visitor.tap("listen")
                await visitor.listening()
                # The browser's checks come every 2.5 s: the changes fall anywhere between them.
                await asyncio.sleep(2.0 + 2.5 * n / tries)
                gaps.append(await _gap(WATCHED_S, between.rebind, _loud(visitor)))
                await visitor.page.context.close()
    return _figure("Chromium as a listener, which does not notice", gaps)


def _loud(visitor: Visitor) -> Callable[[], Awaitable[list[float]]]:
    async def sounds() -> list[float]:
        return list(await visitor.page.evaluate("() => window.__loud"))

    return sounds


async def _chromium_speaks(house: House, tries: int, microphone: Path) -> Figure:
    _write(microphone)
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay() as between,
        peer(carla, room_id, "whep") as listener,
        browser(microphone) as chrome,
    ):
        heard = Listened(listener, TONES)
        visitor = await Visitor.arrive(chrome, house.origin)
        await visitor.use_token(str(ada.token))
        await _through(visitor, between)
        await visitor.open(f"/r/{room_id}")
        await visitor.tap("take-floor")
        await visitor.speaking()
        await eventually(lambda: heard.times("ada"))
        gaps = await _gaps(tries, WATCHED_S, between.rebind, _direct(heard))
    return _figure("Chromium as a speaker, which does not notice", gaps)


async def _gaps(
    tries: int, seconds: float, change: Callable[[], None], sounds: Callable[[], Awaitable[list[float]]]
) -> list[float]:
    """Of one connection."""
    await asyncio.sleep(3)
    gaps = []
    for n in range(tries):
        await asyncio.sleep(1.0 + 2.5 * n / tries)
        gaps.append(await _gap(seconds, change, sounds))
    return gaps


async def _gap(
    seconds: float, change: Callable[[], None], sounds: Callable[[], Awaitable[list[float]]]
) -> float:
    """The longest silence in the `seconds` after the change; `sounds` are wall-clock times."""
    changed = time.time()
    change()
    await asyncio.sleep(seconds)
    until = changed + seconds
    times = [changed, *(at for at in await sounds() if changed < at < until), until]
    return max(b - a for a, b in pairwise(times))


def _figure(who: str, gaps: list[float]) -> Figure:
    name = f"sound back after a change of address: {who}, p95"
    return Figure(name, quantile(gaps, 0.95), "s", LIMIT_S, spread(gaps, "s"))


def _moves(between: Relay, moved: RawPeer) -> Callable[[], None]:
    def change() -> None:
        between.rebind()
        moved.check()

    return change


def _direct(heard: Listened) -> Callable[[], Awaitable[list[float]]]:
    async def sounds() -> list[float]:
        return heard.times("ada")

    return sounds


@contextlib.asynccontextmanager
async def _talking(speaker: RawPeer) -> AsyncIterator[None]:
    task = asyncio.create_task(talk(speaker))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _through(visitor: Visitor, between: Relay) -> None:
    """Every answer that this page gets names the relay as the server's address."""

    async def rewrite(route: Route) -> None:
        if route.request.method != "POST":
            await route.continue_()
            return
        answer = await route.fetch()
        body = await answer.text()
        await route.fulfill(response=answer, body=between.behind(body) if answer.status == 201 else body)

    for kind in ("whep", "whip"):
        await visitor.page.route(f"**/api/rooms/*/{kind}", rewrite)


def _write(path: Path) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(tone(TONES["ada"], 30.0).tobytes())
