"""What a datagram on the one port is, by its first byte (RFC 7983), and RTP from RTCP by the second (RFC 5761)."""

from __future__ import annotations

from typing import Literal

Kind = Literal["stun", "dtls", "rtp", "rtcp"]


def kind(datagram: bytes) -> Kind | None:
    """None for everything that may not be on this port: TURN channels, ZRTP, and bytes without meaning."""
    if len(datagram) < 12:
        return None
    first = datagram[0]
    if first < 4:
        return "stun"
    if 20 <= first <= 63:
        return "dtls"
    if 128 <= first <= 191:
        # RFC 5761, section 4: payload types 64–95 are not used where RTP and RTCP share a port.
        return "rtcp" if 192 <= datagram[1] <= 223 else "rtp"
    return None
