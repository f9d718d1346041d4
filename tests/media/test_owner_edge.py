"""An owned room and its edge with real codecs in virtual time: who is heard by whom, and when that ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parola.bus.frame import Frame
from parola.domain import rooms
from parola.media.codec import Decoder, Encoder
from parola.media.edge import EdgeRoom
from parola.media.listener import Listener
from parola.media.owner import OwnedRoom
from parola.media.packet_time import Pace
from parola.media.speaker import Speaker
from parola.media.stream import ProgramStream, StreamNumbers
from parola.media.ticker import STALL_S
from parola.media.voice import Voice
from parola.rtp import opus, red, rtcp
from parola.rtp.rtp import RtpPacket
from tests.media.fakes import FakePeer, FakeSender, FakeWatched, live_room

TICK = 0.02
QUIET = opus.dtx(31 << 3)
DIGITAL_SILENCE = opus.silence(31 << 3)
LEVEL_ID = 1


class House:
    """One room, owner and edge in one process; `run` lets virtual time pass, 20 ms at a time."""

    def __init__(self, *speakers: str, frames: int | None = None) -> None:
        self.now = 1000.0
        self.watched = FakeWatched(live_room(*speakers))
        self.owned = OwnedRoom(self.watched, 1, lambda room: None, lambda room_id, levels: None)
        senders: Any = [FakeSender()]
        self.edge = EdgeRoom(self.watched, lambda: self.now, senders, Pace(fixed=frames))
        self.edge.attach(1, 0, float("inf"))
        self.owned.edges["here"] = self.edge
        self.talking: dict[str, float] = {}
        self.encoders = {name: Encoder() for name in ("host", *speakers)}
        self.sent = dict.fromkeys(self.encoders, 0)
        self.speakers = {name: self._speaker(name) for name in self.encoders}

    def _speaker(self, name: str) -> Speaker:
        voice = Voice(name, 111, 63, LEVEL_ID)
        speaker = Speaker(self.owned, name, None, f"whip-{name}", voice, lambda s: None, lambda *_: None)
        peer = FakePeer()
        peer.on_close = speaker.closed
        speaker.peer = peer  # type: ignore[assignment]
        self.owned.add(speaker)
        return speaker

    def listener(self, account_id: str | None, red_pt: int | None = None) -> tuple[Listener, FakePeer]:
        peer = FakePeer()
        name = f"whep-{account_id}-{len(self.edge.listeners)}"
        listener = Listener(self.edge, account_id, None, name, lambda x: None, lambda *_: None)
        peer.on_close = listener.closed
        listener.peer = peer  # type: ignore[assignment]
        numbers = StreamNumbers(111, red_pt, 77, 0, 0)
        listener.stream = ProgramStream(numbers, self.now)
        self.edge.add(listener)
        listener.connected(self.now)
        return listener, peer

    def run(self, ticks: int) -> None:
        for _ in range(ticks):
            for name, frequency in self.talking.items():
                self._say(name, frequency)
            self.owned.tick(round(self.now / TICK), self.now)
            self.edge.maintain(self.now)
            self.now += TICK

    def _say(self, name: str, frequency: float) -> None:
        n = self.sent[name]
        self.sent[name] += 1
        t = (np.arange(960) + n * 960) / 48_000
        pcm = (0.3 * np.sin(2 * np.pi * frequency * t)).astype(np.float32)
        packet = RtpPacket(
            111, False, n & 0xFFFF, (n * 960) & 0xFFFFFFFF, 5, extensions={LEVEL_ID: bytes([0x80 | 13])},
            payload=self.encoders[name].encode(pcm),
        )  # fmt: skip
        self.speakers[name].rtp(packet.to_bytes(), self.now)


def heard(packets: list[bytes]) -> np.ndarray:
    """What a decoder makes of a stream, with its own comfort noise where nothing is said."""
    decoder = Decoder()
    parts = []
    for data in packets:
        payload = RtpPacket.parse(data).payload
        frames = opus.split(payload) if len(payload) > 2 else []
        parts += [decoder.decode(frame) for frame in frames] or [decoder.conceal(960)]
    return np.concatenate(parts) if parts else np.zeros(0, np.float32)


def payloads(peer: FakePeer) -> list[bytes]:
    return [RtpPacket.parse(packet).payload for packet in peer.packets]


def amplitude(sound: np.ndarray, frequency: float) -> float:
    t = np.arange(sound.size) / 48_000
    return float(2 * abs(np.dot(sound, np.exp(-2j * np.pi * frequency * t))) / max(1, sound.size))


def test_everyone_hears_the_others_and_nobody_themselves() -> None:
    house = House("bob")
    _, audience = house.listener("carla")
    _, guest = house.listener(None)
    _, host = house.listener("host")
    _, bob = house.listener("bob")
    house.talking = {"host": 440.0, "bob": 1000.0}
    house.run(30)
    for peer in (audience, guest, host, bob):
        peer.packets.clear()
    house.run(50)
    for peer in (audience, guest):
        assert amplitude(heard(peer.packets), 440) > 0.1
        assert amplitude(heard(peer.packets), 1000) > 0.1
    assert amplitude(heard(host.packets), 1000) > 0.1
    assert amplitude(heard(host.packets), 440) < 0.002
    assert amplitude(heard(bob.packets), 440) > 0.1
    assert amplitude(heard(bob.packets), 1000) < 0.002


def test_a_lone_talker_hears_nothing_of_it() -> None:
    house = House()
    _, host = house.listener("host")
    house.talking = {"host": 440.0}
    house.run(100)
    sound = heard(host.packets)
    assert not sound.any() or float(np.abs(sound).max()) < 0.002


def test_the_end_of_a_sound_is_not_mistaken_for_a_dead_path() -> None:
    """Silent packets come sooner at first, then as often as an encoder's own would."""
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(50)
    house.talking = {}
    audience.packets.clear()
    times: list[float] = []
    for _ in range(200):
        before = len(audience.packets)
        house.run(1)
        times += [house.now] * (len(audience.packets) - before)
    gaps = [round(b - a, 2) for a, b in itertools.pairwise(times)]
    quiet = gaps[next(i for i, gap in enumerate(gaps) if gap > 0.05) :]
    assert quiet[0] < 0.15
    assert quiet[1] < 0.25
    assert all(0.35 < gap < 0.5 for gap in quiet[2:])
    assert len(quiet) > 5


