"""Machines that make one Parola: each a supervisor with ports and a data folder of its own, around one bus and, where
there are several, one PostgreSQL. People come in by one door, as through a load balancer.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.peer import RawPeer
from fire.proxy import Door, door
from parola.bus import subjects
from parola.bus.messages import Connected, WhepOrder, WhipOrder
from parola.bus.nats import NatsBus
from parola.client.api import Api
from parola.store import Store
from tests.bus.server import TOKEN, NatsServer
from tests.database import DATABASES, driven
from tests.e2e.house import House, children, eventually, media_pid
from tools.postgres import Cluster


@dataclass
class Town:
    """`origin` is where people come in. `nats` and `postgres` may be killed and started again; `wires` are the ways of
    each machine to the bus."""

    houses: list[House]
    nats: NatsServer
    bus: NatsBus
    store: Store
    entrance: Door
    origin: str
    wires: list[Door]
    postgres: Cluster | None = None
    placed: list[RawPeer] = field(default_factory=list)
    """Connections that were made here; they end with the town."""

    def house_of(self, process_id: str) -> House:
        """The machine that a media process runs on."""
        for house in self.houses:
            with contextlib.suppress(AssertionError):
                if house.process is not None:
                    media_pid(house, process_id)
                    return house
        raise AssertionError(f"no process {process_id}")

    def media(self) -> dict[str, int]:
        """Pids of all living media processes by their ids."""
        found = {}
        for house in self.houses:
            if house.process is None:
                continue
            for pid in children(house)["media"]:
                with contextlib.suppress(OSError, IndexError):
                    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"PAROLA_PROCESS_ID=")[1]
                    found[environment.split(b"\0")[0].decode()] = pid
        return found

    async def all_beat(self) -> bool:
        """Whether every media process that was started has said so in the database."""
        expected = sum(house.media_processes for house in self.houses)
        beating = {lease.process_id for lease in await self.store.leases.all()}
        return len(self.media().keys() & beating) == expected

    def lose(self, house: House) -> None:
        """The power goes: everything of that machine dies within a moment, and nobody can report it."""
        assert house.process is not None
        below = [pid for pids in children(house).values() for pid in pids]
        os.kill(house.process.pid, signal.SIGKILL)
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        house.process.wait(10)
        house.process = None

    async def give(self, room_id: str, process_id: str) -> None:
        """Makes a process the first owner of a room; otherwise load decides."""
        assert await self.store.rooms.claim(room_id, process_id, 0) == 1

    async def listen_at(self, api: Api, room_id: str, process_id: str) -> RawPeer:
        """A listener on a process of our choice; where to is otherwise decided by load."""
        return await self._place(api, room_id, "whep", process_id)

    async def speak_at(self, api: Api, room_id: str, process_id: str) -> RawPeer:
        """A speaker on a process that owns the room."""
        return await self._place(api, room_id, "whip", process_id)

    async def _place(self, api: Api, room_id: str, kind: str, process_id: str) -> RawPeer:
        there = _Placed(self.bus, api, process_id)
        peer = await RawPeer.connect(there, room_id, kind)  # type: ignore[arg-type]
        self.placed.append(peer)
        return peer


@contextlib.asynccontextmanager
async def town(
    folder: Path, machines: int = 1, media_processes: int = 2, web_processes: int = 1, postgres: bool = False
) -> AsyncIterator[Town]:
    async with contextlib.AsyncExitStack() as stack:
        nats = stack.enter_context(_nats(folder))
        environment = {
            "PAROLA_NATS_URL": nats.url,
            "PAROLA_NATS_TOKEN": TOKEN,
            "PAROLA_WEB_PROCESSES": str(web_processes),
        }
        cluster = stack.enter_context(_postgres()) if postgres or machines > 1 else None
        url = cluster.create_database("parola") if cluster is not None else DATABASES.empty(folder)
        environment["PAROLA_DATABASE_URL"] = url
        houses = []
        entrance = await stack.enter_async_context(door())
        environment["PAROLA_PUBLIC_URL"] = f"http://localhost:{entrance.port}"
        wires = []
        for index in range(machines):
            (folder / f"machine-{index}").mkdir()
            wire = await stack.enter_async_context(door(("127.0.0.1", nats.port)))
            wires.append(wire)
            own = environment | {"PAROLA_NATS_URL": f"nats://127.0.0.1:{wire.port}"}
            house = House(folder / f"machine-{index}", media_processes, own)
            stack.callback(house.stop)
            await asyncio.to_thread(house.start)  # the wires are in this loop
            houses.append(house)
        entrance.targets = [("127.0.0.1", house.http_port) for house in houses]
        bus = await NatsBus.connect(nats.url, TOKEN)
        stack.push_async_callback(bus.close)
        store = Store.open(driven(url))
        stack.push_async_callback(store.close)
        made = Town(houses, nats, bus, store, entrance, f"http://localhost:{entrance.port}", wires, cluster)
        # A machine is ready as soon as any of them can be heard: its own media processes may still be beginning.
        await eventually(made.all_beat, 30)
        try:
            yield made
        finally:
            for peer in made.placed:
                peer.close()


class _Placed:
    """Stands in for an Api where a connection is made: the order goes straight to one process."""

    def __init__(self, bus: NatsBus, api: Api, process_id: str) -> None:
        self._bus = bus
        self._api = api
        self._process_id = process_id

    async def exchange(self, room_id: str, kind: str, offer: str) -> tuple[str, str]:
        room = await self._api.call("GET", f"/api/rooms/{room_id}")
        me = str((await self._api.call("GET", "/api/me"))["id"])
        order: WhepOrder | WhipOrder
        if kind == "whep":
            order = WhepOrder(room_id, me, None, "127.0.0.1", room["seq"], offer)
        else:
            order = WhipOrder(room_id, me, None, "127.0.0.1", 1, room["seq"], offer)
        reply = await self._bus.request(subjects.media(self._process_id, kind), order.to_bytes(), 3.0)
        connected = Connected.from_bytes(reply)
        path = f"/api/rooms/{room_id}/{kind}/{connected.connection_id}"
        return connected.answer, self._api.origin + path


@contextlib.contextmanager
def _nats(folder: Path) -> Iterator[NatsServer]:
    (folder / "nats").mkdir()
    server = NatsServer(folder / "nats")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextlib.contextmanager
def _postgres() -> Iterator[Cluster]:
    cluster = Cluster()
    cluster.start()
    try:
        yield cluster
    finally:
        cluster.stop()
