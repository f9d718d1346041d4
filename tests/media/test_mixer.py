"""The mixer: who is in an output, and that nothing clicks."""

import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from parola.media.mixer import FRAME, Mixer, Pcm, meter

RATE = 48_000
ALL = {"main": frozenset[str]()}
EVEN = -22.0
"""The level that the automatic gain leaves alone, in dB."""


class Tone:
    """A voice of one frequency, in frames that follow one another."""

    def __init__(self, hertz: float, amplitude: float = 0.1) -> None:
        self.hertz, self.amplitude, self.at = hertz, amplitude, 0

    def frame(self) -> Pcm:
        n = np.arange(self.at, self.at + FRAME)
        self.at += FRAME
        return (self.amplitude * np.cos(2 * np.pi * self.hertz * n / RATE)).astype(np.float32)


def largest_jump(*frames: Pcm) -> float:
    return float(np.abs(np.diff(np.concatenate(frames))).max())


def share(sound: Pcm, hertz: float) -> float:
    """The amplitude of a frequency in a sound."""
    turning = np.exp(-2j * np.pi * hertz * np.arange(len(sound)) / RATE)
    return float(2 * abs(np.dot(sound, turning)) / len(sound))


def steepest(tone: Tone) -> float:
    """What the tone itself does from one sample to the next."""
    return 2 * np.pi * tone.hertz / RATE * tone.amplitude


def test_silence_is_silence():
    mixed = Mixer().tick({}, {}, ALL)["main"]
    assert mixed.talkers == ()
    assert mixed.pcm.dtype == np.float32
    assert not mixed.pcm.any()


def test_one_voice_passes_unchanged():
    mixer, tone = Mixer(), Tone(440)
    mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)
    frame = tone.frame()
    mixed = mixer.tick({"a": frame}, {"a": EVEN}, ALL)["main"]
    np.testing.assert_allclose(mixed.pcm, frame, atol=1e-6)
    assert mixed.talkers == ("a",)


def test_a_voices_frame_is_left_as_it_was():
    frame = Tone(440).frame()
    before = frame.copy()
    Mixer().tick({"a": frame}, {"a": -40.0}, ALL)
    np.testing.assert_array_equal(frame, before)


def test_no_click_at_start_and_stop():
    mixer, tone = Mixer(), Tone(300)
    sound = [mixer.tick({}, {}, ALL)["main"].pcm]
    for _ in range(3):
        for _ in range(4):
            sound.append(mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)["main"].pcm)
        sound.append(mixer.tick({"a": None}, {}, ALL)["main"].pcm)
        sound.append(mixer.tick({}, {}, ALL)["main"].pcm)
    assert largest_jump(*sound) < steepest(tone) * 1.1 + 0.001


@pytest.mark.parametrize("still_there", [True, False])
def test_no_click_at_a_cut_and_nothing_new_after_it(still_there: bool):
    mixer, tone = Mixer(), Tone(300)
    before = [mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)["main"].pcm for _ in range(3)]
    mixer.cut("a")
    forbidden = np.random.default_rng(1).normal(0, 0.3, FRAME).astype(np.float32)
    frames = {"a": forbidden} if still_there else {}
    last = mixer.tick(frames, {"a": EVEN}, ALL)["main"]
    after = mixer.tick({}, {}, ALL)["main"]
    assert last.talkers == ()
    assert largest_jump(*before, last.pcm, after.pcm) < steepest(tone) * 1.1 + 0.001
    assert np.abs(last.pcm).max() <= np.abs(before[-1][-1]) + 1e-6
    assert not last.pcm[240:].any(), "over after 5 ms"
    assert not after.pcm.any()


def test_a_cut_does_not_depend_on_what_the_voice_goes_on_to_say():
    """Not one bit of a frame handed over after the cut is heard."""
    heard = []
    for seed in (1, 2):
        mixer, tone = Mixer(), Tone(300)
        mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)
        mixer.cut("a")
        noise = np.random.default_rng(seed).normal(0, 0.3, FRAME).astype(np.float32)
        heard.append(mixer.tick({"a": noise}, {"a": EVEN}, ALL)["main"].pcm)
    np.testing.assert_array_equal(*heard)


def test_a_cut_voice_may_come_back_as_a_new_one():
    mixer, tone = Mixer(), Tone(300)
    mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)
    mixer.cut("a")
    quiet = mixer.tick({}, {}, ALL)["main"].pcm
    again = mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)["main"]
    assert again.talkers == ("a",)
    assert largest_jump(quiet, again.pcm) < steepest(tone) * 1.1 + 0.001