async def test_no_copy_of_what_was_fenced_follows_in_a_later_packet() -> None:
    """Whoever had lost the original would hear the voice after its revocation was answered."""
    house = House("bob")
    _, audience = house.listener("carla", red_pt=63)
    house.talking = {"bob": 1000.0, "host": 440.0}
    house.run(50)
    assert len(red.decode(RtpPacket.parse(audience.packets[-1]).payload)) > 1
    settled = asyncio.ensure_future(house.owned.settle(house.watched.decide(rooms.Revoke("host", "bob"))))
    await asyncio.sleep(0)
    house.run(1)
    await settled
    before = RtpPacket.parse(audience.packets[-1]).timestamp
    audience.packets.clear()
    house.run(3)
    for packet in map(RtpPacket.parse, audience.packets):
        offsets = (
            [b.timestamp_offset for b in red.decode(packet.payload)] if packet.payload_type == 63 else [0]
        )
        assert all(packet.timestamp - offset > before for offset in offsets)
    assert len(audience.packets) == 3


@pytest.mark.parametrize(
    "command",
    [
        rooms.Revoke("host", "bob"),
        rooms.Mute("host", "bob"),
        rooms.Remove("host", "bob"),
        rooms.ShutOut("host", "bob"),
        rooms.ShutOut("bob", "bob"),
    ],
)
async def test_nothing_of_a_voice_leaves_after_settle_has_answered(command: rooms.Command) -> None:
    house = House("bob")
    _, audience = house.listener("carla")
    house.talking = {"bob": 1000.0}
    house.run(50)
    assert amplitude(heard(audience.packets)[-24_000:], 1000) > 0.1
    seq = house.watched.decide(command)
    settled = asyncio.ensure_future(house.owned.settle(seq))
    await asyncio.sleep(0)
    house.run(1)
    await settled
    audience.packets.clear()
    house.run(50)
    assert amplitude(heard(audience.packets), 1000) < 0.0005
    assert len(RtpPacket.parse(audience.packets[-1]).payload) <= 2


def test_what_was_mixed_before_this_process_stood_still_is_not_sent_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house = House("bob")
    _, peer = house.listener(None)
    house.talking["bob"] = 440.0
    house.run(20)
    before = len(peer.packets)
    clock = itertools.chain([0.0], itertools.repeat(STALL_S + 0.1))
    stood = SimpleNamespace(monotonic=lambda: next(clock), time_ns=time.time_ns)
    with monkeypatch.context() as patched:
        patched.setattr("parola.media.owner.time", stood)
        house.run(1)
    assert len(peer.packets) == before
    house.run(5)
    assert len(peer.packets) > before


