"""Frames put together and repeated: whatever comes, each leaves once, in its turn, in packets that every path bears."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import lcm

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.media.fanout.layout import LARGEST_PAYLOAD
from parola.media.merging import FRAME, MOST_COPIES, Merger, Packet, PacketClass
from parola.media.packet_time import LONGEST
from parola.rtp import opus, red

OPUS_PT, RED_PT = 111, 63
PLAIN = PacketClass(OPUS_PT, None, 0)
CELT = 31 << 3
"""The first byte of what our own encoder makes."""
HEADS = (CELT, CELT | 4, 15 << 3, 9 << 3, 1 << 3)
"""Others that hold 20 ms: stereo, hybrid, and two of SILK."""
QUIET = opus.dtx(CELT)


def protected(copies: int) -> PacketClass:
    return PacketClass(OPUS_PT, RED_PT, copies)


def frame(number: int, size: int = 80, head: int = CELT) -> bytes:
    """One that no other is like."""
    return bytes([head]) + number.to_bytes(4, "big") + bytes(max(0, size - 5))


@dataclass
class Line:
    """A merger, what went in and what came out."""

    merger: Merger
    given: list[tuple[int, bytes]] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    forgotten: int = 0
    """Packets of which nothing may follow any more."""
    repeated_from: list[int] = field(default_factory=list)
    """For each packet, the first one that may still be repeated in it."""

    def add(self, tick: int, data: bytes) -> None:
        self.given.append((tick, data))
        self._took(list(self.merger.add(tick, data)))

    def close(self) -> None:
        self._took(list(self.merger.close()))

    def forget(self) -> None:
        self.merger.forget()
        self.forgotten = len(self.packets)

    def say(self, ticks: range, size: int = 80) -> None:
        """Sound without a pause."""
        for tick in ticks:
            self.add(tick, frame(tick, size))

    def _took(self, packets: list[Packet]) -> None:
        self.packets += packets
        self.repeated_from += [self.forgotten] * len(packets)


def held(packet: Packet) -> list[tuple[int, bytes]]:
    """The frames of a packet, and their ticks."""
    return list(enumerate(opus.split(packet.opus), packet.tick))


def carried(packet: Packet, copies: int) -> list[tuple[int, bytes]]:
    """(first tick, packet) of each block that a listener of a class gets in this one, its own the last."""
    payload, payload_type = packet.payload(protected(copies))
    if payload_type == OPUS_PT:
        return [(packet.tick, payload)]
    blocks = red.decode(payload)
    assert {block.payload_type for block in blocks} == {OPUS_PT}
    assert all(block.timestamp_offset % FRAME == 0 for block in blocks)
    return [(packet.tick - block.timestamp_offset // FRAME, block.data) for block in blocks]


sounds = st.builds(
    lambda number, size, head: frame(number, size, head),
    st.integers(0, 2**32 - 1),
    st.one_of(st.integers(5, 200), st.integers(5, LARGEST_PAYLOAD)),
    st.sampled_from([CELT] * 5 + list(HEADS)),
)
silences = st.sampled_from([QUIET, bytes([CELT, 0])])
steps = st.one_of(
    st.tuples(st.just("frame"), st.sampled_from([1] * 9 + [2, 40]), sounds),
    st.tuples(st.just("frame"), st.just(1), sounds),
    st.tuples(st.just("frame"), st.sampled_from([1, 5]), silences),
    st.tuples(st.just("frames"), st.integers(1, LONGEST), st.just(b"")),
    st.tuples(st.sampled_from(["close", "forget"]), st.just(0), st.just(b"")),
)


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """Frames of all sizes and kinds, with gaps, while the length changes, packets are closed early and copies are
    forgotten."""
    line, tick = Line(Merger(draw(st.integers(0, LONGEST - 1)))), draw(st.integers(1, 1000))
    line.merger.frames = draw(st.integers(1, LONGEST))
    for what, number, data in draw(st.lists(steps, max_size=80)):
        if what == "frame":
            tick += number
            line.add(tick, data)
        elif what == "frames":
            line.merger.frames = number
        elif what == "close":
            line.close()
        else:
            line.forget()
    line.close()
    assert line.merger.is_between
    return line


@given(lines())
def test_every_frame_leaves_once_and_in_its_turn(line: Line) -> None:
    assert [found for packet in line.packets for found in held(packet)] == line.given
    assert all(packet.frames == len(held(packet)) for packet in line.packets)


@given(lines())
def test_no_packet_is_longer_than_opus_allows_or_larger_than_every_path_carries(line: Line) -> None:
    for packet in line.packets:
        assert opus.duration(packet.opus) == FRAME * packet.frames <= opus.LONGEST
        for wanted in (PLAIN, *map(protected, range(MOST_COPIES + 1))):
            assert len(packet.payload(wanted)[0]) <= LARGEST_PAYLOAD


@given(lines(), st.integers(1, MOST_COPIES))
def test_what_is_repeated_was_sent_before_and_is_not_forgotten(line: Line, copies: int) -> None:
    sent = [(packet.tick, packet.opus) for packet in line.packets]
    for i, packet in enumerate(line.packets):
        *earlier, own = carried(packet, copies)
        assert own == sent[i]
        assert len(earlier) <= copies
        assert earlier == sent[i - len(earlier) : i], "the latest ones, and in their order"
        assert i - len(earlier) >= line.repeated_from[i]


@given(lines())
def test_silence_is_sent_alone_at_once_and_without_copies(line: Line) -> None:
    for packet in line.packets:
        assert packet.is_silent == any(opus.is_dtx(data) for _, data in held(packet))
        if packet.is_silent:
            assert packet.frames == 1
            assert packet.payload(protected(MOST_COPIES)) == (packet.opus, OPUS_PT)


@given(lines())
def test_who_understands_no_red_or_needs_none_gets_plain_opus(line: Line) -> None:
    for packet in line.packets:
        assert packet.payload(PLAIN) == packet.payload(protected(0)) == (packet.opus, OPUS_PT)


@pytest.mark.parametrize("frames", range(1, LONGEST + 1))
@pytest.mark.parametrize("phase", range(LONGEST))
def test_windows_follow_the_ticks_and_not_who_began_when(frames: int, phase: int) -> None:
    for begin in range(100, 100 + frames):
        line = Line(Merger(phase))
        line.merger.frames = frames
        line.say(range(begin, begin + 60))
        _, *whole = line.packets
        assert {packet.frames for packet in whole} == {frames}
        assert {(packet.tick + phase) % frames for packet in whole} == {0}


@given(st.integers(1, LONGEST), st.integers(1, LONGEST), st.integers(0, 5), st.integers(5, 600))
def test_two_lengths_of_one_phase_meet_where_both_end(one: int, other: int, phase: int, size: int) -> None:
    """Here a listener changes from one to the other, and gets each frame once."""
    first, second = Merger(phase), Merger(phase)
    first.frames, second.frames = one, other
    for tick in range(1, 121):
        for merger in (first, second):
            list(merger.add(tick, frame(tick, size)))
        if (tick + phase + 1) % lcm(one, other) == 0:
            assert first.is_between
            assert second.is_between


@pytest.mark.parametrize(("copies", "lost"), [(1, 1), (2, 2)])
@pytest.mark.parametrize("frames", range(1, LONGEST + 1))
def test_so_many_packets_may_be_lost_in_a_row_as_there_are_copies(
    frames: int, copies: int, lost: int
) -> None:
    line = Line(Merger())
    line.merger.frames = frames
    line.say(range(600, 720), size=1100 // (frames * (copies + 1)) - 6)
    for first in range(1, len(line.packets) - lost):
        got = dict[int, bytes]()
        for i, packet in enumerate(line.packets):
            if not first <= i < first + lost:
                for tick, data in carried(packet, copies):
                    got |= dict(enumerate(opus.split(data), tick))
        assert sorted(got.items()) == line.given


@pytest.mark.parametrize("frames", [1, 3, LONGEST])
def test_after_a_pause_nothing_from_before_it_is_repeated(frames: int) -> None:
    """It would take the place of nothing that was lost."""
    line = Line(Merger())
    line.merger.frames = frames
    line.say(range(600, 660))
    line.add(660, QUIET)
    before = len(line.packets)
    line.say(range(720, 780))
    line.close()
    for packet in line.packets[before:]:
        assert all(tick >= 720 for tick, _ in carried(packet, MOST_COPIES))


def test_a_copy_that_does_not_fit_is_left_out_before_the_packet_itself_is_shortened() -> None:
    line = Line(Merger())
    line.say(range(600, 610), size=500)
    assert [len(carried(packet, 2)) for packet in line.packets] == [1] + [2] * 9
    large = Line(Merger())
    large.say(range(600, 610), size=900)
    assert [len(carried(packet, 2)) for packet in large.packets] == [1] * 10


def test_a_change_of_length_counts_at_once_for_a_packet_that_is_already_longer() -> None:
    line = Line(Merger())
    line.merger.frames = LONGEST
    line.say(range(600, 604))
    assert line.merger.waiting_since == 600
    line.merger.frames = 1
    line.add(604, frame(604))
    assert [packet.frames for packet in line.packets] == [5]
    assert line.merger.is_between


def test_what_is_dropped_is_neither_sent_nor_repeated() -> None:
    line = Line(Merger())
    line.merger.frames = 3
    line.say(range(600, 605))
    line.merger.drop()
    assert line.merger.is_between
    assert line.merger.waiting_since is None
    line.say(range(605, 612))
    assert [(p.tick, p.frames) for p in line.packets] == [(600, 3), (605, 1), (606, 3), (609, 3)]
    assert [tick for tick, _ in carried(line.packets[1], MOST_COPIES)] == [605]