def test_cutting_whom_nobody_hears_changes_nothing():
    mixer, tone = Mixer(), Tone(300)
    mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)
    mixer.cut("b")
    frame = tone.frame()
    np.testing.assert_allclose(mixer.tick({"a": frame}, {"a": EVEN}, ALL)["main"].pcm, frame, atol=1e-6)


def test_mix_minus_holds_nothing_of_the_own_voice():
    mixer = Mixer()
    tones = {"a": Tone(400), "b": Tone(900), "c": Tone(1700)}
    outputs = {**ALL, **{f"minus.{v}": frozenset({v}) for v in tones}}
    sound: dict[str, list[Pcm]] = {name: [] for name in outputs}
    for _ in range(25):
        mixed = mixer.tick({v: t.frame() for v, t in tones.items()}, dict.fromkeys(tones, EVEN), outputs)
        for name, one in mixed.items():
            sound[name].append(one.pcm)
            assert one.talkers == tuple(v for v in tones if v not in outputs[name])
    for name, frames in sound.items():
        whole = np.concatenate(frames[5:])
        for voice, tone in tones.items():
            there = share(whole, tone.hertz)
            if voice in outputs[name]:
                assert there < 1e-4
            else:
                assert there == pytest.approx(tone.amplitude, rel=0.05)


def test_mix_minus_holds_nothing_of_the_own_voice_while_it_ends_either():
    mixer, tone = Mixer(), Tone(400)
    outputs = {**ALL, "minus.a": frozenset({"a"})}
    mixer.tick({"a": tone.frame()}, {"a": EVEN}, outputs)
    mixed = mixer.tick({}, {}, outputs)
    assert mixed["main"].pcm.any()
    assert not mixed["minus.a"].pcm.any()


def test_own_loudness_does_not_duck_the_others_in_mix_minus():
    """Each output has a limiter of its own: else the own voice would be heard in how it presses the others down."""
    mixer, loud, quiet = Mixer(), Tone(400, 2.0), Tone(900, 0.05)
    outputs = {**ALL, "minus.loud": frozenset({"loud"})}
    for _ in range(10):
        frame = quiet.frame()
        frames = {"loud": loud.frame(), "quiet": frame}
        mixed = mixer.tick(frames, {"loud": EVEN, "quiet": EVEN}, outputs)
    np.testing.assert_allclose(mixed["minus.loud"].pcm, frame, atol=1e-6)
    assert share(mixed["main"].pcm, 900) < 0.04


def test_only_the_loudest_are_mixed():
    mixer = Mixer(max_talkers=6)
    tones = {f"v{i}": Tone(300 + 150 * i) for i in range(10)}
    levels = {f"v{i}": EVEN - i for i in range(10)}
    for _ in range(10):
        mixed = mixer.tick({v: t.frame() for v, t in tones.items()}, levels, ALL)["main"]
    assert set(mixed.talkers) == {f"v{i}" for i in range(6)}
    assert share(mixed.pcm, tones["v0"].hertz) > 0.05
    assert share(mixed.pcm, tones["v9"].hertz) < 0.001


def test_the_choice_does_not_flutter_and_changes_hands_without_a_click():
    mixer = Mixer(max_talkers=1)
    a, b = Tone(300), Tone(350)
    sound, talkers = [], []
    for i in range(60):
        b_level = EVEN + (3 if i % 2 else -3) if i < 40 else EVEN + 9
        mixed = mixer.tick({"a": a.frame(), "b": b.frame()}, {"a": EVEN, "b": b_level}, ALL)["main"]
        sound.append(mixed.pcm)
        talkers.append(mixed.talkers)
    assert sum(x != y for x, y in pairwise(talkers)) == 1
    assert talkers[-1] == ("b",)
    assert largest_jump(*sound) < steepest(a) + steepest(b)


def test_quiet_voices_come_up_slowly_and_loud_ones_down():
    for level, way in ((-40.0, 1), (-10.0, -1)):
        mixer, tone = Mixer(), Tone(300, 0.05)
        peaks = [
            float(np.abs(mixer.tick({"a": tone.frame()}, {"a": level}, ALL)["main"].pcm).max())
            for _ in range(300)
        ]
        steps = np.diff(20 * np.log10(peaks[2:]))
        assert (steps * way >= -0.05).all()
        assert np.abs(steps).max() < 0.12, "about 3 dB a second"
        assert abs(20 * np.log10(peaks[-1] / 0.05)) == pytest.approx(9 if way > 0 else 6, abs=0.3)


