"""Named outputs of a room's mixer: each is one Opus stream that starts with speech and ends with silence.

An output that falls silent is not just stopped: a browser would conceal the hole by stretching the last sound it has.
So it goes on with a little encoded silence, closes with one empty Opus packet (which a decoder takes as "comfort noise
from here on", RFC 6716 section 3.4 and RFC 7587 section 3.1.3), and only then costs nothing. How loud that noise is, a
decoder takes from the frames before. An encoder that comes from a sound lets it die away over many frames; one that
begins with silence says that it is digital silence, and the noise is none.
"""

from __future__ import annotations

from parola.media.codec import Encoder
from parola.media.mixer import Mixed
from parola.rtp import opus

MAIN = "main"
CLOSING_TICKS = 5
"""100 ms: the sound's own end, which the encoder's look-ahead and the decoder's overlap still hold, then silence."""
_DIGITAL_TICKS = 3
"""Digital silence more than once: a lost packet must not leave a listener with noise."""


def mix_minus(account_id: str) -> str:
    """The output for a talker: everything but their own voice."""
    return f"minus.{account_id}"


class Output:
    """Feed it one `Mixed` for each tick; it answers with an Opus packet, or None where nothing need be sent."""

    def __init__(self) -> None:
        self._encoder = Encoder()
        self._closing = CLOSING_TICKS
        self._last: bytes | None = None

    @property
    def is_idle(self) -> bool:
        return self._closing == 0

    def encode(self, mixed: Mixed, sounding: bool) -> bytes | None:
        """`sounding`: somebody talks in this tick, so nothing may be left out."""
        if sounding:
            self._closing = CLOSING_TICKS
        elif self._closing == 0:
            return None
        else:
            self._closing -= 1
            if self._closing == 0 and self._last is not None:
                packet, self._last = opus.dtx(self._last[0]), None
                return packet
            if self._closing == _DIGITAL_TICKS:
                self._encoder.reset()
        self._last = self._encoder.encode(mixed.pcm)
        return self._last