async def test_another_voice_goes_on_unbroken_through_a_cut() -> None:
    house = House("bob")
    _, audience = house.listener("carla")
    house.talking = {"bob": 1000.0, "host": 440.0}
    house.run(50)
    settled = asyncio.ensure_future(house.owned.settle(house.watched.decide(rooms.Mute("host", "bob"))))
    await asyncio.sleep(0)
    house.run(1)
    await settled
    audience.packets.clear()
    house.run(50)
    sound = heard(audience.packets)
    assert len(audience.packets) == 50
    assert amplitude(sound[9600:], 440) > 0.1
    assert amplitude(sound[9600:], 1000) < 0.0005


def test_without_the_floor_nothing_is_decoded_or_buffered() -> None:
    house = House("bob")
    _, audience = house.listener("carla")
    house.watched.decide(rooms.Mute("bob", "bob"))
    house.talking = {"bob": 1000.0}
    house.run(50)
    assert house.speakers["bob"].voice.refused == 50
    assert amplitude(heard(audience.packets), 1000) < 0.0005
    house.watched.decide(rooms.Unmute("bob", "bob"))
    audience.packets.clear()
    house.run(50)
    assert amplitude(heard(audience.packets), 1000) > 0.1


def test_a_revoked_speakers_connection_ends_and_a_muted_ones_does_not() -> None:
    house = House("bob", "carla")
    house.watched.decide(rooms.Mute("host", "bob"))
    house.watched.decide(rooms.Revoke("host", "carla"))
    assert set(house.owned.speakers) == {"host", "bob"}


@pytest.mark.parametrize("command", [rooms.Remove("host", "bob"), rooms.ShutOut("bob", "bob")])
def test_removal_ends_listening_and_the_end_ends_all(command: rooms.Command) -> None:
    house = House("bob")
    _, bob = house.listener("bob")
    _, carla = house.listener("carla")
    house.watched.decide(command)
    assert (bob.reason, carla.reason) == ("removed", None)
    house.watched.decide(rooms.End("host"))
    assert carla.reason == "room_ended"
    assert house.owned.speakers == {}


def test_the_end_of_a_visit_ends_listening_also_where_everybody_may_enter() -> None:
    house = House("bob")
    house.watched.decide(rooms.Remove("host", "eva"))
    house.watched.decide(rooms.Visit(rooms.ADMINISTRATION, "eva"))
    _, eva = house.listener("eva")
    house.watched.decide(rooms.LockHands("host"))
    assert eva.reason is None
    house.watched.decide(rooms.EndVisit(rooms.ADMINISTRATION, "eva"))
    assert eva.reason == "removed"


def test_a_room_has_place_for_listeners_and_always_for_those_it_needs() -> None:
    house = House("bob")
    for needed in ("host", "bob"):
        house.listener(needed)
    house.watched.decide(rooms.AddCohost("host", "cora"))
    house.watched.decide(rooms.LimitListeners("host", 2))
    house.listener("carla")
    assert house.edge.has_place_for(None)
    guest, _ = house.listener(None)
    for full in (None, "dan"):
        assert not house.edge.has_place_for(full)
    for one in ("host", "bob", "cora", "carla"):
        assert house.edge.has_place_for(one), one
    house.watched.decide(rooms.LimitListeners("host", None))
    assert house.edge.has_place_for("dan")
    house.watched.decide(rooms.LimitListeners("host", 2))
    house.edge.gone(guest)
    assert house.edge.has_place_for("dan")


def test_frames_of_an_old_epoch_or_behind_a_fence_are_dropped() -> None:
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    house.edge.attach(2, 0, float("inf"))
    audience.packets.clear()
    house.run(10)
    assert set(payloads(audience)) <= {DIGITAL_SILENCE, QUIET}
    assert house.edge.late_frames >= 9


def test_a_sound_that_its_owner_breaks_off_ends_in_nothing() -> None:
    """Comfort noise is as loud as what came before: a word cut in two would go on as a hiss."""
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    spoken = len(audience.packets)
    house.edge.attach(2, 0, float("inf"))
    house.run(100)
    ending, *after = payloads(audience)[spoken:]
    assert ending == DIGITAL_SILENCE
    assert set(after) == {QUIET}
    sound = heard(audience.packets)
    assert np.abs(sound).max() > 0.1
    assert np.abs(sound[-len(after) * 960 :]).max() < 1 / 32768


