"""What runs out on a real server: descriptors, the disk, a minute's allowance; and a wall clock that jumps.

While it does, a neighbouring room plays, and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import resource
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import pytest

from bench.peer import RawPeer
from fire.neighbour import Heard, Neighbour, neighbour
from parola.api.limiting import OPEN_CONNECTIONS
from parola.client.api import Api, ProtocolError
from parola.rtp import demux, rtcp
from tests.e2e.house import House, children, eventually, give_floor, opened, people


async def asked(house: House, path: str = "/readyz") -> tuple[int, Any]:
    """Status and body; status 0 where nobody answers."""
    try:
        async with aiohttp.request("GET", house.origin + path, headers={"Connection": "close"}) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text
    except (aiohttp.ClientError, OSError):
        return 0, None


async def is_missing(house: House, what: str) -> bool:
    status, body = await asked(house)
    return status == 503 and what in body["missing"]


async def is_ready(house: House) -> bool:
    return (await asked(house))[0] == 200


def logged(house: House, event: str) -> list[dict[str, Any]]:
    lines = [line for line in house.log.read_text().splitlines() if line.startswith("{")]
    return [said for said in map(json.loads, lines) if said["event"] == event]


def assert_unbroken(heard: Heard | None) -> None:
    assert heard is not None
    assert heard.packets > 50
    assert (heard.lost, heard.packets - heard.loud) == (0, 0)


@contextlib.asynccontextmanager
async def playing(house: House) -> AsyncIterator[Neighbour]:
    async with neighbour(house.origin) as neighbours:
        yield neighbours
    assert_unbroken(neighbours.heard)


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


@contextlib.asynccontextmanager
async def reading(api: Api, room_id: str) -> AsyncIterator[aiohttp.StreamReader]:
    headers = {"Authorization": f"Bearer {api.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{api.origin}/api/rooms/{room_id}/events") as answer,
    ):
        yield answer.content


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


# --- the clock

_CLOCK = '''
"""Sets this process's wall clock by what stands in a file, an instant after the file is written."""

import datetime, os, time

real_time, real_time_ns, real = time.time, time.time_ns, datetime.datetime


def shift():
    with open(os.environ["CLOCK_SHIFT"]) as file:
        return int(file.read() or 0)


class Meta(type):
    def __instancecheck__(cls, thing):
        return isinstance(thing, real)


class Shifted(real, metaclass=Meta):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=shift())


