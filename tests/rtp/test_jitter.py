"""The jitter buffer over a simulated network, in virtual time."""

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.rtp.jitter import FRAME, Fec, Idle, JitterBuffer, Lost, Play, Playout
from parola.rtp.opus import OpusError

TOC = 31 << 3
TICK = 0.02


def packet(number: int, size: int = 40) -> bytes:
    return bytes([TOC]) + number.to_bytes(4, "big") + bytes(size)


def number_of(payload: bytes) -> int:
    return int.from_bytes(payload[1:5], "big")


@dataclass
class Network:
    """`jitter_s` is the mean of an exponential delay; `drift` how much slower the sender's clock is than ours."""

    seed: int = 1
    loss: float = 0.0
    jitter_s: float = 0.0
    duplication: float = 0.0
    drift: float = 0.0
    redundancy: int = 0
    first_sequence: int = 1000
    first_timestamp: int = 5000
    phase: float = 0.007
    silent: frozenset[int] = frozenset()
    """Frames that are not sent, as their sender has nothing to say: timestamps jump, sequence numbers go on."""
    blocked: tuple[float, float] = (0.0, 0.0)
    """Packets on their way in this time arrive together at its end."""
    buffer: JitterBuffer = field(default_factory=JitterBuffer)

    def run(self, frames: int) -> "Heard":
        arrivals = self._arrivals(frames)
        heard = Heard(self.buffer)
        now, i = self.phase, 0
        while now < frames * TICK * (1 + self.drift):
            while i < len(arrivals) and arrivals[i][0] <= now:
                arrival, number, sequence = arrivals[i]
                self._insert(number, sequence, arrival)
                i += 1
            playout = self.buffer.pull(now)
            heard.note(playout, now, self._sent_at)
            now += TICK
        return heard

    def _sent_at(self, number: int) -> float:
        return number * TICK * (1 + self.drift)

    def _arrivals(self, frames: int) -> list[tuple[float, int, int]]:
        generator = random.Random(self.seed)
        arrivals = []
        sequence = self.first_sequence
        for number in range(frames):
            if number in self.silent:
                continue
            sent = self._sent_at(number)
            arrival = sent + (generator.expovariate(1 / self.jitter_s) if self.jitter_s else 0)
            if self.blocked[0] <= arrival < self.blocked[1]:
                arrival = self.blocked[1] + number * 1e-6
            if generator.random() >= self.loss:
                arrivals.append((arrival, number, sequence))
                if generator.random() < self.duplication:
                    arrivals.append((arrival + generator.random() * 0.1, number, sequence))
            sequence += 1
        return sorted(arrivals)

    def _insert(self, number: int, sequence: int, arrival: float) -> None:
        for earlier in range(max(0, number - self.redundancy), number):
            if earlier not in self.silent:
                self.buffer.insert(self._timestamp(earlier), packet(earlier), arrival, None)
        self.buffer.insert(self._timestamp(number), packet(number), arrival, sequence & 0xFFFF)

    def _timestamp(self, number: int) -> int:
        return (self.first_timestamp + number * FRAME) & 0xFFFFFFFF


class Heard:
    def __init__(self, buffer: JitterBuffer) -> None:
        self.stats = buffer.stats
        self.playouts: list[Playout] = []
        self.numbers: list[int] = []
        self.delays: list[float] = []

    def note(self, playout: Playout, now: float, sent_at) -> None:
        self.playouts.append(playout)
        if isinstance(playout, Play):
            self.numbers.append(number_of(playout.payload))
            self.delays.append(now - sent_at(self.numbers[-1]))

    @property
    def kinds(self) -> Counter[type]:
        return Counter(type(p) for p in self.playouts)

    @property
    def holes(self) -> int:
        return self.kinds[Lost] + self.kinds[Fec]


