"""Rows 8 to 13: what those can send who have a connection of their own, or whose address somebody forges."""

from __future__ import annotations

import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.scene import Tone
from parola.media.voice import PACKETS_PER_SECOND
from parola.rtp import rtcp
from parola.rtp.srtp import MOST_SOURCES
from tests.e2e.house import House, eventually, give_floor, opened
from tests.hostile.callers import attacked, figures, flooding, heard, loudness, missing, quiet

pytestmark = [pytest.mark.alone, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]

LOUD_PACKETS = 50
QUIET = 0.02


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


def tone(count: int) -> list[bytes]:
    """Opus packets of a second of a loud tone, over and over."""
    voice = Tone()
    second = [voice.packet() for _ in range(min(50, count))]
    return [second[i % len(second)] for i in range(count)]


async def test_row_08_replay_and_bad_tags_from_the_victims_own_address(house: House) -> None:
    async with attacked(house, "dropped_srtp_refused") as scene:
        ear, victim = await scene.ear(), await (await scene.caller("whip", "127.2.0.8")).connect()
        scene.talking(victim)
        await eventually(lambda: len(victim.sent) > 50 and len(ear.arrivals) > 30)
        dice, forged = random.Random(8), []
        for datagram in victim.sent[:50]:
            bad = bytearray(datagram)
            bad[-1 - dice.randrange(16)] ^= 1 << dice.randrange(8)
            ahead = datagram[:2] + struct.pack("!H", dice.randrange(65536)) + datagram[4:]
            forged += [datagram, bytes(bad), ahead, datagram[:8] + dice.randbytes(4) + datagram[12:]]
        lost, first, before = await victim.lost(), len(ear.arrivals), await figures(house)
        async with flooding(victim.server, [victim.sock], forged, 10_000, 3.0) as forgeries:
            pass
        after = await figures(house)
        assert await victim.lost() == lost
        assert missing(ear.arrivals) == 0
        assert quiet(ear.arrivals, first) < 0.05
        refused = after["dropped_srtp_refused"] - before["dropped_srtp_refused"]
        overflow = after["dropped_receive_buffer_full"] - before["dropped_receive_buffer_full"]
        assert refused + overflow >= forgeries.result().sent


async def test_row_09_rtp_that_lies_about_its_length(house: House) -> None:
    counters = ("dropped_rtp_malformed", "dropped_srtp_refused", "dropped_unknown")
    async with attacked(house, *counters) as scene:
        ear, speaker = await scene.ear(), await (await scene.caller("whip", "127.2.0.9")).connect()
        before = await figures(house)
        (opus,) = tone(1)

        def lying(first: int, behind: bytes) -> bytes:
            return bytes([first]) + speaker.rtp(b"")[1:12] + behind

        protected = [
            lying(0xA0, opus + b"\xff"),  # more padding than payload
            lying(0xA0, opus + b"\x00"),  # padding of no length
            lying(0xA0, b"\x01\x02\x03\x05"),
            lying(0x90, struct.pack("!HH", 0xBEDE, 1) + b"\x1f\x00\x00\x00" + opus),  # an element too long
            lying(0x90, struct.pack("!HH", 0x1000, 1) + b"\x01\xff\x00\x00" + opus),
        ]
        speaker.send(*(speaker.protect(packet) for packet in protected))
        # libsrtp makes none of these, so that they go in the clear; lengths are looked at before the tag.
        clear = [
            lying(0x90, struct.pack("!HH", 0xBEDE, 0xFFFF) + opus),  # an extension beyond the packet
            lying(0x90, b"\xbe"),
            lying(0x8F, opus[:8]),  # fifteen contributors in eight bytes
            lying(0xBF, b""),
            speaker.rtp(opus)[:12],
        ]
        speaker.send(*clear)
        speaker.send(*(speaker.rtp(opus)[:size] for size in range(1, 12)))
        await scene.settle()
        after = await figures(house)
        counts = [int(after[name] - before[name]) for name in counters]
        assert counts == [len(protected), len(clear), 11]
        await eventually(lambda: len(ear.arrivals) > 3)
        assert quiet(ear.arrivals) == 1
        scene.talking(speaker)
        first = len(ear.arrivals)
        await eventually(lambda: len(ear.arrivals) > first + 30)
        assert quiet(ear.arrivals, len(ear.arrivals) - 10) == 0


async def test_row_10_a_muted_speaker_with_the_ssrc_of_another(house: House) -> None:
    async with attacked(house, "dropped_rtp_without_floor") as scene:
        handle = await give_floor(scene.host, scene.member, scene.stage)
        listener = await (await scene.caller("whep")).connect()
        host = await (await scene.caller("whip")).connect()
        spoofer = await (await scene.caller("whip", "127.2.0.10", api=scene.member, ssrc=host.ssrc)).connect()
        await scene.host.call("PUT", f"/api/rooms/{scene.stage}/mutes/{handle}")
        spoofing = scene.talking(spoofer)
        await eventually(lambda: len(spoofer.sent) > LOUD_PACKETS)
        packets = listener.packets()
        assert packets
        assert max(loudness(p.payload for p in packets)) < QUIET
        talking = scene.talking(host)
        packets += await heard(listener, 50)
        assert loudness(p.payload for p in packets)[-1] > QUIET
        # One stream under one number, which the server chose.
        assert {p.ssrc for p in packets} == {listener.heard_ssrc}
        assert host.ssrc not in {listener.heard_ssrc, 0}
        # And where the right one falls silent, so does the room.
        talking.cancel()
        spoofed = len(spoofer.sent)
        await eventually(lambda: len(spoofer.sent) > spoofed + 2 * LOUD_PACKETS)
        packets += listener.packets()
        assert loudness(p.payload for p in packets)[-1] < QUIET
        assert await host.lost() == 0
        spoofing.cancel()


