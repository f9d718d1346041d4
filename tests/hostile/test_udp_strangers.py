"""Rows 1, 2, 3 and 7: datagrams of those who are nobody here, and of those who pretend to be somebody."""

from __future__ import annotations

import asyncio
import random
import struct
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from parola.media.identity import self_signed
from parola.rtp import demux, stun
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import IceClient
from parola.rtp.stun import Attribute, Class, Message
from tests.e2e.house import House, eventually, opened
from tests.hostile.callers import (
    CALLER,
    Caller,
    attacked,
    figures,
    flooding,
    heard,
    missing,
    quiet,
    received,
    udp,
)

pytestmark = [pytest.mark.alone, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]

COOKIE = bytes.fromhex("2112a442")


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


def without_integrity(check: bytes) -> bytes:
    attributes = {k: v for k, v in stun.parse(check).attributes.items() if k != Attribute.MESSAGE_INTEGRITY}
    del attributes[Attribute.FINGERPRINT]
    return stun.encode(Message(stun.BINDING, Class.REQUEST, b"t" * 12, attributes))


def signed_by(ufrag: bytes, password: str) -> bytes:
    return IceClient(ufrag.decode(), password, CALLER, b"seed" * 3, 1).request(0.0)


async def test_row_01_stun_without_proof_is_not_answered(house: House) -> None:
    async with attacked(house, "dropped_stun_unknown", "dropped_stun_refused") as scene:
        victim, stranger = await scene.caller("whep", "127.2.0.1"), scene.stranger()
        good = victim.check()
        ufrag = stun.parse(good).username.partition(b":")[0]
        wrong = [
            signed_by(b"0123456789abcdef", "a-password-of-22-letters"),
            signed_by(ufrag, "a-password-of-22-letters"),
            signed_by(ufrag, ""),
            without_integrity(good),
            stun.encode(Message(stun.BINDING, Class.REQUEST, b"t" * 12)),
            stun.encode(Message(stun.BINDING, Class.REQUEST, b"t" * 12), b"password"),
        ]
        for sock in (stranger, victim.sock):
            victim.send(*wrong * 10, sock=sock)
        await scene.settle()
        assert received(stranger) == received(victim.sock) == []


async def test_row_01_an_answer_is_small_and_goes_to_who_asked(house: House) -> None:
    async with attacked(house, "dropped_stun_refused") as scene:
        victim, stranger = await scene.caller("whep", "127.2.0.1"), scene.stranger()
        good = victim.check()
        unknown = {0x0031 + i: b"" for i in range(8)}
        asks = {Attribute.USERNAME: stun.parse(good).username, **unknown}
        victim.send(good)
        await scene.settle()
        (answer,) = received(victim.sock)
        assert victim.ice.handle_response(answer)
        assert len(answer) <= len(good) + 64
        # The password is the caller's own: whoever may ask may also ask nonsense.
        nonsense = stun.encode(Message(stun.BINDING, Class.REQUEST, b"n" * 12, asks), victim.ice._key)
        victim.send(nonsense)
        victim.send(good, sock=stranger)  # overheard, and sent again from elsewhere
        await scene.settle()
        (refusal,) = received(victim.sock)
        assert stun.parse(refusal).error_code == 420
        assert len(refusal) <= len(nonsense) + 64
        assert received(stranger) == []


async def test_row_02_stun_that_is_cut_or_lies_about_lengths(house: House) -> None:
    async with attacked(house, "dropped_stun_refused", "dropped_unknown") as scene:
        victim, dice = await scene.caller("whep", "127.2.0.2"), random.Random(2)
        good = victim.check()
        bad = [good[:size] for size in range(len(good))]
        bad += [good + bytes(extra) for extra in (1, 4, 300)]
        bad += [
            good[:2] + struct.pack("!H", (len(good) - 20 + by) % 65536) + good[4:]
            for by in range(-24, 25)
            if by
        ]
        for _ in range(300):
            # But for the fingerprint, which stands behind what the integrity covers.
            at, changed = dice.randrange(len(good) - 8), bytearray(good)
            changed[at] ^= 1 << dice.randrange(8)
            bad.append(bytes(changed))
        # An attribute longer than the message, and hundreds of empty ones before and behind a valid name.
        name = struct.pack("!HH", Attribute.USERNAME, 6) + b"caller" + bytes(2)
        for body in (
            name[:2] + b"\xff\xff" + name[4:],
            b"\x80\x01\0\0" * 300 + name,
            name + b"\x80\x01\0\0" * 300,
        ):
            bad.append(b"\0\1" + struct.pack("!H", len(body)) + COOKIE + b"t" * 12 + body)
        victim.send(*bad)
        await scene.settle()
        assert received(victim.sock) == []
        await victim.connect()


