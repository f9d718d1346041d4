"""How a connection fares, asked on its own address, in a real call; and the same in the log when it is over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from parola.client.api import Api, ProtocolError
from parola.client.webrtc import Clip, listening, speaking
from tests.e2e.hearing import tone
from tests.e2e.house import House, eventually, people

pytestmark = [pytest.mark.alone, pytest.mark.any_database]


async def test_both_ends_of_a_call_and_nobody_else_learn_how_it_goes(house: House) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "How is the line?"})
        async with (
            listening(bob, room["id"]) as ear,
            speaking(ada, room["id"], Clip(tone(440, 30))) as mouth,
        ):
            await eventually(lambda: _knows(bob, ear.location, "rtt_ms"), 30)
            await eventually(lambda: _knows(ada, mouth.location, "loss"), 30)
            heard, spoken = await _details(bob, ear.location), await _details(ada, mouth.location)
            for stranger, location in ((ada, ear.location), (bob, mouth.location)):
                with pytest.raises(ProtocolError) as refused:
                    await _details(stranger, location)
                assert refused.value.status == 404
    for told, kind in ((heard, "whep"), (spoken, "whip")):
        assert (told["kind"], told["state"], told["family"]) == (kind, "connected", "ipv4")
        assert told["since_ms"] > 0
        assert told["packets"] > 50
        assert told["bytes"] > 20 * told["packets"]
        assert (told["loss"], told["packet_ms"]) == (0, 20)
    assert 0 <= heard["rtt_ms"] < 500
    assert spoken["delay_ms"] >= 20
    lines = [json.loads(line) for line in house.log.read_text().splitlines() if ".closed" in line]
    ended = {line["event"]: line for line in lines if line.get("room") == room["id"]}
    assert ended["listener.closed"]["rtt_ms"] == pytest.approx(heard["rtt_ms"], abs=500)
    for event in ("listener.closed", "speaker.closed"):
        assert ended[event]["packets"] >= 50
        assert ended[event]["family"] == "ipv4"


async def _details(api: Api, location: str) -> dict[str, Any]:
    told: dict[str, Any] = await api.call("GET", location.removeprefix(api.origin))
    return told


async def _knows(api: Api, location: str, what: str) -> bool:
    return (await _details(api, location))[what] is not None
