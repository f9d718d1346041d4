"""Opus by libopus, called directly: the copy that PyAV's wheel carries, with controls that PyAV does not offer.

ctypes lets go of the GIL during each call. The encoder is held to CELT at full bandwidth, so that every packet has the
same TOC byte and packets can be merged (RFC 6716, section 3.2.5); docs/adr/0002-opus-settings.md has the figures.
"""

from __future__ import annotations

import ctypes
import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.float32]

RATE = 48_000
FRAME = 960
_LONGEST = 5760
_LARGEST_PACKET = 1275

_APPLICATION_LOW_DELAY = 2051
"""The one application that never leaves CELT; it also looks 4 ms less ahead."""
_SET_BITRATE = 4002
_SET_BANDWIDTH = 4008
_SET_COMPLEXITY = 4010
_SET_PACKET_LOSS = 4014
_SET_SIGNAL = 4024
_RESET_STATE = 4028
_FULL_BAND = 1105
_SIGNAL_VOICE = 3001


class CodecError(ValueError):
    """libopus refused: a packet that is damaged, or a wrong argument."""


class Encoder:
    """Mono, 48 kHz, 20 ms a packet. `bitrate` in bit/s, `complexity` 0 to 10, `loss` the percentage to prepare for:
    the higher it is, the less does a packet lean on the one before it (CELT has no other protection, RED is for that).
    """

    def __init__(self, bitrate: int = 40_000, complexity: int = 5, loss: int = 10) -> None:
        self._library = _library()
        error = ctypes.c_int()
        self._state = self._library.opus_encoder_create(RATE, 1, _APPLICATION_LOW_DELAY, ctypes.byref(error))
        _check(error.value, self._library)
        for request, value in (
            (_SET_BITRATE, bitrate),
            (_SET_COMPLEXITY, complexity),
            (_SET_SIGNAL, _SIGNAL_VOICE),
            (_SET_BANDWIDTH, _FULL_BAND),
            (_SET_PACKET_LOSS, loss),
        ):
            _check(self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value)), self._library)
        self._out = ctypes.create_string_buffer(_LARGEST_PACKET)

    def encode(self, pcm: Pcm) -> bytes:
        """960 samples, full scale ±1, to one packet."""
        if pcm.shape != (FRAME,):
            raise CodecError(f"960 samples are wanted, not {pcm.shape}")
        samples = np.ascontiguousarray(pcm, np.float32)
        pointer = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        size = self._library.opus_encode_float(self._state, pointer, FRAME, self._out, _LARGEST_PACKET)
        _check(size, self._library)
        return ctypes.string_at(self._out, size)

    def reset(self) -> None:
        """Forgets the sound so far, keeps the settings."""
        self._library.opus_encoder_ctl(self._state, _RESET_STATE)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_encoder_destroy(self._state)


class Decoder:
    """Mono, 48 kHz, full scale ±1; stereo packets are mixed down by libopus."""

    def __init__(self) -> None:
        self._library = _library()
        error = ctypes.c_int()
        self._state = self._library.opus_decoder_create(RATE, 1, ctypes.byref(error))
        _check(error.value, self._library)

    def decode(self, packet: bytes) -> Pcm:
        """As many samples as the packet holds. Raises CodecError."""
        return self._decode(packet, _LONGEST, 0)

    def decode_fec(self, packet: bytes, samples: int) -> Pcm:
        """What the packet says of the one before it; concealment where it says nothing. Raises CodecError."""
        return self._decode(packet, samples, 1)

    def conceal(self, samples: int) -> Pcm:
        """A guess at what is missing, fading with each further call."""
        return self._decode(None, samples, 0)

    def reset(self) -> None:
        self._library.opus_decoder_ctl(self._state, _RESET_STATE)

    def _decode(self, packet: bytes | None, samples: int, fec: int) -> Pcm:
        out = np.empty(samples, np.float32)
        pointer = out.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        size = len(packet) if packet is not None else 0
        count = self._library.opus_decode_float(self._state, packet, size, pointer, samples, fec)
        _check(count, self._library)
        pcm = out[:count]
        if not math.isfinite(float(pcm.sum())):
            # One NaN in a mix would silence it for good: it stays in every filter behind.
            self.reset()
            raise CodecError("the packet decodes to something that is no sound")
        return pcm

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.opus_decoder_destroy(self._state)


def version() -> str:
    """As libopus calls itself."""
    return str(_library().opus_get_version_string().decode())


def _check(result: int, library: ctypes.CDLL) -> None:
    if result < 0:
        raise CodecError(library.opus_strerror(result).decode())


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(_library_path()))
    pointer, integer = ctypes.c_void_p, ctypes.c_int
    floats = ctypes.POINTER(ctypes.c_float)
    signatures: dict[str, tuple[list[object], object]] = {
        "opus_encoder_create": ([ctypes.c_int32, integer, integer, ctypes.POINTER(integer)], pointer),
        "opus_encode_float": ([pointer, floats, integer, ctypes.c_char_p, ctypes.c_int32], ctypes.c_int32),
        "opus_encoder_destroy": ([pointer], None),
        "opus_decoder_create": ([ctypes.c_int32, integer, ctypes.POINTER(integer)], pointer),
        "opus_decode_float": ([pointer, ctypes.c_char_p, ctypes.c_int32, floats, integer, integer], integer),
        "opus_decoder_destroy": ([pointer], None),
        "opus_strerror": ([integer], ctypes.c_char_p),
        "opus_get_version_string": ([], ctypes.c_char_p),
    }
    for name, (arguments, result) in signatures.items():
        function = getattr(library, name)
        function.argtypes, function.restype = arguments, result
    for name in ("opus_encoder_ctl", "opus_decoder_ctl"):
        # Variadic: only the fixed arguments are declared.
        getattr(library, name).argtypes = [pointer, integer]
    return library


def _library_path() -> Path:
    """PyAV's wheel puts its libraries beside the package (`av.libs`, on macOS `av/.dylibs`)."""
    found = importlib.util.find_spec("av")
    assert found is not None
    assert found.origin is not None
    package = Path(found.origin).parent
    for folder in (package.parent / "av.libs", package / ".dylibs", package.parent / "pyav.libs"):
        for path in sorted(folder.glob("libopus*")):
            return path
    raise CodecError(f"no libopus beside {package}; PyAV must come from its wheel")
