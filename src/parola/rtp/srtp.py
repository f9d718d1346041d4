"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp: both directions of one connection, each for itself.

Invariant: a packet that comes out of `Inbound` was made by the peer of the DTLS handshake, and comes out once. What is
forged, repeated or too old raises `SrtpError` and leaves no trace.

The roll-over counter of each direction starts at 0 with the session (RFC 3711, section 3.3.1): a stream's sequence
numbers must start anew for each connection. One thread at a time uses a direction.
"""

from __future__ import annotations

from typing import Any

from pylibsrtp import Policy
from pylibsrtp._binding import ffi, lib

from parola.rtp.dtls import SrtpKeys
from parola.rtp.srtp_keys import SessionKeys, session_keys

MOST_SOURCES = 16
"""SSRCs that one peer may use in its connection's life: libsrtp keeps 4 KB for each and forgets none."""
LARGEST = 1500
"""Bytes of a protected packet."""

_PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
_WINDOW = 1024
"""Packets that may come late (RFC 3711, section 3.3.2, wants at least 64): 20 s of Opus."""
_TRAILER = 16 + 4
"""Tag, and SRTCP's index."""


class SrtpError(ValueError):
    """A packet that is forged, repeated, too old, too long, or no SRTP at all."""


class Outbound:
    """What we send: under one SSRC, which takes half the memory, or any. Packets, plain and protected, are whole:
    header and payload."""

    def __init__(self, keys: SrtpKeys, ssrc: int | None = None) -> None:
        kind = Policy.SSRC_ANY_OUTBOUND if ssrc is None else Policy.SSRC_SPECIFIC
        self._session = _session(Policy(keys.local, kind, ssrc or 0, _PROFILES[keys.profile]))

    @property
    def address(self) -> int:
        """Of libsrtp's own session, for who calls it without Python; valid for as long as this object lives."""
        return int(ffi.cast("uintptr_t", self._session[0]))

    def protect(self, packet: bytes) -> bytes:
        """An RTP packet as SRTP. Raises SrtpError for what is no RTP, is too long, or has been sent before: no index
        is ever used for two packets (RFC 3711, section 9.1)."""
        return _process(lib.srtp_protect, self._session, packet, 12, LARGEST - _TRAILER)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """A compound RTCP packet as SRTCP. Raises SrtpError."""
        return _process(lib.srtp_protect_rtcp, self._session, packet, 8, LARGEST - _TRAILER)


class Inbound:
    """What the peer sends."""

    def __init__(self, keys: SrtpKeys) -> None:
        policy = Policy(keys.remote, Policy.SSRC_ANY_INBOUND, srtp_profile=_PROFILES[keys.profile])
        policy.window_size = _WINDOW
        self._session = _session(policy)
        self._sources: set[bytes] = set()

    def unprotect(self, datagram: bytes) -> bytes:
        """The RTP packet in an SRTP packet. Raises SrtpError."""
        return self._admit(lib.srtp_unprotect, datagram, 12, datagram[8:12])

    def unprotect_rtcp(self, datagram: bytes) -> bytes:
        """The compound RTCP packet in an SRTCP packet. Raises SrtpError."""
        return self._admit(lib.srtp_unprotect_rtcp, datagram, 8, datagram[4:8])

    def _admit(self, unprotect: Any, datagram: bytes, header: int, source: bytes) -> bytes:
        if source not in self._sources and len(self._sources) >= MOST_SOURCES:
            raise SrtpError("too many sources")
        packet = _process(unprotect, self._session, datagram, header, LARGEST)
        self._sources.add(source)
        return packet


class Srtp:
    """`keys` as they came out of the DTLS handshake. What we send is protected here, or by whoever `hand_over` has
    given the keys to, never by both: two packets under one index would open the lock."""

    __slots__ = ("_keys", "_outbound", "_ssrc", "inbound")

    def __init__(self, keys: SrtpKeys, ssrc: int | None = None) -> None:
        self.inbound = Inbound(keys)
        self._keys: SrtpKeys | None = keys
        self._ssrc = ssrc
        self._outbound: Outbound | None = None

    def hand_over(self) -> SessionKeys | Outbound:
        """What is to be sent from now on is protected with this; nothing has been before. Raises SrtpError."""
        if self._keys is None or self._outbound is not None:
            raise SrtpError("these keys are in use")
        keys, self._keys = self._keys, None
        return session_keys(keys) or Outbound(keys, self._ssrc)

    def protect(self, packet: bytes) -> bytes:
        return self._own().protect(packet)

    def protect_rtcp(self, packet: bytes) -> bytes:
        return self._own().protect_rtcp(packet)

    def unprotect(self, datagram: bytes) -> bytes:
        return self.inbound.unprotect(datagram)

    def unprotect_rtcp(self, datagram: bytes) -> bytes:
        return self.inbound.unprotect_rtcp(datagram)

    def _own(self) -> Outbound:
        if self._outbound is None:
            if self._keys is None:
                raise SrtpError("somebody else has the keys")
            self._outbound = Outbound(self._keys, self._ssrc)
        return self._outbound


# One buffer for all: nothing waits between its filling and its emptying, and the sender threads have their own.
_buffer = ffi.new("char[]", LARGEST + _TRAILER)
_size = ffi.new("int *")


def _session(policy: Policy) -> Any:
    session = ffi.new("srtp_t *")
    _check(lib.srtp_create(session, policy._policy))
    return ffi.gc(session, lambda pointer: lib.srtp_dealloc(pointer[0]))


def _process(work: Any, session: Any, packet: bytes, header: int, most: int) -> bytes:
    # RFC 3550, section 5.1: version 2. libsrtp would look at lengths in the header before it looks at the tag.
    if not header <= len(packet) <= most or packet[0] >> 6 != 2:
        raise SrtpError("no RTP or RTCP header, or too long")
    ffi.memmove(_buffer, packet, len(packet))
    _size[0] = len(packet)
    _check(work(session[0], _buffer, _size))
    return bytes(ffi.buffer(_buffer, _size[0]))


def _check(status: int) -> None:
    if status != lib.srtp_err_status_ok:
        raise SrtpError(f"libsrtp: status {status}")