time.time = lambda: real_time() + shift()
time.time_ns = lambda: real_time_ns() + shift() * 10**9
datetime.datetime = Shifted
'''


class WallClock:
    """A house whose wall clock can be set while it runs."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "shift"
        self.set(0)
        code = folder / "clock"
        code.mkdir()
        (code / "sitecustomize.py").write_text(_CLOCK)
        path = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
        self.house = House(
            folder,
            environment={"PYTHONPATH": path, "CLOCK_SHIFT": str(self._file), "PAROLA_LIMITS": "default"},
        )

    def set(self, seconds: int) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(str(seconds))
        new.replace(self._file)


async def test_a_wall_clock_that_jumps_ends_nothing_and_revives_nothing(tmp_path: Path) -> None:
    clock = WallClock(tmp_path)
    with opened(clock.house) as house:
        async with playing(house), people(house, "ada", "bob") as (ada, bob):
            room = await ada.call("POST", "/api/rooms", {"title": "What time is it?"})
            hand = f"/api/rooms/{room['id']}/hands/me"
            ended = Api(house.origin, bob.token)
            handle = (await bob.call("GET", "/api/me"))["handle"]
            listener = await Reporting.connect(ada, room["id"], "whep")
            async with ended, reading(ada, room["id"]) as events:
                await bob.call("DELETE", "/api/sessions/current")
                await bob.sign_in(handle, "correct horse battery")
                waits = await sign_in_until_refused(ada)
                for seconds in (3600, -3600, 0):
                    clock.set(seconds)
                    await asyncio.sleep(6)  # longer than any lease, and than sessions go unchecked
                    await bob.call("PUT", hand)
                    await bob.call("DELETE", hand)
                    with pytest.raises(ProtocolError) as refused:
                        await ended.call("GET", "/api/me")
                    assert refused.value.status == 401
                    waits += await sign_in_until_refused(ada)
                listener.close()
                await ada.call("POST", f"/api/rooms/{room['id']}/end")
                told = [
                    json.loads(line[6:]) for line in (await events.read()).splitlines() if b'"by"' in line
                ]
        assert [event["seq"] for event in told] == list(range(room["seq"] + 1, room["seq"] + 8))
        hours = [int(event["at"][11:13]) for event in told]
        assert [(hours[n] - hours[-1]) % 24 in (0, 1, 23) for n in range(7)] == [True] * 7
        assert len({event["at"][:13] for event in told}) >= 3, "the clock did not jump"
        assert waits == sorted(waits, reverse=True)  # no jump sets anybody free, and none locks anybody out
        assert max(waits) <= 60
        assert isinstance(listener, Reporting)
        assert len(listener.times) >= 3
        assert all(0 < b - a < 60 for a, b in itertools.pairwise(listener.times))
        for event in ("child.died", "lease.dead", "lease.not_renewed", "ownership.suspended"):
            assert not logged(house, event)


class Reporting(RawPeer):
    """Keeps the wall-clock seconds of the server's reports about its stream, and nothing else."""

    times: list[float]

    def _readable(self) -> None:
        self.times = getattr(self, "times", [])
        with contextlib.suppress(BlockingIOError):
            while True:
                datagram = self.sock.recv(2048)
                if demux.kind(datagram) == "rtcp":
                    reports = rtcp.parse_compound(self.srtp.unprotect_rtcp(datagram))
                    self.times += [r.ntp / 2**32 for r in reports if isinstance(r, rtcp.SenderReport)]


async def sign_in_until_refused(api: Api) -> list[int]:
    """Wrong passwords until there are too many: how many seconds to wait, as the server says."""
    body = {"handle": "nobody_here", "password": "wrong"}
    for _ in range(61):
        async with aiohttp.request("POST", f"{api.origin}/api/sessions", json=body) as answer:
            if answer.status == 429:
                return [int(answer.headers["Retry-After"])]
            assert answer.status == 401
    raise AssertionError("nobody was refused")


# --- a minute's allowance


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[House]:
    with opened(House(tmp_path, environment={"PAROLA_LIMITS": "default"})) as house:
        yield house


async def statuses(house: House, calls: int, method: str, path: str, **more: Any) -> list[tuple[int, str]]:
    """Status and Retry-After of the same call again and again."""
    found = []
    async with aiohttp.ClientSession() as http:
        for _ in range(calls):
            async with http.request(method, house.origin + path, **more) as answer:
                found.append((answer.status, answer.headers.get("Retry-After", "")))
    return found


async def test_a_classroom_behind_one_address_comes_in_and_the_sixty_first_waits(limited: House) -> None:
    async with playing(limited), contextlib.AsyncExitStack() as stack:
        # The neighbours' host is one of the sixty.
        pupils = [Api(limited.origin) for _ in range(59)]
        for n, pupil in enumerate(pupils):
            await stack.enter_async_context(pupil)
            await pupil.sign_up(f"pupil_{n}", f"Pupil {n}", "correct horse battery")
        teacher, *class_ = pupils
        body = {"handle": "latecomer", "name": "Late", "password": "correct horse battery"}
        ((status, retry),) = await statuses(limited, 1, "POST", "/api/accounts", json=body)
        assert status == 429
        assert 1 <= int(retry) <= 60
        room = await teacher.call("POST", "/api/rooms", {"title": "A lesson"})
        for pupil in class_:
            await pupil.call("PUT", f"/api/rooms/{room['id']}/hands/me")
            listener = await RawPeer.connect(pupil, room["id"], "whep")
            stack.callback(listener.close)
        seen = await teacher.call("GET", f"/api/rooms/{room['id']}")
        assert len(seen["hands"]) == len(class_)
        # 60 hands and a room are far from what an address may do in a minute; then it waits, and reading goes on.
        hand = f"/api/rooms/{room['id']}/hands/me"
        headers = {"Authorization": f"Bearer {class_[0].token}"}
        answers = await statuses(limited, 600, "PUT", hand, headers=headers)
        allowed = [status for status, _ in answers].count(204)
        assert 500 <= allowed <= 600 - len(class_)
        assert {status for status, _ in answers[allowed:]} == {429}
        assert all(1 <= int(retry) <= 60 for _, retry in answers[allowed:])
        assert await class_[0].call("GET", f"/api/rooms/{room['id']}") is not None


async def test_sixty_sign_ins_a_minute_for_an_account_and_for_an_address(limited: House) -> None:
    body = {"handle": "nobody_here", "password": "wrong horse battery"}
    answers = await statuses(limited, 62, "POST", "/api/sessions", json=body)
    assert [status for status, _ in answers] == [401] * 60 + [429] * 2
    (other,) = await statuses(limited, 1, "POST", "/api/sessions", json={**body, "handle": "another"})
    assert other[0] == 429  # it is the address, too


async def test_an_address_opens_two_thousand_streams_and_no_more(limited: House) -> None:
    async with people(limited, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Full house"})
        call = f"GET /api/rooms/{room['id']}/events HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        with contextlib.ExitStack() as stack:
            for opened_so_far in range(0, OPEN_CONNECTIONS, 200):
                for _ in range(200):
                    sock = stack.enter_context(socket.create_connection(("127.0.0.1", limited.http_port)))
                    sock.sendall(call)
                wanted = opened_so_far + 200
                await eventually(lambda wanted=wanted: open_streams(limited, wanted), 30)  # type: ignore[misc]
            (refused,) = await statuses(limited, 1, "GET", f"/api/rooms/{room['id']}/events")
            assert refused == (429, "10")
            assert await ada.call("GET", f"/api/rooms/{room['id']}") is not None
        await eventually(lambda: open_streams(limited, 0), 30)
        async with reading(ada, room["id"]) as events:
            assert b"retry" in await events.readline()


async def open_streams(house: House, wanted: int) -> bool:
    _, text = await asked(house, "/metrics")
    (line,) = [line for line in text.splitlines() if line.startswith("parola_event_streams{")]
    return line.endswith(f" {wanted}.0")
