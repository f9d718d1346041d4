"""The limits of the protocol, on a real server that has them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.peer import RawPeer
from parola.api.limiting import COMMANDS, HANDS
from parola.client.api import Api
from parola.domain.limits import OPEN_CONNECTIONS
from tests.e2e.house import House, eventually, opened, people
from tests.e2e.watching import asked, playing, reading

pytestmark = [pytest.mark.waits, pytest.mark.any_database]


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
        # One pupil's hand goes up no more than so often; the others' still do.
        hand = f"/api/rooms/{room['id']}/hands/me"
        headers = {"Authorization": f"Bearer {class_[0].token}"}
        answers = await statuses(limited, HANDS, "PUT", hand, headers=headers)
        assert [status for status, _ in answers] == [204] * (HANDS - 1) + [429]
        await class_[1].call("PUT", hand)
        # All of this is far from what an address may do in a minute; then it waits, and reading goes on.
        answers = await statuses(limited, COMMANDS, "DELETE", hand, headers=headers)
        allowed = [status for status, _ in answers].count(204)
        assert COMMANDS * 3 // 4 <= allowed <= COMMANDS - len(class_) - HANDS
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
