"""What is heard after the last word: nothing."""

from __future__ import annotations

import numpy as np
import pytest

from parola.media.codec import Decoder, Encoder
from parola.media.mixer import FRAME, Mixed, Pcm
from parola.media.outputs import CLOSING_TICKS, Output
from parola.rtp import opus
from tests.media.test_codec import noise, tone

SILENCE = np.zeros(FRAME, np.float32)
LSB = 1 / 32768


def said(output: Output, sound: Pcm) -> list[bytes]:
    packets = [output.encode(Mixed(frame, ("ada",)), True) for frame in sound.reshape(-1, FRAME)]
    return [packet for packet in packets if packet is not None]


def ending(output: Output) -> list[bytes]:
    packets = []
    while (packet := output.encode(Mixed(SILENCE, ()), False)) is not None:
        packets.append(packet)
    return packets


def comfort_noise(decoder: Decoder) -> float:
    return max(float(np.abs(decoder.conceal(FRAME)).max()) for _ in range(100))


@pytest.mark.parametrize("lost", [(), (1,), (1, 2), (2, 3), (1, 3)])
@pytest.mark.parametrize("sound", [noise(15, 0.3), noise(200, 0.01), tone(15), tone(40, 3000)])
def test_the_comfort_noise_after_a_sound_that_breaks_off_is_none(sound: Pcm, lost: tuple[int, ...]) -> None:
    output, decoder = Output(), Decoder()
    for packet in said(output, sound):
        decoder.decode(packet)
    *closing, last = ending(output)
    assert len(closing) == CLOSING_TICKS - 1
    assert opus.is_dtx(last)
    assert output.is_idle
    for at, packet in enumerate(closing):
        if at in lost:
            decoder.conceal(FRAME)
        else:
            decoder.decode(packet)
    assert comfort_noise(decoder) < LSB


def test_without_digital_silence_it_would_be_heard() -> None:
    """What the test above listens for is there: an encoder that goes on lets the sound die away too slowly."""
    encoder, decoder = Encoder(), Decoder()
    for frame in [*noise(15, 0.3).reshape(-1, FRAME), *[SILENCE] * 4]:
        decoder.decode(encoder.encode(frame))
    assert comfort_noise(decoder) > 100 * LSB


def test_digital_silence_is_as_an_encoder_says_it() -> None:
    assert Encoder().encode(SILENCE) == opus.silence(31 << 3)


def test_speech_that_goes_on_while_its_end_is_sent_is_whole_again() -> None:
    output, decoder = Output(), Decoder()
    sound = tone(10)
    for rests in range(CLOSING_TICKS + 3):
        for packet in said(output, sound):
            heard = decoder.decode(packet)
        assert np.abs(heard).max() > 0.8 * np.abs(sound).max()
        for _ in range(rests):
            packet = output.encode(Mixed(SILENCE, ()), False)
            if packet is None or opus.is_dtx(packet):
                decoder.conceal(FRAME)
            else:
                decoder.decode(packet)
