"""The API over a Unix socket, against a server that speaks just as much of it as that takes."""

import asyncio
import contextlib
import json
import socket

import pytest

from bench.listeners.peers import sdp
from bench.listeners.peers.janus_api import Janus, JanusError, JanusWay
from bench.listeners.signalling import Local
from tests.bench.peers.test_sdp import CANDIDATES, HEAD, SOUND

LOCAL = Local("abcdefgh", "p" * 24, "AB:CD", ("127.16.0.7", 4000), 77)
OFFER = HEAD + (SOUND + f"a={CANDIDATES[1]}\n").replace("\n", "\r\n")


class Fake:
    """`refuses`: requests of a plugin that it answers with an error."""

    def __init__(self, path) -> None:
        self.refuses: set[str] = set()
        self.asked: list[dict] = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(str(path))
        self.socket.listen()
        self.socket.setblocking(False)

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        client, _ = await loop.sock_accept(self.socket)
        with contextlib.closing(client):
            while packet := await loop.sock_recv(client, 1 << 16):
                request = json.loads(packet)
                self.asked.append(request)
                for answer in self.answers(request):
                    answer["transaction"] = request["transaction"]
                    await loop.sock_sendall(client, json.dumps(answer).encode())

    def answers(self, request: dict) -> list[dict]:
        if request["janus"] in ("create", "attach"):
            return [{"janus": "success", "data": {"id": len(self.asked)}}]
        if request["janus"] == "detach":
            return [{"janus": "success"}]
        asked = request["body"]["request"]
        if asked in self.refuses:
            return [{"janus": "ack"}, {"janus": "event", "plugindata": {"data": {"error": f"no {asked}"}}}]
        if asked == "watch":
            return [{"janus": "ack"}, {"janus": "event", "jsep": {"type": "offer", "sdp": OFFER}}]
        return [{"janus": "ack"}, {"janus": "event", "plugindata": {"data": {}}}]

    def requests(self) -> list[str]:
        return [request.get("body", {}).get("request", request["janus"]) for request in self.asked]


@pytest.fixture
async def fake(tmp_path):
    made = Fake(tmp_path / "api")
    made.serving = asyncio.create_task(made.serve())
    yield made
    made.serving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await made.serving
    made.socket.close()


@pytest.fixture
async def api(fake, tmp_path):
    made = await Janus.connect(tmp_path / "api")
    yield made
    await made.close()


async def test_a_listener_is_offered_and_answers(fake, api):
    way = JanusWay(api, 3)
    remote, handle = await way.join(LOCAL)
    assert remote.addresses == (("127.0.0.1", 5001),)
    assert not remote.controlling
    assert fake.requests() == ["create", "attach", "attach", "watch", "start"]
    assert fake.asked[3]["body"]["id"] == 3
    answer = fake.asked[4]["jsep"]
    assert answer["type"] == "answer"
    assert sdp.parse(answer["sdp"]).media[0].formats == ("109",)
    await way.leave(handle)
    assert fake.asked[-1] | {"transaction": ""} == {
        "janus": "detach", "handle_id": handle, "session_id": 1, "transaction": "",
    }  # fmt: skip


async def test_a_mountpoint_has_a_stream_for_each_speaker(fake, api):
    await api.create_mountpoint(1, [5000, 5001], 111)
    media = fake.asked[-1]["body"]["media"]
    assert [(m["port"], m["mid"], m["iface"]) for m in media] == [
        (5000, "a0", "127.0.0.1"), (5001, "a1", "127.0.0.1"),
    ]  # fmt: skip


async def test_whoever_is_refused_leaves_nothing_behind(fake, api):
    fake.refuses.add("watch")
    with pytest.raises(JanusError, match="no watch"):
        await JanusWay(api, 3).join(LOCAL)
    assert fake.requests()[-1] == "detach"


async def test_many_at_once_get_their_own_answers(fake, api):
    handles = await asyncio.gather(*(api.attach() for _ in range(20)))
    assert len(set(handles)) == 20


async def test_a_server_that_ends_keeps_nobody_waiting(fake, api):
    fake.answers = lambda request: []
    asking = asyncio.create_task(api.attach())
    await asyncio.sleep(0)
    fake.serving.cancel()
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(asking, 5)
