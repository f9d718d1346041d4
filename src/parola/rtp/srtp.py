"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp: both directions of one connection.

Invariant: a packet that comes out of `unprotect` was made by the peer of the DTLS handshake, and comes out once. What
is forged, repeated or too old raises `SrtpError` and leaves no trace.

The roll-over counter of each direction starts at 0 with the session (RFC 3711, section 3.3.1): a stream's sequence
numbers must start anew for each connection. One thread owns one `Srtp`.
"""

from __future__ import annotations

from collections.abc import Callable

from pylibsrtp import Error, Policy, Session

from parola.rtp.dtls import SrtpKeys

MOST_SOURCES = 16
"""SSRCs that one peer may use in its connection's life: libsrtp keeps 4 KB for each and forgets none."""
LARGEST = 1500
"""Bytes of a protected packet; pylibsrtp's buffer."""

_PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
_WINDOW = 1024
"""Packets that may come late (RFC 3711, section 3.3.2, wants at least 64): 20 s of Opus."""


class SrtpError(ValueError):
    """A packet that is forged, repeated, too old, too long, or no SRTP at all."""


class Srtp:
    """`keys` as they came out of the DTLS handshake. Packets, plain and protected, are whole: header and payload."""

    def __init__(self, keys: SrtpKeys) -> None:
        profile = _PROFILES[keys.profile]
        self._outbound = Session(
            Policy(key=keys.local, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        )
        inbound = Policy(key=keys.remote, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        inbound.window_size = _WINDOW
        self._inbound = Session(inbound)
        self._sources: set[bytes] = set()

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet as SRTP. Raises SrtpError for what is no RTP, is too long, or has been sent before: no index
        is ever used for two packets (RFC 3711, section 9.1)."""
        return _process(self._outbound.protect, packet, 12)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """A compound RTCP packet as SRTCP. Raises SrtpError."""
        return _process(self._outbound.protect_rtcp, packet, 8)

    def unprotect(self, datagram: bytes) -> bytes:
        """The RTP packet in an SRTP packet. Raises SrtpError."""
        return self._admit(self._inbound.unprotect, datagram, 12, datagram[8:12])

    def unprotect_rtcp(self, datagram: bytes) -> bytes:
        """The compound RTCP packet in an SRTCP packet. Raises SrtpError."""
        return self._admit(self._inbound.unprotect_rtcp, datagram, 8, datagram[4:8])

    def _admit(
        self, unprotect: Callable[[bytes], bytes], datagram: bytes, header: int, source: bytes
    ) -> bytes:
        if source not in self._sources and len(self._sources) >= MOST_SOURCES:
            raise SrtpError("too many sources")
        packet = _process(unprotect, datagram, header)
        self._sources.add(source)
        return packet


def _process(work: Callable[[bytes], bytes], packet: bytes, header: int) -> bytes:
    # RFC 3550, section 5.1: version 2. libsrtp would look at lengths in the header before it looks at the tag.
    if not header <= len(packet) <= LARGEST or packet[0] >> 6 != 2:
        raise SrtpError("no RTP or RTCP header")
    try:
        return bytes(work(packet))
    except (Error, ValueError) as error:
        raise SrtpError(str(error)) from error