async def test_row_03_client_hellos_from_where_ice_has_not_been(house: House) -> None:
    async with attacked(house, "dropped_dtls_from_stranger") as scene:
        ours = Certificate(*self_signed())
        client = Dtls(ours, "client", Fingerprint("sha-256", ours.fingerprint))
        client.start()
        hello = client.poll()
        assert hello is not None
        caller, strangers = await scene.caller("whep", "127.2.0.3"), [scene.stranger(n) for n in range(1, 21)]
        await caller.prove()
        before = await figures(house)
        async with flooding(caller.server, strangers, [hello], 1000, 2.0) as hellos:
            await caller.connect()
            for _ in range(5):
                await (await scene.caller("whep", "127.2.0.3")).connect()
        after = await figures(house)
        ignored = after["dropped_dtls_from_stranger"] - before["dropped_dtls_from_stranger"]
        assert ignored == hellos.result().sent
        assert [received(stranger) for stranger in strangers] == [[]] * 20


async def test_row_01_nobody_turns_their_stream_to_somebody_else(house: House) -> None:
    """A member's own check, from an address that is not theirs, as whoever can forge sources sends it."""
    async with attacked(house) as scene:
        listener = await (await scene.caller("whep")).connect()
        speaker = await (await scene.caller("whip", api=scene.host)).connect()
        scene.talking(speaker)
        await heard(listener, 20)
        victim = udp("127.3.0.1")
        sent = 0
        for _ in range(50):
            check = listener.check()
            sent += len(check)
            listener.send(check, sock=victim)
            await asyncio.sleep(0.02)
        assert len(await heard(listener, 50)) >= 50, "it goes on where it was"
        got = received(victim)
        assert got
        assert {demux.kind(datagram) for datagram in got} == {"stun"}
        assert sum(map(len, got)) <= sent + 64 * 50
        # The same check is answered there by whoever has the address, and then it is theirs.
        check = next(d for d in got if stun.parse(d).message_class is stun.Class.REQUEST)
        answer = listener.ice.handle_request(check, listener.server)
        assert answer is not None
        listener.send(answer, sock=victim)
        await eventually(lambda: "rtp" in {demux.kind(datagram) for datagram in received(victim)})
        victim.close()


async def test_row_07_srtp_from_an_address_that_stun_has_not_seen(house: House) -> None:
    async with attacked(house, "dropped_rtp_from_stranger", "dropped_rtcp_from_stranger") as scene:
        ear, stranger = await scene.ear(), scene.stranger()
        speaker = await (await scene.caller("whip", "127.2.0.7")).connect()
        talking = scene.talking(speaker)
        await eventually(lambda: len(ear.arrivals) > 30)
        talking.cancel()
        first = len(ear.arrivals)
        # Her own packets, under her keys, in order: but from elsewhere.
        elsewhere = Caller(
            stranger, speaker.server, speaker.ice, speaker.dtls, speaker.ssrc, None, speaker.srtp
        )
        elsewhere.sequence = speaker.sequence
        again = scene.talking(elsewhere)
        await eventually(lambda: len(elsewhere.sent) > 75)
        assert quiet(ear.arrivals, max(first, len(ear.arrivals) - 5)) == 1
        again.cancel()
        # And a listener's report from elsewhere pulls no sound there.
        listener = await (await scene.caller("whep", "127.2.0.7")).connect()
        speaker.sequence = elsewhere.sequence
        scene.talking(speaker)
        await heard(listener, 30)
        assert listener.srtp is not None
        for _ in range(20):
            report = listener.srtp.protect_rtcp(bytes.fromhex("80c90001") + bytes(4))
            listener.send(report, listener.protect(listener.rtp(b"\xf8")), sock=stranger)
        await scene.settle()
        await heard(listener, 30)
        assert received(stranger) == []
        assert missing(ear.arrivals) == 0
