"""Sealing bytes to whoever has a private key: HPKE in its base mode, single shot (RFC 9180 sections 5.1.1 and 6.1).

DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Each message has a key of its own, made from an ephemeral key that
the library draws and forgets: who seals cannot open what was sealed. In front of a message stands the number of the key
that opens it, so that a house whose keys have changed finds the right one.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

PUBLIC = "public:"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_ID_BYTES = 8


class HpkeError(ValueError):
    """What is no key, or cannot be opened."""


class UnknownKey(HpkeError):
    """It was sealed to a key that is not here."""


class PublicKey:
    """`id` is short and says nothing of the key."""

    def __init__(self, key: X25519PublicKey) -> None:
        self._key = key
        self._number = _number(key)
        self.id = self._number.hex()

    @classmethod
    def parse(cls, text: str) -> Self:
        """`public:` and 32 bytes in base64url. Raises HpkeError."""
        return cls(X25519PublicKey.from_public_bytes(_bytes(text.strip().removeprefix(PUBLIC))))

    def __str__(self) -> str:
        return PUBLIC + _text(self._key.public_bytes_raw())

    def seal(self, message: bytes | bytearray | memoryview, context: bytes) -> bytes:
        """Opens only with the same `context`."""
        return self._number + _SUITE.encrypt(message, self._key, info=context)


class PrivateKeys:
    """The first is the one to seal to; the others only open."""

    def __init__(self, keys: Iterable[X25519PrivateKey]) -> None:
        made = list(keys)
        if not made:
            raise HpkeError("there is no key")
        self.public = PublicKey(made[0].public_key())
        self._keys = {_number(key.public_key()): key for key in made}

    @classmethod
    def parse(cls, text: str) -> Self:
        """32 bytes each in base64url, between commas or lines; a line that begins with # is none. Raises HpkeError."""
        lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
        words = [word.strip() for line in lines for word in line.split(",")]
        return cls(X25519PrivateKey.from_private_bytes(_bytes(word)) for word in words if word)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Raises UnknownKey, and HpkeError for whatever was changed."""
        key = self._keys.get(sealed[:_ID_BYTES])
        if key is None:
            raise UnknownKey("it was sealed to another key")
        try:
            return _SUITE.decrypt(sealed[_ID_BYTES:], key, info=context)
        except (InvalidTag, ValueError) as error:
            raise HpkeError("it is damaged, or belongs elsewhere") from error


def new_key(secret: bytes) -> str:
    """32 random bytes as a private key's text."""
    return _text(X25519PrivateKey.from_private_bytes(secret).private_bytes_raw())


def key_id(sealed: bytes) -> str:
    return sealed[:_ID_BYTES].hex()


def _number(key: X25519PublicKey) -> bytes:
    return hashlib.sha256(b"parola evidence key" + key.public_bytes_raw()).digest()[:_ID_BYTES]


def _bytes(text: str) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise HpkeError("a key is 32 bytes in base64url") from error
    if len(raw) != 32:
        raise HpkeError("a key is 32 bytes in base64url")
    return raw


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode("ascii").rstrip("=")
