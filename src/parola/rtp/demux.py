"""Which protocol a datagram on the one media port belongs to, told from its first two bytes."""

from __future__ import annotations

from typing import Literal

Kind = Literal["stun", "dtls", "rtp", "rtcp"]


def kind(datagram: bytes) -> Kind | None:
    """RFC 7983, section 7, and RFC 5761, section 4. None: none of them, or shorter than its header."""
    size = len(datagram)
    if size < 8:
        return None
    first = datagram[0]
    if 128 <= first <= 191:
        # RTCP packet types 192 to 223 are the payload types 64 to 95 with marker, which RTP leaves to them.
        if 192 <= datagram[1] <= 223:
            return "rtcp"
        return "rtp" if size >= 12 else None
    if 20 <= first <= 63:
        return "dtls" if size >= 13 else None
    if first <= 3:
        return "stun" if size >= 20 else None
    return None