def increases(numbers: list[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


@pytest.mark.parametrize("phase", [0.0001, 0.005, 0.01, 0.015, 0.0199])
def test_a_calm_network_costs_20_to_40_ms_and_nothing_else(phase: float):
    heard = Network(phase=phase).run(1000)
    assert heard.holes == 0
    assert heard.numbers == list(range(len(heard.numbers)))
    assert len(heard.numbers) > 995
    assert 0.0199 <= min(heard.delays) <= max(heard.delays) <= 0.0401


def test_little_jitter_costs_no_more():
    heard = Network(jitter_s=0.001).run(3000)
    assert heard.holes == 0
    assert max(heard.delays) <= 0.0401


def test_both_numbers_wrap_around():
    """More than 65,536 packets, and the timestamp turns over in the middle."""
    half = 35_000
    network = Network(first_sequence=60_000, first_timestamp=(1 << 32) - half * FRAME, jitter_s=0.001)
    heard = network.run(2 * half)
    assert heard.holes == 0
    assert heard.numbers == list(range(len(heard.numbers)))
    assert heard.stats.resets == 0


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_ten_percent_loss_with_one_copy_leaves_one_percent(seed: int):
    heard = Network(seed=seed, loss=0.1, redundancy=1, jitter_s=0.002).run(10_000)
    assert 50 < heard.holes < 200
    assert heard.kinds[Fec] > heard.kinds[Lost]
    assert increases(heard.numbers)
    assert sorted(heard.delays)[len(heard.delays) // 2] < 0.065


@pytest.mark.parametrize("phase", [0.0001, 0.0005, 0.001, 0.002, 0.004])
def test_where_packets_get_lost_there_is_time_for_fec(phase: float):
    """Played 20 ms after its arrival, a packet would often have to be concealed before the next one is there."""
    heard = Network(phase=phase, loss=0.02, jitter_s=0.001, seed=7).run(10_000)
    assert heard.kinds[Fec] > 150
    assert heard.kinds[Lost] < 12


def test_heavy_jitter_is_waited_for():
    """The late ones are late for good if nothing but an empty buffer makes the delay grow."""
    heard = Network(jitter_s=0.02).run(5000)
    assert heard.holes < 80


def test_loss_without_copies_is_mostly_left_to_fec():
    heard = Network(loss=0.05, jitter_s=0.002).run(5000)
    assert heard.kinds[Fec] > 5 * heard.kinds[Lost]
    assert heard.stats.lost == pytest.approx(250, abs=50)
    assert heard.holes <= heard.stats.lost + heard.stats.stretched + 30
    assert max(heard.delays[100:]) < 0.065


def test_a_lost_packet_takes_exactly_its_own_time():
    buffer = JitterBuffer()
    buffer.insert(0, packet(0), 0.0, 0)
    buffer.insert(960, packet(1), 0.02, 1)
    assert number_of(buffer.pull(0.03).payload) == 0
    assert number_of(buffer.pull(0.05).payload) == 1
    buffer.insert(3 * 960, packet(3), 0.06, 3)
    assert buffer.pull(0.07) == Fec(packet(3), FRAME)
    assert number_of(buffer.pull(0.09).payload) == 3


def test_reordering_and_duplication_are_put_right():
    heard = Network(jitter_s=0.008, duplication=0.2).run(5000)
    assert increases(heard.numbers)
    assert len(heard.numbers) > 4950
    assert heard.stats.duplicate > 100


def test_the_delay_grows_with_jitter_and_shrinks_after_it():
    buffer = JitterBuffer()
    bad = Network(buffer=buffer, jitter_s=0.015).run(1000)
    grown = bad.stats.delay_s
    assert grown > 0.05
    assert bad.holes < 50
    # The same stream goes on over a network that has calmed down.
    now, delays = 1100 * TICK, []
    for number in range(1000, 2000):
        buffer.insert(5000 + number * FRAME, packet(number), number * TICK, (1000 + number) & 0xFFFF)
        while now <= (number + 1) * TICK:
            buffer.pull(now)
            now += TICK
            delays.append(buffer.stats.delay_s)
    assert buffer.stats.delay_s < 0.051
    assert buffer.stats.dropped > 0


def test_the_delay_never_exceeds_its_maximum_by_much():
    heard = Network(jitter_s=0.2, seed=4).run(3000)
    assert heard.stats.target_s <= 0.2
    assert increases(heard.numbers)
    assert max(heard.delays) < 0.2 + 0.2 + 0.05


@pytest.mark.parametrize("drift", [3e-4, -3e-4])
def test_a_drifting_clock_costs_a_frame_now_and_then(drift: float):
    """300 ppm is a frame every 67 s."""
    heard = Network(drift=drift, jitter_s=0.0005).run(30_000)
    assert increases(heard.numbers)
    assert heard.stats.stretched + heard.stats.held + heard.stats.dropped == pytest.approx(9, abs=2)
    assert max(heard.delays) < 0.055


def test_what_is_left_out_for_a_drifting_clock_is_quiet_where_possible():
    buffer = JitterBuffer()
    now, played = 0.03, []
    sizes: dict[int, int] = {}
    for number in range(20_000):
        sizes[number] = 5 if number % 100 < 20 else 80
        buffer.insert(
            number * FRAME, packet(number, sizes[number]), number * TICK * (1 - 3e-4), number & 0xFFFF
        )
        while now <= (number + 1) * TICK * (1 - 3e-4):
            playout = buffer.pull(now)
            if isinstance(playout, Play):
                played.append(number_of(playout.payload))
            now += TICK
    dropped = sorted(set(range(played[-1])) - set(played))
    assert dropped
    assert {sizes[n] for n in dropped} == {5}


def test_a_pause_of_the_sender_is_idle_and_not_lost():
    silent = frozenset(n for n in range(1000) if n % 100 >= 40)
    heard = Network(silent=silent).run(1000)
    assert heard.stats.lost == 0
    assert heard.kinds[Idle] > 500
    assert heard.kinds[Lost] <= 5 * 10  # while it is not yet clear that nothing comes
    assert heard.numbers == [n for n in range(1000) if n not in silent]
    assert max(heard.delays) < 0.041


def test_after_an_announced_pause_nothing_is_concealed():
    """Opus encoders say that they fall silent by a packet of one or two bytes."""
    buffer = JitterBuffer()
    buffer.insert(0, packet(0), 0.0, 0)
    buffer.insert(960, bytes([TOC]), 0.02, 1)
    assert isinstance(buffer.pull(0.03), Play)
    assert isinstance(buffer.pull(0.05), Play)
    assert [type(buffer.pull(0.07 + i * TICK)) for i in range(17)] == [Idle] * 17
    buffer.insert(21 * 960, packet(21), 0.42, 2)
    assert isinstance(buffer.pull(0.43), Idle)
    assert buffer.pull(0.45) == Play(packet(21), FRAME)


def test_a_pause_of_a_day_is_no_new_stream():
    buffer = JitterBuffer()
    buffer.insert(0, packet(0), 0.0, 0)
    buffer.pull(0.03)
    day = 86_400
    buffer.insert(day * 48_000 & 0xFFFFFFFF, packet(1), float(day), 1)
    buffer.insert((day * 48_000 + 960) & 0xFFFFFFFF, packet(2), day + 0.02, 2)
    buffer.pull(day + 0.03)
    assert [
        number_of(p.payload) for i in range(3) if isinstance(p := buffer.pull(day + 0.05 + i * TICK), Play)
    ][-1] == 2


def test_loss_within_a_pause_conceals_no_more_than_was_lost():
    buffer = JitterBuffer()
    for number in range(3):
        buffer.insert(number * 960, packet(number), number * TICK, number)
        buffer.pull(number * TICK + 0.01)
    buffer.insert(
        9 * 960, packet(9), 9 * TICK, 4
    )  # number 3 is missing; then the sender was silent for 100 ms
    kinds = [type(buffer.pull(0.07 + i * TICK)) for i in range(8)]
    assert kinds[:2] == [Play, Lost]
    assert kinds[2:7] == [Idle] * 5
    assert kinds[7] is Play


def test_a_stalled_network_does_not_leave_a_delay_behind():
    heard = Network(blocked=(10.0, 10.6)).run(1500)
    assert increases(heard.numbers)
    assert heard.delays[-1] < 0.061
    assert heard.stats.dropped > 0


def test_a_ticker_that_stood_still_catches_up():
    buffer = JitterBuffer()
    for number in range(200):
        buffer.insert(number * FRAME, packet(number), number * TICK, number)
    playout = buffer.pull(200 * TICK)
    assert isinstance(playout, Play)
    assert number_of(playout.payload) >= 197


def test_the_buffer_is_bounded():
    buffer = JitterBuffer()
    for number in range(10_000):
        buffer.insert(number * 120, bytes([28 << 3]) + bytes(9), number * 0.0025, number & 0xFFFF)
    assert len(buffer._entries) <= 100
    assert buffer.stats.dropped >= 9900


def test_a_new_stream_begins_with_its_second_packet_and_a_stray_changes_nothing():
    buffer = JitterBuffer()
    for number in range(50):
        buffer.insert(number * FRAME, packet(number), number * TICK, number)
        buffer.pull(number * TICK + 0.005)
    buffer.insert(3_000_000_000, packet(999), 1.0, 50)
    buffer.insert(50 * FRAME, packet(50), 1.0, 51)
    assert buffer.stats.resets == 0
    for i in range(4):
        buffer.insert(2_000_000_000 + i * FRAME, packet(1000 + i), 1.02 + i * TICK, 7 + i)
    assert buffer.stats.resets == 1
    playouts = [buffer.pull(1.1 + i * TICK) for i in range(4)]
    assert [number_of(p.payload) for p in playouts if isinstance(p, Play)] == [1001, 1002, 1003]


def test_late_packets_are_counted_and_not_played():
    buffer = JitterBuffer()
    for number in (0, 2, 3):
        buffer.insert(number * FRAME, packet(number), number * TICK, number)
    kinds = [type(buffer.pull(0.06 + i * TICK)) for i in range(2)]
    assert kinds == [Play, Fec]
    buffer.insert(FRAME, packet(1), 0.09, 1)
    assert buffer.stats.late == 1
    assert number_of(buffer.pull(0.10).payload) == 2


def test_clearing_forgets_the_sound_and_keeps_the_delay():
    buffer = JitterBuffer()
    Network(buffer=buffer, jitter_s=0.02).run(300)
    target = buffer.stats.target_s
    buffer.clear()
    assert isinstance(buffer.pull(7.0), Idle)
    assert buffer.stats.target_s == target > 0.03


@pytest.mark.parametrize("frames", [1, 2, 3, 6])
def test_packets_of_many_frames(frames: int):
    buffer = JitterBuffer()
    played, now = 0, 0.01
    for number in range(100):
        body = bytes([TOC | 3, frames]) + bytes(frames * 30)
        buffer.insert(number * frames * FRAME, body, number * frames * TICK, number)
        while now < (number + 1) * frames * TICK:
            playout = buffer.pull(now)
            assert not isinstance(playout, (Lost, Fec))
            played += isinstance(playout, Play)
            now += playout.samples / 48_000
    assert played >= 97


def test_packets_that_overlap_do_not_confuse_it():
    buffer = JitterBuffer()
    for number in range(20):
        buffer.insert(number * 3 * FRAME, bytes([TOC | 3, 3]) + bytes(90), number * 0.06, number * 3)
        buffer.insert(number * 3 * FRAME + FRAME, packet(number), number * 0.06, number * 3 + 1)
        buffer.insert(number * 3 * FRAME + 100, packet(number), number * 0.06, number * 3 + 2)
        for i in range(3):
            assert buffer.pull(number * 0.06 + 0.03 + i * TICK).samples > 0


def test_what_is_no_opus_is_refused():
    with pytest.raises(OpusError):
        JitterBuffer().insert(0, b"", 0.0, 0)


@settings(max_examples=200)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 0xFFFFFFFF) | st.integers(0, 30).map(lambda n: n * 480) | st.integers(0, 20_000),
            st.sampled_from(
                [bytes([TOC]), packet(1), bytes([TOC | 3, 6]) + bytes(60), bytes([28 << 3]) + bytes(9)]
            ),
            st.none() | st.integers(0, 0xFFFF) | st.integers(0, 10),
            st.floats(0, 0.1) | st.floats(0, 1e5),
            st.integers(0, 4),
        ),
        max_size=60,
    )
)
def test_whatever_comes_it_answers_with_sound_a_decoder_can_make(steps):
    buffer = JitterBuffer()
    now = 0.0
    for timestamp, payload, sequence, elapsed, pulls in steps:
        now += elapsed
        buffer.insert(timestamp, payload, now, sequence)
        assert 0.02 <= buffer.stats.target_s <= 0.2
        for _ in range(pulls):
            playout = buffer.pull(now)
            assert 120 <= playout.samples <= 5760
            assert playout.samples % 120 == 0
            now += TICK
    # Left alone, it falls silent.
    for _ in range(150):
        playout = buffer.pull(now)
        now += TICK
    assert isinstance(playout, Idle)


def test_a_copy_from_long_before_the_newest_packet_is_late_though_nothing_waits() -> None:
    buffer = JitterBuffer()
    buffer.insert(5 * 48_000, packet(1), 0.0, None)
    buffer.pull(1.0)
    buffer.insert(3 * 48_000, packet(2), 1.0, None)
    buffer.clear()
    buffer.insert(3 * 48_000, packet(3), 1.0, None)
    assert isinstance(buffer.pull(2.0), Idle)
