"""libopus as it is called here, and what it makes of packets that were merged and split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parola.media.codec import FRAME, RATE, CodecError, Decoder, Encoder, Pcm, version
from parola.rtp import opus


def tone(frames: int, hertz: float = 440.0, amplitude: float = 0.3) -> Pcm:
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(frames * FRAME) / RATE)).astype(np.float32)


def encoded(sound: Pcm, encoder: Encoder | None = None) -> list[bytes]:
    encoder = encoder or Encoder()
    return [encoder.encode(sound[at : at + FRAME]) for at in range(0, len(sound), FRAME)]


def decoded(packets: list[bytes]) -> Pcm:
    decoder = Decoder()
    return np.concatenate([decoder.decode(p) for p in packets])


def noise(frames: int, amplitude: float) -> Pcm:
    return np.random.default_rng(1).normal(0, amplitude, frames * FRAME).astype(np.float32)


def test_the_library_is_the_wheels_own():
    assert version().startswith("libopus 1.")


def test_a_tone_comes_back():
    sound = tone(50)
    heard = decoded(encoded(sound))
    assert heard.dtype == np.float32
    assert heard.shape == sound.shape
    best = max(
        float(np.corrcoef(sound[4800:-4800], np.roll(heard, -lag)[4800:-4800])[0, 1]) for lag in range(480)
    )
    assert best > 0.99


@pytest.mark.parametrize("bitrate", [16_000, 40_000, 96_000])
@pytest.mark.parametrize("complexity", [0, 5, 10])
def test_the_configuration_never_changes(bitrate: int, complexity: int):
    silence, faint = np.zeros(20 * FRAME, np.float32), np.full(20 * FRAME, 1e-9, np.float32)
    sounds = [silence, tone(20), noise(20, 0.1), faint, noise(20, 3.0), tone(20, 12_000), silence]
    packets = encoded(np.concatenate(sounds), Encoder(bitrate, complexity))
    assert {p[0] for p in packets} == {31 << 3}
    assert not any(opus.is_dtx(p) for p in packets)


def test_reset_keeps_the_settings_and_forgets_the_sound():
    used, fresh = Encoder(24_000), Encoder(24_000)
    encoded(noise(20, 0.2), used)
    used.reset()
    assert encoded(tone(20), used) == encoded(tone(20), fresh)


def test_the_bitrate_is_kept():
    packets = encoded(noise(500, 0.1), Encoder(bitrate=40_000))
    assert sum(map(len, packets)) * 8 / 10 == pytest.approx(40_000, rel=0.1)


@pytest.mark.parametrize("shape", [(0,), (959,), (961,), (960, 2)])
def test_only_whole_frames_are_encoded(shape: tuple[int, ...]):
    with pytest.raises(CodecError):
        Encoder().encode(np.zeros(shape, np.float32))


def test_other_kinds_of_numbers_are_converted():
    assert Encoder().encode(tone(2).astype(np.float64)[::2]) == Encoder().encode(tone(2)[::2].copy())


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("kind", ["speechlike", "equal sizes", "silence between"])
def test_merged_packets_sound_the_same(count: int, kind: str):
    """RFC 6716, section 3.2: packing frames together changes no sample."""
    sound = noise(30, 0.05) * np.repeat(np.linspace(0, 2, 30, dtype=np.float32), FRAME)
    packets = encoded(sound)
    if kind == "equal sizes":
        packets = [p[:60] for p in packets]
    elif kind == "silence between":
        packets = [p if i % 3 else opus.dtx(p[0]) for i, p in enumerate(packets)]
    merged = [opus.merge(packets[i : i + count]) for i in range(0, len(packets), count)]
    np.testing.assert_array_equal(decoded(merged), decoded(packets))
    assert [p for m in merged for p in opus.split(m)] == packets


def test_the_length_of_a_packet_is_what_libopus_says():
    for count in (3, 6):
        merged = opus.merge(encoded(tone(count)))
        assert len(Decoder().decode(merged)) == opus.duration(merged) == count * FRAME


def test_concealment_goes_on_with_the_sound_and_fades():
    packets = encoded(tone(20))
    decoder = Decoder()
    for p in packets:
        decoder.decode(p)
    energy = [float(np.square(decoder.conceal(FRAME)).sum()) for _ in range(30)]
    assert energy[0] > 10
    assert energy[-1] < energy[0] / 50


@pytest.mark.parametrize("samples", [120, 480, 960, 2880, 5760])
def test_concealment_in_every_length_the_jitter_buffer_asks_for(samples: int):
    decoder = Decoder()
    assert decoder.conceal(samples).shape == (samples,)
    assert decoder.decode_fec(encoded(tone(1))[0], samples).shape == (samples,)


def test_concealment_of_a_broken_millisecond_is_refused():
    with pytest.raises(CodecError):
        Decoder().conceal(100)


def test_fec_uses_what_a_browsers_packet_says_of_the_one_before():
    """The browser's encoder is played by PyAV, which makes SILK with in-band FEC as browsers do."""
    packets = _with_fec()
    assert {opus.toc(p).mode for p in packets[5:]} <= {"silk", "hybrid"}
    reference = [p.copy() for p in _decode_each(packets)]
    errors = {"fec": 0.0, "guess": 0.0}
    for lost in range(20, len(packets) - 1, 7):
        for way in errors:
            decoder = Decoder()
            for p in packets[:lost]:
                decoder.decode(p)
            guess = decoder.decode_fec(packets[lost + 1], FRAME) if way == "fec" else decoder.conceal(FRAME)
            errors[way] += float(np.square(guess - reference[lost]).sum())
    assert errors["fec"] < errors["guess"] / 2


