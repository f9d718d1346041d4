"""SRTP and SRTCP (RFC 3711, RFC 7714) by libsrtp: one session for each direction of one connection."""

from __future__ import annotations

from pylibsrtp import Error, Policy, Session

from parola.rtp.dtls import SrtpKeys

_PROFILES = {
    "SRTP_AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "SRTP_AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "SRTP_AES128_CM_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
_WINDOW = 1024


class SrtpError(ValueError):
    """A packet that is forged, replayed, too old, or no SRTP at all."""


class Srtp:
    """`keys` as they came out of the DTLS handshake. Packets in and out are whole: header and payload."""

    def __init__(self, keys: SrtpKeys) -> None:
        profile = _PROFILES[keys.profile]
        self._outbound = Session(
            Policy(key=keys.local, ssrc_type=Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile)
        )
        inbound = Policy(key=keys.remote, ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profile)
        inbound.window_size = _WINDOW
        self._inbound = Session(inbound)

    def protect(self, packet: bytes) -> bytes:
        return bytes(self._outbound.protect(packet))

    def protect_rtcp(self, packet: bytes) -> bytes:
        return bytes(self._outbound.protect_rtcp(packet))

    def unprotect(self, datagram: bytes) -> bytes:
        """Raises SrtpError."""
        if len(datagram) < 12:
            raise SrtpError("no RTP header")
        try:
            return bytes(self._inbound.unprotect(datagram))
        except (Error, ValueError, TypeError) as error:
            raise SrtpError(str(error)) from error

    def unprotect_rtcp(self, datagram: bytes) -> bytes:
        """Raises SrtpError."""
        if len(datagram) < 8:
            raise SrtpError("no RTCP header")
        try:
            return bytes(self._inbound.unprotect_rtcp(datagram))
        except (Error, ValueError, TypeError) as error:
            raise SrtpError(str(error)) from error
