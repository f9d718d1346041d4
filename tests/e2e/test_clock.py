"""A wall clock that jumps by an hour under a real server, whose timeouts are all of the monotonic one."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
from pathlib import Path

import aiohttp
import pytest

from bench.peer import RawPeer
from parola.client.api import Api, ProtocolError
from parola.rtp import demux, rtcp
from tests.e2e.house import House, opened, people
from tests.e2e.watching import logged, playing, reading

pytestmark = [pytest.mark.waits, pytest.mark.any_database]

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
