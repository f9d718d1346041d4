"""For a minute two machines cannot reach each other over the bus. Both still see the database, and people see both."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.figures import Figure, spread
from bench.peer import RawPeer
from fire.listened import Listened
from fire.machines import Town, town
from fire.neighbour import neighbour
from fire.page import Page, page
from fire.voices import TONES
from parola.client.api import Api, ProtocolError
from tests.e2e.house import give_floor, handle_of, people

PARTED_S = 60.0
ADA, BOB = TONES[0], TONES[1]


async def partition(folder: Path, parted_s: float = PARTED_S) -> list[Figure]:
    """Machine B loses its way to the bus. A room that is owned, spoken and heard on B goes on; whoever would need the
    other machine is told 503; and afterwards all is one again."""
    async with town(folder, machines=2, media_processes=1) as where, contextlib.AsyncExitStack() as stack:
        scene = await _set_up(where, stack)
        async with neighbour(where.houses[0].origin, avoid=[scene.on_b]) as near:
            await asyncio.sleep(1.0)
            where.wires[1].shut()
            parted = time.time()
            await scene.live_apart(parted_s)
            where.wires[1].reopen()
            healed = time.time()
            converged = await scene.converge()
            await asyncio.sleep(1.0)
            heard = await near.end()
    assert scene.refused_s, f"nobody was refused: {scene.wrong}"
    local = _gaps(scene.local, parted - 0.5, time.time())
    return [
        Figure(
            f"bus parted for {parted_s:.0f} s: largest gap in a room that lives on the parted machine",
            max(local) * 1000, "ms", 60.0, f"{len(local)} packets",
        ),
        Figure(
            "bus parted: joins that need the other machine, answered with 503, slowest",
            max(scene.refused_s), "s", 3.0, spread(scene.refused_s, "s"),
        ),
        Figure("bus parted: such joins that were let in or ended otherwise", float(len(scene.wrong)), "", 0.0,
               f"of {len(scene.refused_s) + len(scene.wrong)}; {scene.wrong[:3]}"),
        Figure(
            "bus parted: an event that no message told is known on the other machine, slowest",
            max(scene.healed_s), "s", 2.0, spread(scene.healed_s, "s"),
        ),
        Figure(
            "bus parted: packets of a voice later than 2 s after its mute was said to be unconfirmed",
            float(scene.late_voice), "", 0.0, f"mute answered {scene.mute_answer}",
        ),
        Figure(
            "bus whole again: joins, remote sound and events on both machines, all back",
            converged, "s", 5.0, f"the slowest of three; healed at {healed - parted:.0f} s",
        ),
        heard.figure("bus parted"),
    ]  # fmt: skip


@dataclass
class _Scene:
    """Ada hosts on B and speaks there; so does Bob. Carla follows it on A, Dora on B."""

    where: Town
    room_id: str
    on_a: str
    on_b: str
    ada_at_a: Api
    bob: Api
    bob_handle: str
    carla_at_a: Api
    dora_at_b: Api
    far: Page
    """Carla's page on machine A."""
    local: Listened
    remote: Listened
    refused_s: list[float] = field(default_factory=list)
    healed_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    late_voice: int = 0
    mute_answer: str = ""

    async def live_apart(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        await asyncio.sleep(0.2)
        await self._mute_bob()
        while loop.time() < end:
            await self._join(self.carla_at_a)
            await self._join(self.dora_at_b)
            await self._event_unheard_of()
            await asyncio.sleep(0.5)

    async def converge(self) -> float:
        """Seconds until a join on either machine works, the far ear hears Ada, and an event comes at once."""
        loop = asyncio.get_running_loop()
        began, since = loop.time(), time.time()
        for api in (self.carla_at_a, self.dora_at_b):
            while not await self._joins(api):
                assert loop.time() - began < 30, "joins never work again"
                await asyncio.sleep(0.1)
        while not self.remote.times("ada", since):
            assert loop.time() - began < 30, "the far ear never hears again"
            await asyncio.sleep(0.02)
        return loop.time() - began

    async def _join(self, api: Api) -> None:
        began = time.monotonic()
        try:
            peer = await RawPeer.connect(api, self.room_id, "whep")
        except ProtocolError as error:
            if error.status == 503:
                self.refused_s.append(time.monotonic() - began)
            else:
                self.wrong.append(str(error))
        else:
            self.wrong.append("let in")
            await self._leave(api, peer)

    async def _joins(self, api: Api) -> bool:
        try:
            peer = await RawPeer.connect(api, self.room_id, "whep")
        except ProtocolError:
            return False
        await self._leave(api, peer)
        return True

    async def _leave(self, api: Api, peer: RawPeer) -> None:
        peer.close()
        with contextlib.suppress(ProtocolError):
            await api.hang_up(peer.location)

    async def _event_unheard_of(self) -> None:
        """A hand goes up and down by machine B; Carla's page on A is told by nobody, and finds it."""
        for method, kind in (("PUT", "hand.raised"), ("DELETE", "hand.lowered")):
            known = len(self.far.events)
            await self.dora_at_b.call(method, f"/api/rooms/{self.room_id}/hands/me")
            began = time.monotonic()
            while not any(event[1] == kind for event in self.far.events[known:]):
                assert time.monotonic() - began < 10, "the event is never found"
                await asyncio.sleep(0.005)
            self.healed_s.append(time.monotonic() - began)

    async def _mute_bob(self) -> None:
        try:
            await self.ada_at_a.call("PUT", f"/api/rooms/{self.room_id}/mutes/{self.bob_handle}")
            self.mute_answer = "200"
        except ProtocolError as error:
            self.mute_answer = f"{error.status} {error.code}"
        answered = time.time()
        await asyncio.sleep(4.0)
        allowed = 0.0 if self.mute_answer == "200" else 2.0
        self.late_voice = len(self.local.times("bob", answered + allowed))


async def _set_up(where: Town, stack: contextlib.AsyncExitStack) -> _Scene:
    a, b = where.houses
    on_a, on_b = (next(p for p in where.media() if where.house_of(p) is house) for house in (a, b))
    ada, bob, dora = await stack.enter_async_context(people(b, "ada", "bob", "dora"))
    (carla,) = await stack.enter_async_context(people(a, "carla"))
    ada_at_a = await stack.enter_async_context(Api(a.origin, ada.token))
    room_id = str((await ada.call("POST", "/api/rooms", {"title": "On the parted machine"}))["id"])
    await where.give(room_id, on_b)
    bob_handle = await give_floor(ada, bob, room_id)
    await stack.enter_async_context(page(ada, room_id, ADA, listens=False))
    await stack.enter_async_context(page(bob, room_id, BOB, listens=False))
    far = await stack.enter_async_context(page(carla, room_id, listens=False))
    tones = {"ada": ADA, "bob": BOB}
    local = Listened(await where.listen_at(dora, room_id, on_b), tones)
    remote = Listened(await where.listen_at(carla, room_id, on_a), tones)
    assert await handle_of(ada_at_a) == await handle_of(ada)
    return _Scene(where, room_id, on_a, on_b, ada_at_a, bob, bob_handle, carla, dora, far, local, remote)


def _gaps(heard: Listened, since: float, until: float) -> list[float]:
    at = [moment for moment, _ in heard.heard if since <= moment <= until]
    return [later - earlier for earlier, later in itertools.pairwise(at)]
