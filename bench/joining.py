"""From the tap on *Listen* to the first sound, in Chromium, on the real page."""

from __future__ import annotations

import asyncio

from bench.figures import Figure, quantile, spread
from bench.scene import live_room, peer, talk
from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House

TRIES = 30

_WATCH = """() => {
  const Plain = window.RTCPeerConnection;
  const context = new AudioContext({sampleRate: 48000});
  window.__firstSound = new Promise(resolve => {
    window.RTCPeerConnection = class extends Plain {
      constructor(...all) {
        super(...all);
        this.addEventListener("track", event => {
          const tap = context.createScriptProcessor(256, 1, 1);
          tap.onaudioprocess = e => {
            if (e.inputBuffer.getChannelData(0).some(x => Math.abs(x) > 0.01)) resolve(performance.now());
          };
          context.createMediaStreamSource(new MediaStream([event.track])).connect(tap);
          tap.connect(context.destination);
        });
      }
    };
  });
  return context.resume();
}"""
_TAP = """async () => {
  const began = performance.now();
  document.querySelector("[data-testid=listen]").click();
  return (await window.__firstSound) - began;
}"""


async def join_to_sound(house: House) -> list[Figure]:
    """A fresh page each time; a host talks without a pause. The tap, the call, ICE, DTLS, and the browser's own jitter
    buffer are all in it."""
    waits = []
    async with (
        live_room(house, "ada") as (room_id, (ada,)),
        peer(ada, room_id, "whip") as speaker,
        browser() as chrome,
    ):
        talking = asyncio.create_task(talk(speaker))
        for _ in range(TRIES):
            visitor = await Visitor.arrive(chrome, house.origin)
            await visitor.open(f"/r/{room_id}")
            await visitor.sees("listen")
            await visitor.page.evaluate(_WATCH)
            waits.append(float(await visitor.page.evaluate(_TAP)))
            await visitor.page.context.close()
        talking.cancel()
    return [
        Figure(
            "join to first audible sample in Chromium, p95",
            quantile(waits, 0.95),
            "ms",
            500,
            spread(waits, "ms"),
        )
    ]