def test_pauses_do_not_raise_the_gain():
    mixer, tone = Mixer(), Tone(300, 0.001)
    for _ in range(300):
        mixed = mixer.tick({"a": tone.frame()}, {"a": -63.0}, ALL)["main"]
    assert np.abs(mixed.pcm).max() == pytest.approx(0.001, rel=0.01)


def test_an_unknown_level_changes_no_gain():
    mixer, tone = Mixer(), Tone(300)
    for _ in range(100):
        mixed = mixer.tick({"a": tone.frame()}, {}, ALL)["main"]
    assert np.abs(mixed.pcm).max() == pytest.approx(0.1, rel=0.01)


def test_many_loud_voices_stay_below_full_scale_without_a_click():
    mixer = Mixer()
    tones = {f"v{i}": Tone(200 + 37 * i, 0.9) for i in range(6)}
    sound = []
    for i in range(100):
        present = {v: t.frame() for n, (v, t) in enumerate(tones.items()) if i >= 5 * n}
        sound.append(mixer.tick(present, dict.fromkeys(present, EVEN), ALL)["main"].pcm)
    assert max(np.abs(s).max() for s in sound) <= 1.0
    assert largest_jump(*sound) < sum(steepest(t) for t in tones.values())


def test_the_limiter_lets_go_again():
    mixer, loud, quiet = Mixer(), Tone(300, 3.0), Tone(900, 0.05)
    mixer.tick({"loud": loud.frame()}, {"loud": EVEN}, ALL)
    gains = []
    for _ in range(80):
        mixed = mixer.tick({"quiet": quiet.frame()}, {"quiet": EVEN}, ALL)["main"]
        gains.append(np.abs(mixed.pcm[300:]).max() / 0.05)
    assert gains[0] < 0.5
    assert gains[-1] == pytest.approx(1, abs=0.01)
    assert max(b - a for a, b in pairwise(gains[1:])) < 0.03


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.dictionaries(
            st.sampled_from("abcdefgh"),
            st.none()
            | arrays.arrays(
                np.float32, FRAME, elements=st.sampled_from([0.0, 0.5, -1.0, 1.0, 30.0, -1000.0])
            ),
            max_size=8,
        ),
        max_size=6,
    )
)
def test_never_beyond_full_scale(ticks: list[dict[str, Pcm | None]]):
    mixer = Mixer()
    for frames in ticks:
        for mixed in mixer.tick(frames, {}, {**ALL, "minus.a": frozenset({"a"})}).values():
            assert np.isfinite(mixed.pcm).all()
            assert np.abs(mixed.pcm).max() <= 1.0


def test_an_output_that_is_asked_for_later_begins_with_what_is_heard_then():
    mixer, tone = Mixer(), Tone(300)
    for _ in range(3):
        mixer.tick({"a": tone.frame()}, {"a": EVEN}, ALL)
    frame = tone.frame()
    mixed = mixer.tick({"a": frame}, {"a": EVEN}, {"minus.b": frozenset({"b"})})
    assert set(mixed) == {"minus.b"}
    np.testing.assert_allclose(mixed["minus.b"].pcm, frame, atol=1e-6)


def test_the_meter():
    assert meter(np.zeros(FRAME, np.float32)) == 0
    assert meter(np.ones(FRAME, np.float32)) == pytest.approx(1)
    assert meter(np.full(FRAME, 4.0, np.float32)) == 1
    assert meter(np.full(FRAME, 10 ** (-30 / 20), np.float32)) == pytest.approx(0.5)
    assert meter(np.full(FRAME, 1e-4, np.float32)) == 0


def test_what_a_tick_costs(
    record_property: Callable[[str, object], None], capsys: pytest.CaptureFixture[str]
):
    """Six of ten voices, `main` and six mix-minus: told, not judged."""
    mixer = Mixer()
    frames = {f"v{i}": Tone(300 + 150 * i, 0.05).frame() for i in range(10)}
    levels = {v: EVEN - i for i, v in enumerate(frames)}
    outputs = {**ALL, **{f"minus.{v}": frozenset({v}) for v in list(frames)[:6]}}
    began = time.perf_counter()
    for _ in range(200):
        mixer.tick(frames, levels, outputs)
    cost = (time.perf_counter() - began) / 200 * 1e6
    record_property("microseconds_a_tick", cost)
    with capsys.disabled():
        print(f"\n  mixing 6 of 10 voices into 7 outputs: {cost:.0f} µs a tick")
