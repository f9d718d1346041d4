"""Synthesised speech for where there are no recordings: eSpeak NG, from the wheel `espeakng-loader`, by ctypes."""

from __future__ import annotations

import ctypes
from typing import Any

import av
import numpy as np

from parola.client.webrtc import RATE, Pcm

_TEXTS = (
    ("en", "Welcome to the room. Everyone may listen here, and only the host gives the floor. "
           "Raise your hand when you would like to say something, and wait until it is your turn."),
    ("it", "Buongiorno a tutti. Qui tutti possono ascoltare, e chi ospita la stanza dà la parola. "
           "Alzate la mano quando volete parlare, e aspettate il vostro turno."),
    ("en", "Thank you for the floor. I would like to talk about the old mill by the river, "
           "and about the people who still meet there on Sunday mornings."),
)  # fmt: skip
_RETRIEVAL = 1
_UTF8 = 1


def synthesise(which: int) -> Pcm:
    """About ten seconds of one of three texts, 48 kHz mono int16. Raises SystemExit when the wheel is missing."""
    try:
        import espeakng_loader
    except ImportError as error:
        raise SystemExit(
            "The demo needs speech: name a folder with --speech, or pip install espeakng-loader"
        ) from error
    language, text = _TEXTS[which % len(_TEXTS)]
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(_RETRIEVAL, 0, espeakng_loader.get_data_path().encode(), 0)
    parts: list[Pcm] = []

    def collect(samples: Any, count: int, _events: int | None) -> int:
        if samples and count > 0:
            parts.append(np.ctypeslib.as_array(samples, (count,)).copy())
        return 0

    short_pointer = ctypes.POINTER(ctypes.c_short)
    callback = ctypes.CFUNCTYPE(ctypes.c_int, short_pointer, ctypes.c_int, ctypes.c_void_p)(collect)
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetVoiceByName(language.encode())
    words = text.encode() + b"\0"
    library.espeak_Synth(words, len(words), 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    library.espeak_Terminate()
    return _to_48k(np.concatenate(parts), rate)


def _to_48k(pcm: Pcm, rate: int) -> Pcm:
    frame = av.AudioFrame.from_ndarray(pcm[None, :], format="s16", layout="mono")
    frame.sample_rate = rate
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    return np.concatenate(
        [f.to_ndarray()[0] for f in [*resampler.resample(frame), *resampler.resample(None)]]
    )
