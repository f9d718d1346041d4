"""Rows 4, 5 and 6: handshakes without an end, of the wrong person, and words in the clear before and after one."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.scene import Tone
from parola.client.api import ProtocolError
from parola.media.identity import self_signed
from parola.rtp.dtls import HANDSHAKE_BYTES, Certificate
from tests.e2e.house import House, eventually, opened
from tests.hostile import held
from tests.hostile.callers import Caller, Scene, attacked, figures, heard, quiet, received

pytestmark = [pytest.mark.waits, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]

RTCP = bytes.fromhex("80c90001") + b"ssrc"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


@pytest.mark.parametrize("kind", held.KINDS)
async def test_row_04_at_most_64_kb_are_held_of_a_handshake(kind: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.hostile.held", kind,
        stdout=asyncio.subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    said, _ = await process.communicate()
    assert process.returncode == 0
    assert float(said) <= HANDSHAKE_BYTES / 1024


async def test_row_04_endless_fragments_end_the_connection(house: House) -> None:
    async with attacked(house, "ended_dtls_failed") as scene:
        before = await figures(house)
        for kind in ("fragments", "whole", "scattered"):
            caller = await scene.caller("whep", "127.2.0.4")
            await caller.prove()
            endless = held.attack(kind, b"")
            caller.send(*(next(endless) for _ in range(100)))
            await scene.settle()
            assert await is_gone(scene, caller), kind
        after = await figures(house)
        assert after["ended_dtls_failed"] == before["ended_dtls_failed"] + 3


async def test_row_04_a_trickle_of_fragments_ends_too(house: House) -> None:
    async with attacked(house, "ended_handshake_timeout") as scene:
        caller = await scene.caller("whep", "127.2.0.4")
        await caller.prove()
        trickle, answered = held.attack("fragments", b""), 0
        for _ in range(48):  # for twelve seconds, if it is let
            caller.send(next(trickle), caller.check())
            await asyncio.sleep(0.25)
            if not received(caller.sock):
                break
            answered += 1
        assert 4 < answered < 48
        assert await is_gone(scene, caller)


async def test_row_05_a_client_with_another_certificate_than_it_promised(house: House) -> None:
    async with attacked(house, "ended_dtls_failed") as scene:
        ear, speaker = await scene.ear(), await scene.caller("whip")
        scene.talking(await speaker.connect())
        await eventually(lambda: len(ear.arrivals) > 30)
        promised = Certificate(*self_signed()).fingerprint
        listener = await scene.caller("whep", "127.2.0.5", promised=promised)
        await listener.shake_hands()
        await refused_for_good(scene, listener)


async def test_row_05_a_speaker_with_another_certificate_is_not_heard(house: House) -> None:
    async with attacked(house, "ended_dtls_failed", "dropped_rtp_from_stranger") as scene:
        ear = await scene.ear()
        speaker = await scene.caller("whip", "127.2.0.5", promised=Certificate(*self_signed()).fingerprint)
        await speaker.shake_hands()
        await refused_for_good(scene, speaker)
        tone = Tone()
        speaker.send(*(speaker.rtp(tone.packet()) for _ in range(50)))
        await scene.settle()
        await eventually(lambda: len(ear.arrivals) > 3)
        assert quiet(ear.arrivals) == 1


async def test_row_05_a_client_that_expects_another_server(house: House) -> None:
    async with attacked(house, "ended_dtls_failed") as scene:
        listener = await scene.caller("whep", "127.2.0.5", expected=Certificate(*self_signed()).fingerprint)
        await listener.shake_hands()
        await refused_for_good(scene, listener)


async def test_row_05_the_server_is_never_the_client_of_a_handshake(house: House) -> None:
    async with attacked(house) as scene:
        with pytest.raises(ProtocolError, match="bad_sdp"):
            await scene.caller("whep", setup="passive")


async def test_row_06_plain_media_before_the_handshake(house: House) -> None:
    async with attacked(house, "dropped_rtp_early", "dropped_rtcp_early") as scene:
        ear, speaker = await scene.ear(), await scene.caller("whip", "127.2.0.6")
        await speaker.prove()
        tone = Tone()
        for _ in range(50):
            speaker.send(speaker.rtp(tone.packet()), RTCP)
        await scene.settle()
        assert received(speaker.sock) == []
        await eventually(lambda: len(ear.arrivals) > 3)
        assert quiet(ear.arrivals) == 1
        await speaker.connect()


async def test_row_06_plain_media_after_the_handshake(house: House) -> None:
    async with attacked(house, "dropped_srtp_refused", "dropped_srtcp_refused") as scene:
        ear, speaker = await scene.ear(), await scene.caller("whip", "127.2.0.6")
        await speaker.connect()
        tone = Tone()
        for _ in range(50):
            speaker.send(speaker.rtp(tone.packet()), RTCP)
        await scene.settle()
        await eventually(lambda: len(ear.arrivals) > 3)
        assert quiet(ear.arrivals) == 1


async def test_row_06_dtls_in_the_clear_after_the_handshake(house: House) -> None:
    async with attacked(house, "dropped_dtls_refused") as scene:
        listener = await (await scene.caller("whep", "127.2.0.6")).connect()
        scene.talking(await (await scene.caller("whip")).connect())
        await heard(listener, 30)
        for number, kind in enumerate((20, 21, 22, 23) * 5):
            for body in (b"\x02\x28", b"\x01\x00", b"\x01", b"plain data", bytes(1100)):
                listener.send(held.record(kind, 0, body, number))
        await scene.settle()
        packets = await heard(listener, 50)
        assert {p.ssrc for p in packets} == {listener.heard_ssrc}


async def refused_for_good(scene: Scene, caller: Caller) -> None:
    """No keys, no media towards it, and no second try."""
    assert caller.dtls.state == "failed"
    assert caller.dtls.keys is None
    await scene.settle()
    received(caller.sock)
    assert await is_gone(scene, caller)


async def is_gone(scene: Scene, caller: Caller) -> bool:
    """Whether nothing comes to it any more, and not even an authentic check of it is answered."""
    received(caller.sock)
    caller.send(caller.check())
    await scene.settle()
    await asyncio.sleep(0.1)  # five ticks of the room
    return received(caller.sock) == []
