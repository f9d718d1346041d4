"""The session keys of SRTP and SRTCP under AEAD_AES_128_GCM (RFC 7714), for who seals packets without libsrtp."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from parola.rtp.dtls import SrtpKeys

PROFILE = "SRTP_AEAD_AES_128_GCM"
KEY, SALT = 16, 12
"""Bytes."""


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """Of one direction. A nonce of a key serves once (RFC 7714, sections 8.1 and 9.1): whoever has these numbers the
    packets, and nobody else does."""

    rtp: bytes
    rtp_salt: bytes
    rtcp: bytes
    rtcp_salt: bytes


def session_keys(keys: SrtpKeys) -> SessionKeys | None:
    """For what we send; None for another profile."""
    if keys.profile != PROFILE:
        return None
    # RFC 7714, section 11: AES-CM as in RFC 3711, section 4.3, the salt filled up with zeros; labels of section 4.3.2.
    master, salt = keys.local[:KEY], int.from_bytes(keys.local[KEY:] + bytes(2), "big")
    rtp, rtp_salt, rtcp, rtcp_salt = (_derive(master, salt, label) for label in (0, 2, 3, 5))
    return SessionKeys(rtp, rtp_salt[:SALT], rtcp, rtcp_salt[:SALT])


def _derive(master: bytes, salt: int, label: int) -> bytes:
    block = (salt ^ label << 48) << 16
    encryptor = Cipher(algorithms.AES(master), modes.CTR(block.to_bytes(16, "big"))).encryptor()
    return encryptor.update(bytes(KEY))
