"""What is kept of a room, in pieces: nothing is lost on the way in and out, and nothing is older than said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.evidence import (
    AFTER_END_S,
    MINUTES,
    MOST_SEGMENTS,
    SEGMENT_TICKS,
    EvidenceError,
    Growing,
    Heard,
    Part,
    Program,
    Ring,
    Sealed,
    Segment,
    Span,
    context,
    joined,
    packed,
    unpacked,
)

IDS = st.text(min_size=1, max_size=64)
TICKS = st.lists(
    st.tuples(
        st.integers(0, SEGMENT_TICKS - 1),
        st.lists(IDS, max_size=6).map(tuple),
        st.binary(min_size=1, max_size=1275),
    ),
    max_size=40,
    unique_by=lambda one: one[0],
).map(lambda ticks: sorted(ticks, key=lambda one: one[0]))


@given(TICKS, st.lists(IDS, max_size=600), IDS)
def test_what_goes_into_a_segment_comes_out_of_it(
    ticks: list[tuple[int, tuple[str, ...], bytes]], floor: list[str], room: str
) -> None:
    growing = Growing(room, 7, 1000, 50_000, 0.0)
    growing.had_floor(floor)
    taken = [one for one in ticks if growing.add(1000 + one[0], one[1], one[2])]
    segment = Segment.parse(bytes(growing.closed()))
    assert (segment.room_id, segment.number) == (room, 7)
    assert set(segment.floor) <= set(floor)
    if sum(map(len, floor)) < 200:
        assert set(segment.floor) == set(floor)
    assert segment.heard == tuple(Heard(50_000 + t * 20, who, packet) for t, who, packet in taken)
    growing.wipe()
    assert not any(growing._buffer)


@given(st.integers(1, 500))
def test_the_first_tick_always_finds_room_however_many_have_the_floor(speakers: int) -> None:
    growing = Growing("r" * 22, 1, 0, 0, 0.0)
    growing.had_floor(f"{n:022}" for n in range(speakers))
    assert growing.add(0, tuple(f"{n:022}" for n in range(6)), bytes(1275))
    assert len(Segment.parse(bytes(growing.closed())).floor) == min(speakers, 212)


def test_a_segment_is_four_seconds_and_no_more() -> None:
    growing = Growing("room", 1, 1000, 0, 0.0)
    assert growing.add(1000 + SEGMENT_TICKS - 1, ("ada",), b"x")
    assert not growing.add(1000 + SEGMENT_TICKS, ("ada",), b"x")
    assert not growing.add(999, ("ada",), b"x"), "nor does it go back"


def test_a_segment_takes_so_many_bytes_and_no_more() -> None:
    growing = Growing("room", 1, 0, 0, 0.0)
    taken = [tick for tick in range(SEGMENT_TICKS) if growing.add(tick, ("ada",), bytes(1275))]
    assert 15 < len(taken) < 25
    assert len(growing.closed()) <= 40_960


@given(st.binary(max_size=300))
def test_what_is_no_segment_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        Segment.parse(data)
    with pytest.raises(EvidenceError):
        Segment.parse(data + b'{"version":1}\x00\x0d')


def test_a_segment_belongs_to_one_room_and_one_place() -> None:
    contexts = {context(room, number) for room in ("a", "b") for number in (1, 11)}
    assert len(contexts) == 4


@given(st.lists(st.tuples(st.integers(0, 2**63), st.binary(max_size=50)), max_size=10))
def test_what_is_packed_comes_out_again_and_what_was_cut_off_does_not(
    pieces: list[tuple[int, bytes]],
) -> None:
    data = packed(pieces)
    assert unpacked(data) == pieces
    if pieces:
        with pytest.raises(EvidenceError):
            unpacked(data[:-1])


@given(
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 99)), max_size=200),
    st.floats(0, 2000),
    st.none() | st.floats(0, 1000),
)
def test_nothing_in_a_ring_is_older_than_five_minutes_and_nothing_outlives_the_end_by_more_than_ten(
    steps: list[tuple[float, int]], later: float, end: float | None
) -> None:
    ring, now, kept = Ring(), 0.0, []
    for number, (pause, size) in enumerate(steps, 1):
        now += pause
        ring.add(Sealed(number, now, bytes(size)))
        kept.append((number, now))
    if end is not None:
        now = max(now, end)
        ring.end(now)
        ring.end(now + 99)  # it ends once
    ended_at, now = now, now + later
    ring.prune(now, AFTER_END_S)
    horizon = (now if end is None else ended_at) - MINUTES * 60
    gone = end is not None and now >= ended_at + AFTER_END_S
    assert [s.number for s in ring.segments] == [n for n, at in kept if at >= horizon and not gone]
    assert ring.size == sum(len(s.data) for s in ring.segments)


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 200))
def test_a_ring_is_handed_over_in_parts(sizes: list[int], most: int) -> None:
    ring = Ring()
    for number, size in enumerate(sizes, 1):
        ring.add(Sealed(number, 0.0, bytes(size)))
    until, after, seen = len(sizes), 0, []
    ring.add(Sealed(until + 1, 0.0, b"later"))
    while part := ring.after(after, until, most):
        assert len(part) == 1 or sum(len(s.data) for s in part) <= most
        seen += [s.number for s in part]
        after = part[-1].number
    assert seen == list(range(1, until + 1))


def segment(number: int, at_ms: int, *talkers: str, ticks: int = 50) -> Segment:
    return Segment(
        "room", number, talkers, tuple(Heard(at_ms + t * 20, talkers, bytes([number])) for t in range(ticks))
    )


def test_a_program_has_silence_where_nothing_was_heard() -> None:
    program = Program([segment(2, 13_000, "bob"), segment(1, 10_000, "ada")])
    assert (program.parts, program.length_ms) == ([Part(0, 10_000)], 4000)
    assert program.packets(b"-") == [b"\x01"] * 50 + [b"-"] * 100 + [b"\x02"] * 50
    assert program.spans() == [Span("ada", 0, 1000), Span("bob", 3000, 4000)]


def test_a_breath_ends_no_span_and_a_pause_does() -> None:
    times = [(1, 0), (2, 1500), (3, 5000)]
    program = Program([segment(number, at, "ada") for number, at in times])
    assert program.spans() == [Span("ada", 0, 2500), Span("ada", 5000, 6000)]


def test_a_long_silence_is_cut_out_and_said() -> None:
    program = Program([segment(1, 0, "ada"), segment(2, 60_900, "bob"), segment(3, 10_000_000, "ada")])
    assert program.parts == [Part(0, 0), Part(62_900, 10_000_000)], "a minute is sat through"
    assert program.length_ms == 63_900 == 20 * len(program.packets(b"-"))
    assert program.packets(b"-")[3095:3146] == [b"-"] * 50 + [b"\x03"]
    assert [span.from_ms for span in program.spans()] == [0, 60_900, 62_900]
    empty = Program([])
    assert (empty.packets(b"-"), empty.parts, empty.length_ms) == ([], [], 0)


def test_what_is_sealed_later_joins_what_was_there_up_to_half_an_hour() -> None:
    first = [(1, b"a"), (2, b"b")]
    assert joined([], first) == first
    assert joined(first, [(2, b"b"), (2, b"other process"), (3, b"c")]) == [
        *first,
        (2, b"other process"),
        (3, b"c"),
    ]
    many = [(number, b"x") for number in range(2 * MOST_SEGMENTS)]
    assert joined(first, many) == first + many[: MOST_SEGMENTS - 2]