def test_a_damaged_packet_is_an_error_and_not_the_end():
    decoder = Decoder()
    with pytest.raises(CodecError):
        decoder.decode(bytes([31 << 3 | 3]))
    assert np.isfinite(decoder.decode(encoded(tone(1))[0])).all()


def test_an_encoder_survives_what_is_no_sound():
    encoder = Encoder()
    for bad in (np.nan, np.inf, 1e30, -1e30):
        encoder.encode(np.full(FRAME, bad, np.float32))
    encoder.reset()
    assert encoded(tone(5), encoder) == encoded(tone(5), Encoder())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=120), min_size=1, max_size=8))
def test_arbitrary_bytes_raise_nothing_else_and_leave_finite_sound(packets: list[bytes]):
    decoder = Decoder()
    for p in packets:
        try:
            sound = decoder.decode(p)
        except CodecError:
            continue
        assert np.isfinite(sound).all()


@settings(max_examples=100, deadline=None)
@given(st.binary(min_size=1, max_size=60), st.integers(0, 31))
def test_what_passes_our_reading_libopus_takes_too(body: bytes, config: int):
    for code in range(4):
        packet = bytes([config << 3 | code]) + body
        try:
            samples = opus.duration(packet)
        except opus.OpusError:
            with pytest.raises(CodecError):
                Decoder().decode(packet)
        else:
            assert len(Decoder().decode(packet)) == samples


def _with_fec() -> list[bytes]:
    import av

    context = av.CodecContext.create("libopus", "w")
    context.sample_rate, context.layout, context.format, context.bit_rate = RATE, "mono", "s16", 24_000
    context.options = {"application": "voip", "fec": "1", "packet_loss": "20", "frame_duration": "20"}
    generator = np.random.default_rng(3)
    packets = []
    pulses = np.zeros(100 * FRAME)
    at = 0
    while at < len(pulses):  # a voice-like buzz whose pitch wanders
        pulses[at] = 1
        at += int(380 + 60 * np.sin(at / 30_000) + generator.integers(0, 8))
    formants = np.exp(-np.arange(200) / 40) * np.sin(np.arange(200) * 2 * np.pi * 700 / RATE)
    envelope = 0.2 + 0.8 * np.abs(np.sin(np.arange(len(pulses)) / 5000))
    sound = np.convolve(pulses, formants)[: len(pulses)] * envelope * 0.3
    for i in range(0, len(sound), FRAME):
        samples = (sound[i : i + FRAME] * 32_767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts = RATE, i
        packets += [bytes(p) for p in context.encode(frame)]
    return packets


def _decode_each(packets: list[bytes]) -> list[Pcm]:
    decoder = Decoder()
    return [decoder.decode(p) for p in packets]