def test_what_an_owner_says_after_it_stood_still_comes_after_the_silence() -> None:
    house = House(frames=1)
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    spoken = next(p for p in reversed(payloads(audience)) if len(p) > 3)
    house.now += 4.5 * TICK  # just too late, and not so late that its clock is compared anew
    house.edge.maintain(house.now)
    assert payloads(audience)[-2:] == [DIGITAL_SILENCE, QUIET]
    for tick in range(house.owned.last_tick + 1, house.owned.last_tick + 6):
        house.edge.deliver("main", Frame(1, tick, ("host",), 0, spoken))
    assert payloads(audience)[-5:] == [spoken] * 5
    times = [RtpPacket.parse(packet).timestamp for packet in audience.packets]
    assert times == sorted(set(times))


async def test_a_fence_refuses_frames_that_come_late() -> None:
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    ahead = round(house.now / TICK) + 5
    await house.edge.fence(1, ahead, house.watched.room.seq)
    audience.packets.clear()
    house.run(5)
    assert set(payloads(audience)) <= {DIGITAL_SILENCE, QUIET}
    house.run(10)
    assert any(len(payload) > 3 for payload in payloads(audience))


def test_a_silent_room_needs_no_ticks_and_its_listeners_get_a_packet_every_400_ms() -> None:
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    house.talking = {}
    house.run(60)
    assert house.owned.tick(round(house.now / TICK), house.now) is False
    audience.packets.clear()
    house.run(100)
    assert 4 <= len(audience.packets) <= 6
    assert all(len(RtpPacket.parse(p).payload) == 1 for p in audience.packets)


def test_a_stream_never_jumps_back_and_counts_every_packet() -> None:
    house = House("bob")
    _, bob = house.listener("bob")
    for talking in ({"host": 440.0}, {}, {"bob": 700.0}, {"bob": 700.0, "host": 440.0}, {"host": 440.0}, {}):
        house.talking = dict(talking)
        house.run(45)
    packets = [RtpPacket.parse(p) for p in bob.packets]
    assert [p.sequence for p in packets] == list(range(len(packets)))
    stamps = [p.timestamp for p in packets]
    assert all(b > a for a, b in itertools.pairwise(stamps))
    assert all((b - a) % 960 == 0 for a, b in itertools.pairwise(stamps))


def test_a_newer_connection_of_a_speaker_replaces_the_older() -> None:
    house = House()
    first = house.speakers["host"]
    second = house._speaker("host")
    assert first.peer.reason == "replaced"  # type: ignore[attr-defined]
    assert house.owned.speakers["host"] is second


def test_what_a_listener_sends_goes_nowhere() -> None:
    house = House()
    listener, _ = house.listener("carla")
    _, audience = house.listener("dora")
    audience.packets.clear()
    listener.rtp(RtpPacket(111, False, 1, 1, 9, payload=b"\xf8hello").to_bytes(), house.now)
    house.run(3)
    assert listener.unasked == 1
    assert not heard(audience.packets).any() or float(np.abs(heard(audience.packets)).max()) < 1e-3


async def test_a_fence_counts_for_an_edge_whose_attachment_is_still_on_its_way() -> None:
    house = House()
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    now = round(house.now / TICK)
    await house.edge.fence(2, now + 5, house.watched.room.seq)
    house.edge.attach(2, now - 10, float("inf"))
    house.owned.epoch = 2
    audience.packets.clear()
    house.run(5)
    assert set(payloads(audience)) <= {DIGITAL_SILENCE, QUIET}
    house.run(10)
    assert any(len(payload) > 3 for payload in payloads(audience))


@pytest.mark.parametrize("frames", [2, 3, 4, 5, 6])
def test_long_packets_hold_every_frame_once_and_in_order(frames: int) -> None:
    house = House(frames=frames)
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(20)
    audience.packets.clear()
    house.run(60)
    packets = [RtpPacket.parse(p) for p in audience.packets]
    assert len(packets) == 60 // frames
    held = [len(opus.split(p.payload)) for p in packets]
    for (a, b), count in zip(itertools.pairwise(packets), held, strict=False):
        assert b.timestamp - a.timestamp == 960 * count
        assert b.sequence - a.sequence == 1
    assert amplitude(heard(audience.packets), 440) > 0.1


