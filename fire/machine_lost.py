"""One of two machines is gone from one moment to the next: its rooms go on on the other, and so do the pages."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.figures import Figure, quantile, spread
from bench.peer import Arrival
from bench.scene import LOUD, Ear
from fire.history import Recorder, check
from fire.machines import Town, town
from fire.neighbour import neighbour
from fire.page import Page, page
from fire.voices import TONES
from parola.client.api import Api
from tests.e2e.house import House, give_floor, handle_of, people

ROOMS = 5
PATIENCE_S = 30.0


async def machine_lost(folder: Path, rooms: int = ROOMS) -> list[Figure]:
    """In each room the host talks, Bob has the floor and is muted, Carla's hand is up, Dora listens from the machine
    that is lost, Emil from the other. Nobody touches anything."""
    recorder = Recorder(folder / "history.jsonl")
    async with town(folder, machines=2, media_processes=2) as where, contextlib.AsyncExitStack() as stack:
        lost, kept = where.houses
        scenes = [await stack.enter_async_context(_scene(where, lost, kept, recorder)) for _ in range(rooms)]
        before = [await scene.state() for scene in scenes]
        doomed = [process_id for process_id in where.media() if where.house_of(process_id) is lost]
        async with neighbour(kept.origin, avoid=doomed) as near:
            await asyncio.sleep(1.5)
            for scene in scenes:
                scene.check_heard()
            at = time.time()
            where.lose(lost)
            back = [seconds for scene in scenes for seconds in await scene.back(at)]
            await asyncio.sleep(2.0)
            heard = await near.end()
        after = [await scene.state() for scene in scenes]
    recorder.close()
    changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    violations = check(recorder.lines)
    for problem in (*changed, *violations):
        print(f"    {problem}")
    return [
        Figure(
            "machine lost: its rooms and the pages in them hear again, p95", quantile(back, 0.95), "s", 8.0,
            spread(back, "s"),
        ),
        Figure(
            "machine lost: rooms whose host, hands, floor or mutes are not as before", float(len(changed)), "", 0.0,
            f"of {rooms}",
        ),
        Figure(
            "machine lost: violations in the history", float(len(violations)), "", 0.0,
            f"{len(recorder.lines)} lines",
        ),
        heard.figure("machine lost"),
    ]  # fmt: skip


@dataclass
class _Scene:
    api: Api
    room_id: str
    listeners: list[Page]
    ears: list[_Waiting]

    async def state(self) -> dict[str, Any]:
        room = await self.api.call("GET", f"/api/rooms/{self.room_id}")
        speakers = [(speaker["handle"], speaker["muted"]) for speaker in room["speakers"]]
        return {
            **{k: room[k] for k in ("id", "state", "seq", "host", "hands", "offers")},
            "speakers": speakers,
        }

    def check_heard(self) -> None:
        assert all(ear.last_loud for ear in self.ears), "somebody hears nothing to begin with"

    async def back(self, at: float) -> list[float]:
        return [await ear.again(at) for ear in self.ears]


class _Waiting:
    """A listener's ear: when it last heard something loud, and when it hears again after a silence."""

    def __init__(self, page: Page, recorder: Recorder, tones: dict[str, float]) -> None:
        self.last_loud = 0.0
        self._ear = Ear()
        self._resumed: list[float] = []
        listener = f"{page.api.token}"[:6]
        self._record = recorder.ear(listener, page.room_id, tones)
        page.on_arrival = self._arrived

    async def again(self, at: float) -> float:
        """Seconds from `at` to the first sound after the silence that follows it."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PATIENCE_S
        while loop.time() < deadline:
            if found := [moment for moment in self._resumed if moment > at]:
                return found[0] - at
            await asyncio.sleep(0.05)
        return PATIENCE_S

    def _arrived(self, arrival: Arrival) -> None:
        self._record(arrival)
        if self._ear.rms(arrival.opus) <= LOUD:
            return
        if arrival.at - self.last_loud > 0.3:
            self._resumed.append(arrival.at)
        self.last_loud = arrival.at


@contextlib.asynccontextmanager
async def _scene(where: Town, lost: House, kept: House, recorder: Recorder) -> AsyncIterator[_Scene]:
    async with contextlib.AsyncExitStack() as stack:
        house = _At(where.origin)
        host, bob, carla, dora, emil = await stack.enter_async_context(
            people(house, "host", "bob", "carla", "dora", "emil")  # type: ignore[arg-type]
        )
        handles = [await handle_of(api) for api in (host, bob)]
        tones = dict(zip(handles, TONES, strict=False))
        room_id = str((await host.call("POST", "/api/rooms", {"title": "On the lost machine"}))["id"])
        there, elsewhere = (_some_process(where, machine) for machine in (lost, kept))
        await where.give(room_id, there)
        await stack.enter_async_context(page(host, room_id, tones[handles[0]], listens=False))
        follower = await stack.enter_async_context(page(carla, room_id, listens=False))
        name = f"page {room_id}"
        follower.on_told = lambda *event: recorder.told(name, room_id, *event)
        await asyncio.sleep(0.5)
        for event in follower.events:
            recorder.told(name, room_id, *event)
        await give_floor(host, bob, room_id)
        await stack.enter_async_context(page(bob, room_id, tones[handles[1]], listens=False))
        await host.call("PUT", f"/api/rooms/{room_id}/mutes/{handles[1]}")
        await carla.call("PUT", f"/api/rooms/{room_id}/hands/me")
        pages = [await stack.enter_async_context(page(api, room_id)) for api in (dora, emil)]
        for one, process_id in zip(pages, (there, elsewhere), strict=True):
            one.sit(await where.listen_at(one.api, room_id, process_id))
        ears = [_Waiting(one, recorder, tones) for one in pages]
        yield _Scene(host, room_id, pages, ears)


def _some_process(where: Town, machine: House) -> str:
    return random.choice(
        [process_id for process_id in where.media() if where.house_of(process_id) is machine]
    )


@dataclass(frozen=True)
class _At:
    """Where people sign up: what `people` needs of a house."""

    origin: str

    person = House.person
