"""What runs out on a real server: descriptors, and the disk. Meanwhile a neighbouring room plays, and loses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from fire.neighbour import neighbour
from parola.client.api import Api, ProtocolError
from tests.e2e.house import House, children, eventually, give_floor, opened, people
from tests.e2e.watching import asked, is_missing, is_ready, logged, playing, reading

pytestmark = [pytest.mark.alone, pytest.mark.any_database]


async def refusal(api: Api, room_id: str) -> tuple[int, str]:
    """What somebody is told who wants to listen."""
    with pytest.raises(ProtocolError) as refused:
        await api.exchange(room_id, "whep", "v=0\r\n")
    return refused.value.status, refused.value.code


# --- descriptors


async def test_a_web_process_without_descriptors_says_so_and_hurts_nobody(house: House) -> None:
    (web,) = children(house)["web"]
    before = resource.prlimit(web, resource.RLIMIT_NOFILE)
    async with playing(house), people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Before"})
        async with reading(ada, room["id"]) as events:
            resource.prlimit(web, resource.RLIMIT_NOFILE, (120, before[1]))
            with contextlib.ExitStack() as idle:
                for _ in range(150):
                    sock = idle.enter_context(socket.socket())
                    sock.connect(("127.0.0.1", house.http_port))
                await eventually(lambda: is_missing(house, "descriptors"))
                assert await asked(house, "/healthz") == (200, "alive\n")
                assert (await asked(house, "/api/rooms"))[1]["code"] == "full"
            await eventually(lambda: is_ready(house))
            await ada.call("POST", f"/api/rooms/{room['id']}/end")
            assert b"room.ended" in await events.read()  # the stream was open all the while
    resource.prlimit(web, resource.RLIMIT_NOFILE, before)
    assert [line["most"] for line in logged(house, "descriptors.exhausted")] == [120]


async def test_a_media_process_without_descriptors_takes_nobody_new_and_recovers(house: House) -> None:
    (media,) = children(house)["media"]
    before = resource.prlimit(media, resource.RLIMIT_NOFILE)
    async with playing(house) as neighbours, people(house, "ada") as (ada,):
        is_open = len(os.listdir(f"/proc/{media}/fd"))
        resource.prlimit(media, resource.RLIMIT_NOFILE, (is_open, before[1]))
        await eventually(lambda: is_missing(house, "media overloaded"))
        assert await asked(house, "/healthz") == (200, "alive\n")
        assert await refusal(ada, neighbours.room_id) == (503, "full")
        room = await ada.call("POST", "/api/rooms", {"title": "Opened meanwhile"})
        resource.prlimit(media, resource.RLIMIT_NOFILE, before)
        await eventually(lambda: is_ready(house))
        async with neighbour(house.origin) as newcomers:
            await asyncio.sleep(1)
        assert newcomers.heard is not None
        assert newcomers.heard.packets
        assert room["state"] == "live"
    (full,), (calm,) = logged(house, "load.full"), logged(house, "load.calm_again")
    assert (full["reason"], full["most_descriptors"]) == ("descriptors", is_open)
    assert calm["most_descriptors"] == before[0]


# --- the disk


class Disk(Protocol):
    """Room for a house's data that can be taken away."""

    def fill(self) -> None: ...

    def free(self) -> None: ...


class SmallDisk:
    """A file system of its own, filled to the last byte."""

    def __init__(self, house: House) -> None:
        self._filler = house.folder / "data" / "filler"

    def fill(self) -> None:
        with self._filler.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._filler.unlink()


class FileLimit:
    """For whoever may not mount anything: no file of the house's processes may grow."""

    def __init__(self, house: House) -> None:
        self._house = house

    def fill(self) -> None:
        self._limit((self._house.folder / "data" / "parola.db-wal").stat().st_size)

    def free(self) -> None:
        self._limit(resource.RLIM_INFINITY)

    def _limit(self, size: int) -> None:
        processes = children(self._house)
        for pid in (*processes["web"], *processes["media"]):
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


def may_mount() -> bool:
    with tempfile.TemporaryDirectory() as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "tmpfs", folder], capture_output=True)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return mounted.returncode == 0


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    data = folder / "data"
    data.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(data)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)


@pytest.mark.parametrize("kind", [FileLimit, *([SmallDisk] if may_mount() else [])])
async def test_a_full_disk_stops_commands_and_no_sound_and_forgets_nothing(
    kind: type[FileLimit] | type[SmallDisk], tmp_path: Path
) -> None:
    with contextlib.ExitStack() as stack:
        if kind is SmallDisk:
            stack.enter_context(small_disk(tmp_path))
        # The disk of the embedded database, whatever this run of the tests is about.
        house = stack.enter_context(opened(House(tmp_path, environment={"PAROLA_DATABASE_URL": ""})))
        disk: Disk = kind(house)
        async with playing(house), people(house, "ada", "bob") as (ada, bob):
            room = await ada.call("POST", "/api/rooms", {"title": "Kept"})
            handle = await give_floor(ada, bob, room["id"])
            acknowledged = await ada.call("GET", f"/api/rooms/{room['id']}")
            disk.fill()
            for method, path in (
                ("POST", "/api/rooms"),
                ("DELETE", f"/api/rooms/{room['id']}/floor/{handle}"),
            ):
                with pytest.raises(ProtocolError) as refused:
                    await ada.call(method, path, {"title": "Lost"} if method == "POST" else None)
                assert (refused.value.status, refused.value.code) == (503, "store_full")
                assert "disk" in refused.value.detail
            assert await is_missing(house, "disk")
            assert await asked(house, "/healthz") == (200, "alive\n")
            assert await ada.call("GET", f"/api/rooms/{room['id']}") == acknowledged
            assert logged(house, "store.full")
            await asyncio.sleep(5)  # longer than any lease
            disk.free()
            await eventually(lambda: is_ready(house))
            assert await ada.call("GET", f"/api/rooms/{room['id']}") == acknowledged
            assert await ada.call("DELETE", f"/api/rooms/{room['id']}/floor/{handle}") == {"silent": True}
            after = await ada.call("GET", f"/api/rooms/{room['id']}")
            assert after["seq"] == acknowledged["seq"] + 1
            assert [s["handle"] for s in after["speakers"]] == [room["host"]["handle"]]