async def test_a_cut_closes_a_packet_in_the_making_and_nothing_of_the_voice_follows() -> None:
    house = House("bob", frames=6)
    _, audience = house.listener("carla", red_pt=63)
    house.talking = {"bob": 1000.0, "host": 440.0}
    for turn in range(6):
        house.run(50 + turn)
        settled = asyncio.ensure_future(house.owned.settle(house.watched.decide(rooms.Mute("host", "bob"))))
        await asyncio.sleep(0)
        house.run(1)
        await settled
        until = round(house.now / TICK) - 1
        last = RtpPacket.parse(audience.packets[-1])
        frames = len(opus.split(_primary(last)))
        assert last.timestamp // 960 + frames - 1 == until, "what was mixed before the cut has left"
        audience.packets.clear()
        house.run(30)
        assert amplitude(heard(_plain(audience.packets)), 1000) < 0.0005
        house.watched.decide(rooms.Unmute("bob", "bob"))


def test_packets_grow_by_20_ms_at_a_time_and_no_frame_is_lost_or_repeated() -> None:
    house = House()
    listeners = [house.listener(f"guest{n}") for n in range(3)]
    house.talking = {"host": 440.0}
    house.run(20)
    for _, peer in listeners:
        peer.packets.clear()
    for second in range(25):
        house.edge.pace(0.9 if second < 21 else 0.0, house.now)
        house.run(50)
    assert house.edge.packet_ms == 20
    for _, peer in listeners:
        packets = [RtpPacket.parse(p) for p in peer.packets]
        sizes = [len(opus.split(p.payload)) for p in packets]
        assert max(sizes) == 6
        assert all(b - a <= 1 for a, b in itertools.pairwise(_plateaus(sizes)))
        for (a, b), count in zip(itertools.pairwise(packets), sizes, strict=False):
            assert b.timestamp - a.timestamp == 960 * count


def _plateaus(sizes: list[int]) -> list[int]:
    """Sizes that were kept for more than a moment."""
    return [size for size, group in itertools.groupby(sizes) if len(list(group)) > 3]


def test_whoever_loses_packets_gets_short_ones_with_copies_and_comes_back_by_the_ladder() -> None:
    house = House(frames=6)
    lossy, peer = house.listener("carla", red_pt=63)
    _, well = house.listener("dora", red_pt=63)
    house.talking = {"host": 440.0}
    house.run(600)
    block = rtcp.ReportBlock(77, 100, 5, 10, jitter=3, lsr=0, dlsr=0)
    lossy.rtcp(rtcp.encode(rtcp.ReceiverReport(9, (block,))), house.now)
    house.run(20)
    peer.packets.clear()
    well.packets.clear()
    house.run(60)
    assert len(peer.packets) == 60
    assert all(len(red.decode(RtpPacket.parse(p).payload)) == 3 for p in peer.packets)
    assert len(well.packets) == 10
    house.run(50 * 40)
    packets = [RtpPacket.parse(p) for p in peer.packets]
    sizes = [len(opus.split(_primary(p))) for p in packets]
    assert _plateaus(sizes) == [1, 2, 3, 4, 5, 6]
    for (a, b), count in zip(itertools.pairwise(packets), sizes, strict=False):
        assert b.timestamp - a.timestamp == 960 * count


def _plain(packets: list[bytes]) -> list[bytes]:
    """Without RED."""
    return [replace(p, payload=_primary(p)).to_bytes() for p in map(RtpPacket.parse, packets)]


def _primary(packet: RtpPacket) -> bytes:
    return red.decode(packet.payload)[-1].data if packet.payload_type == 63 else packet.payload


def test_on_stage_packets_stay_short_and_whoever_comes_or_goes_misses_nothing() -> None:
    house = House(frames=6)
    _, peer = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(50)
    peer.packets.clear()
    house.watched.decide(rooms.RaiseHand("carla"))
    house.watched.decide(rooms.Grant("host", "carla"))
    house.run(100)
    assert len(opus.split(RtpPacket.parse(peer.packets[-1]).payload)) == 1
    house.watched.decide(rooms.Revoke("host", "carla"))
    house.run(50 * 20)
    packets = [RtpPacket.parse(p) for p in peer.packets]
    sizes = [len(opus.split(p.payload)) for p in packets]
    assert sizes[-1] == 6
    for (a, b), count in zip(itertools.pairwise(packets), sizes, strict=False):
        assert b.timestamp - a.timestamp == 960 * count


def test_what_waits_of_an_old_epoch_is_never_sent() -> None:
    house = House(frames=6)
    _, audience = house.listener("carla")
    house.talking = {"host": 440.0}
    house.run(50)
    while not any(track.merger.waiting_since for track, _ in house.edge._seating.tracks()):
        house.run(1)
    before = len(audience.packets)
    house.edge.attach(2, 0, float("inf"))
    house.run(4)
    assert all(len(RtpPacket.parse(p).payload) <= 2 for p in audience.packets[before:])
