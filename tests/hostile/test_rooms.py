"""Rows 24, 26, 27 and 28: who was put out, whose word was taken, who wants to be host of what is another's, and who
leaves without leaving. Two web and two media processes: whoever is refused by one must not find another that does not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from bench.peer import RawPeer
from bench.scene import talk
from fire.listened import Listened
from fire.machines import Town, town
from parola.bus import subjects
from parola.bus.messages import Refused, WhepOrder
from parola.client.api import Api, ProtocolError
from parola.domain import rooms as r
from tests.e2e.house import eventually, give_floor, handle_of, people
from tests.hostile.offers import WHOLE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120), pytest.mark.asyncio(loop_scope="module")]

TONES = {"voice": 700.0}
AGAIN = 12
"""Calls on connections of their own: with two web processes that take turns, none is left out but by a miracle."""
SILENT_S = 0.2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def built(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    folder = tmp_path_factory.mktemp("town")
    async with town(folder, media_processes=2, web_processes=2) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def where(built: Town) -> Town:
    """With both media processes, also after a test that killed one."""
    await eventually(built.all_beat, 20)
    return built


async def test_row_24_nobody_who_was_put_out_and_no_dead_session_finds_another_door(where: Town) -> None:
    async with people(where.houses[0], "ada", "bob", "carla") as (ada, bob, carla):
        room_id = await opened(ada)
        other_id = await opened(carla)
        for process_id in where.media():
            await where.listen_at(bob, room_id, process_id)
        elsewhere = await RawPeer.connect(carla, other_id, "whep")
        where.placed.append(elsewhere)
        connection_id = elsewhere.location.rpartition("/")[2]

        # A connection of another room is none of this one, for its own listener as for anybody.
        for api in (carla, bob, ada):
            for method in ("GET", "PATCH", "DELETE"):
                path = f"/api/rooms/{room_id}/whep/{connection_id}"
                assert await answers(api, method, path) == {(404, "not_found")}
        assert await answers(carla, "GET", f"/api/rooms/{other_id}/whep/{connection_id}") == {(200, "")}

        await ada.call("PUT", f"/api/rooms/{room_id}/removed/{await handle_of(bob)}")
        for method, rest in (
            ("GET", ""), ("GET", "/events"), ("PUT", "/hands/me"), ("DELETE", "/hands/me"), ("POST", "/whep"),
            ("POST", "/whip"), ("GET", "/whep/x"), ("DELETE", "/whep/x"), ("DELETE", f"/floor/{await handle_of(bob)}"),
        ):  # fmt: skip
            assert await answers(bob, method, f"/api/rooms/{room_id}{rest}") == {(403, "removed")}, rest
        for process_id in where.media():
            assert (await order(where, bob, room_id, process_id)).code == "removed"

        assert await answers(carla, "DELETE", "/api/sessions/current", times=1) == {(204, "")}
        for method, path in (
            ("GET", "/api/me"), ("GET", f"/api/rooms/{room_id}"), ("POST", f"/api/rooms/{room_id}/whep"),
            ("PUT", f"/api/rooms/{room_id}/hands/me"), ("POST", f"/api/rooms/{other_id}/end"),
        ):  # fmt: skip
            assert await answers(carla, method, path) == {(401, "not_signed_in")}, path
        await nothing_more(elsewhere)


async def test_row_26_a_floor_that_is_taken_stays_taken_while_its_speaker_is_away(where: Town) -> None:
    async with people(where.houses[0], "ada", "bob", "carla") as (ada, bob, carla):
        room_id = await opened(ada)
        handle = await give_floor(ada, bob, room_id)
        owner, other = where.media()
        await where.give(room_id, owner)
        ears = [Listened(await where.listen_at(carla, room_id, at), TONES) for at in (owner, other)]
        speaker = await where.speak_at(bob, room_id, owner)
        async with talking(speaker):
            await eventually(lambda: all(ear.times("voice") for ear in ears))
            await ada.call("DELETE", f"/api/rooms/{room_id}/floor/{handle}")
            await unheard(ears)

            # Out of reach, as in a tunnel: the floor is taken meanwhile, and the packets come again.
            await give_floor(ada, bob, room_id)
            again = await where.speak_at(bob, room_id, owner)
        async with talking(again) as sounding:
            await eventually(lambda: all(ear.times("voice", time.time() - 0.1) for ear in ears))
            sounding.cancel()
            again.stop_checking()
            await ada.call("DELETE", f"/api/rooms/{room_id}/floor/{handle}")
        async with talking(again):
            again.check()
            await unheard(ears)
            assert await answers(bob, "POST", f"/api/rooms/{room_id}/whip") == {(403, "floor_required")}

        # And while the owner is dead and nobody knows yet who is the next one.
        await give_floor(ada, bob, room_id)
        last = await where.speak_at(bob, room_id, owner)
        async with talking(last):
            await eventually(lambda: ears[1].times("voice", time.time() - 0.1))
            os.kill(where.media()[owner], signal.SIGKILL)
            await until_answered(ada, "DELETE", f"/api/rooms/{room_id}/floor/{handle}")
            await unheard(ears)
            assert await answers(bob, "POST", f"/api/rooms/{room_id}/whip") == {(403, "floor_required")}


async def test_row_27_of_a_hundred_who_want_a_room_at_once_one_has_it(where: Town) -> None:
    async with people(where.houses[0], "ada", "bob", "carla") as (ada, bob, carla):
        # By HTTP: nobody becomes host of another's room, and it starts once, however often it is asked for.
        when = "2099-01-01T00:00:00Z"
        room = await ada.call("POST", "/api/rooms", {"title": "Wanted", "starts_at": when})
        path = f"/api/rooms/{room['id']}"
        claims = [outcome(api, "POST", f"{path}/start") for api in (ada, bob, carla) for _ in range(34)]
        assert set(await asyncio.gather(*claims)) <= {(200, ""), (409, "not_scheduled"), (403, "host_only")}
        events = await where.store.rooms.events_after(room["id"], 0)
        assert [type(event) for event in events] == [r.RoomCreated, r.RoomStarted]
        assert (await bob.call("GET", path))["host"]["handle"] == await handle_of(ada)

        # Among media processes: a hundred speakers at once in a room without an owner make one owner of one epoch.
        offer = WHOLE + "a=sendonly\r\n"
        made = await asyncio.gather(*(ada.exchange(room["id"], "whip", offer) for _ in range(100)))
        processes = {location.rpartition("/")[2].partition(".")[0] for _, location in made}
        first = (await where.store.rooms.heads([room["id"]]))[room["id"]]
        assert first.epoch == 1
        assert processes == {first.owner}
        assert first.owner is not None
        taken = await asyncio.gather(
            *(where.store.rooms.claim(room["id"], f"process-{n}", first.epoch) for n in range(100))
        )
        assert sorted(epoch for epoch in taken if epoch is not None) == [2]
        # The old one returns: its epoch is over, whatever it believes.
        assert await where.store.rooms.claim(room["id"], first.owner, first.epoch) is None


async def test_row_28_who_leaves_or_is_put_out_and_stays_on_the_line_gets_nothing(where: Town) -> None:
    async with people(where.houses[0], "ada", "bob", "carla", "dan") as (ada, bob, carla, dan):
        room_id = await opened(ada)
        owner, other = where.media()
        await where.give(room_id, owner)
        leaving = [await where.listen_at(bob, room_id, at) for at in (owner, other)]
        put_out = [await where.listen_at(carla, room_id, at) for at in (owner, other)]
        staying = [await where.listen_at(dan, room_id, at) for at in (owner, other)]
        speaker = await where.speak_at(ada, room_id, owner)

        async def counts(people: int) -> bool:
            return bool((await dan.call("GET", f"/api/rooms/{room_id}"))["audience"]["count"] == people)

        async with talking(speaker):
            await eventually(lambda: all(x.arrivals for x in (*leaving, *put_out, *staying)))
            await eventually(lambda: counts(3))
            for peer in leaving:
                await bob.hang_up(peer.location)
            await ada.call("PUT", f"/api/rooms/{room_id}/removed/{await handle_of(carla)}")
            # Their checks go on all the while: they want to receive.
            for peer in (*leaving, *put_out):
                await nothing_more(peer)
            heard = [len(peer.arrivals) for peer in staying]
            await eventually(lambda: all(len(p.arrivals) > n for p, n in zip(staying, heard, strict=True)))
            await eventually(lambda: counts(1))


async def opened(host: Api) -> str:
    return str((await host.call("POST", "/api/rooms", {"title": "A room with two doors"}))["id"])


async def answers(api: Api, method: str, path: str, times: int = AGAIN) -> set[tuple[int, str]]:
    """Status and code of a call, each time on a connection of its own."""
    found = set()
    headers = {"Authorization": f"Bearer {api.token}"}
    offers = method == "POST" and path.endswith(("/whep", "/whip"))
    if offers:
        headers["Content-Type"] = "application/sdp"
    for _ in range(times):
        async with (
            aiohttp.ClientSession() as http,
            http.request(
                method, api.origin + path, headers=headers, data=WHOLE.encode() if offers else None
            ) as answer,
        ):
            said = await answer.json(content_type=None) if answer.status >= 400 else {}
            found.add((answer.status, str(said.get("code", ""))))
    return found


async def outcome(api: Api, method: str, path: str) -> tuple[int, str]:
    (found,) = await answers(api, method, path, times=1)
    return found


async def until_answered(api: Api, method: str, path: str) -> None:
    """As a page does that is told to try again."""
    for _ in range(40):
        try:
            await api.call(method, path)
        except ProtocolError as error:
            if error.status != 503:
                raise
            await asyncio.sleep(0.2)
        else:
            return
    raise AssertionError("it was never answered")


async def order(where: Town, api: Api, room_id: str, process_id: str) -> Refused:
    """What a media process says to an order that no web process would have sent."""
    room = await where.store.rooms.load(room_id)
    assert room is not None
    account = str((await api.call("GET", "/api/me"))["id"])
    wanted = WhepOrder(room_id, account, None, "127.0.0.1", room.seq, WHOLE + "a=recvonly\r\n")
    return Refused.from_bytes(
        await where.bus.request(subjects.media(process_id, "whep"), wanted.to_bytes(), 3.0)
    )


@contextlib.asynccontextmanager
async def talking(speaker: RawPeer) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(talk(speaker))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def unheard(ears: list[Listened]) -> None:
    """From 200 ms after now on, for a second."""
    await asyncio.sleep(SILENT_S)
    since = time.time()
    await asyncio.sleep(1.0)
    for ear in ears:
        assert ear.times("voice", since) == []


async def nothing_more(peer: RawPeer) -> None:
    """From a second after now on."""
    await asyncio.sleep(1.0)
    count = len(peer.arrivals)
    await asyncio.sleep(0.7)
    assert len(peer.arrivals) == count