async def test_row_10_a_speaker_with_a_new_ssrc_in_each_packet(house: House) -> None:
    async with attacked(house, "dropped_srtp_refused") as scene:
        ear, speaker = await scene.ear(), await (await scene.caller("whip", "127.2.0.10")).connect()
        speaker.speak(tone(1)[0])
        before = await figures(house)
        for number, opus in enumerate(tone(200)):
            speaker.send(speaker.protect(speaker.rtp(opus, ssrc=1000 + number)))
        await scene.settle()
        after = await figures(house)
        refused = after["dropped_srtp_refused"] - before["dropped_srtp_refused"]
        assert refused == 200 - MOST_SOURCES + 1
        scene.talking(speaker)  # the first one still counts
        first = len(ear.arrivals)
        await eventually(lambda: len(ear.arrivals) > first + 100)
        assert quiet(ear.arrivals, len(ear.arrivals) - 10) == 0


async def test_row_11_a_listener_who_sends_sound(house: House) -> None:
    """The host's listening connection, even: not who one is, but which connection has the floor, makes a voice."""
    async with attacked(house, "dropped_rtp_from_listener") as scene:
        before = await figures(house)
        ear = await scene.ear()
        listeners = [
            await (await scene.caller("whep", "127.2.0.11", api=api)).connect()
            for api in (scene.host, scene.member)
        ]
        tasks = [scene.talking(listener) for listener in listeners]
        await eventually(lambda: min(len(x.sent) for x in listeners) > LOUD_PACKETS)
        for task in tasks:
            task.cancel()
        await scene.settle()
        after = await figures(house)
        sent = sum(len(x.sent) for x in listeners)
        assert after["dropped_rtp_from_listener"] - before["dropped_rtp_from_listener"] == sent
        assert len(ear.arrivals) > 1
        assert quiet(ear.arrivals) == 1


async def test_row_12_a_speaker_at_2000_packets_a_second(house: House) -> None:
    async with attacked(house, "dropped_rtp_policed") as scene:
        ear, speaker = await scene.ear(), await (await scene.caller("whip", "127.2.0.12")).connect()
        seconds, before = 3.0, await figures(house)
        datagrams = [speaker.protect(speaker.rtp(opus)) for opus in tone(int(2000 * seconds) + 400)]
        first = len(ear.arrivals)
        async with flooding(speaker.server, [speaker.sock], datagrams, 2000, seconds) as flood:
            pass
        await scene.settle()
        after, flooded = await figures(house), flood.result()
        policed = after["dropped_rtp_policed"] - before["dropped_rtp_policed"]
        passed = flooded.sent - policed
        assert passed <= PACKETS_PER_SECOND * (flooded.seconds + 1.1)
        assert passed >= PACKETS_PER_SECOND
        assert len(ear.arrivals) - first <= 50 * (flooded.seconds + 1)
        assert missing(ear.arrivals) == 0


async def test_row_13_a_flood_of_huge_reports(house: House) -> None:
    async with attacked(house, "dropped_rtcp_policed", "dropped_rtcp_malformed") as scene:
        scene.talking(await (await scene.caller("whip")).connect())
        listener = await (await scene.caller("whep", "127.2.0.13")).connect()
        await heard(listener, 30)
        assert listener.srtp is not None
        block = rtcp.ReportBlock(listener.heard_ssrc or 0, 255, 1, 1, 1, 1, 1)
        huge = rtcp.encode(*[rtcp.ReceiverReport(1, (block,) * 27)] * 2)
        many = rtcp.encode(*[rtcp.ReceiverReport(1)] * 100)
        assert min(len(huge), len(many)) > 700
        bombs = [listener.srtp.protect_rtcp(report) for report in (many, many, *[huge] * 25_000)]
        before = await figures(house)
        async with flooding(listener.server, [listener.sock], bombs, 10_000, 2.0) as flood:
            packets = await heard(listener, 80)
        after, flooded = await figures(house), flood.result()
        policed = after["dropped_rtcp_policed"] - before["dropped_rtcp_policed"]
        overflow = after["dropped_receive_buffer_full"] - before["dropped_receive_buffer_full"]
        assert flooded.sent > 10_000
        assert policed + overflow >= flooded.sent - 20 * (flooded.seconds + 1.1)
        assert {p.ssrc for p in packets} == {listener.heard_ssrc}


async def test_row_13_goodbye_in_the_name_of_another(house: House) -> None:
    async with attacked(house) as scene:
        await give_floor(scene.host, scene.member, scene.stage)
        ear = await scene.ear()
        speaker = await (await scene.caller("whip")).connect()
        other = await (await scene.caller("whip", "127.2.0.13", api=scene.member)).connect()
        listener = await (await scene.caller("whep", "127.2.0.13")).connect()
        scene.talking(speaker)
        await eventually(lambda: len(ear.arrivals) > 50)
        first = len(ear.arrivals)
        for caller in (other, listener):
            assert caller.srtp is not None
            for ssrc in (speaker.ssrc, ear.arrivals[0].packet.ssrc, listener.heard_ssrc or 0):
                goodbye = rtcp.encode(rtcp.ReceiverReport(ssrc), rtcp.Bye((ssrc,)))
                caller.send(caller.srtp.protect_rtcp(goodbye))
        await scene.settle()
        await eventually(lambda: len(ear.arrivals) > first + 50)
        await heard(listener, 20)
        assert quiet(ear.arrivals, first) < 0.05
        assert missing(ear.arrivals) == 0
