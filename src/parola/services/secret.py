"""The server's own secret, kept beside the database and never in it: by its key push services know who sends (RFC
8292), and from it the keys are made that sign links in mail.

It is an ECDSA key on P-256, as 32 bytes in base64url: what PAROLA_PUSH_KEY takes, and what lies in the data folder.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import secrets
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

_BYTES = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of P-256 (SEC 2, section 2.4.2)."""


class Secret:
    def __init__(self, text: str) -> None:
        """Raises ValueError for what is no such key."""
        self._number = parse(text)
        self._key = ec.derive_private_key(self._number, ec.SECP256R1())

    @classmethod
    def kept(cls, path: Path) -> Secret:
        """From a file, which is made where there is none: whoever of several comes second takes the first one's."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _put(path, _text(secrets.randbelow(_ORDER - 1) + 1))
        return cls(path.read_text("ascii").strip())

    @property
    def public(self) -> str:
        """As browsers take it: an uncompressed point in base64url."""
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return base64.urlsafe_b64encode(point).rstrip(b"=").decode()

    @property
    def pem(self) -> tuple[bytes, bytes]:
        """Private and public."""
        return (
            self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        )

    def derived(self, purpose: str) -> bytes:
        """A key of 32 bytes for one purpose (RFC 5869)."""
        material = self._number.to_bytes(_BYTES, "big")
        return HKDF(hashes.SHA256(), _BYTES, None, f"parola {purpose}".encode()).derive(material)


def parse(text: str) -> int:
    """Raises ValueError."""
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError) as error:
        raise ValueError("32 bytes in base64url are wanted") from error
    number = int.from_bytes(raw, "big")
    if len(raw) != _BYTES or not 0 < number < _ORDER:
        raise ValueError("32 bytes in base64url are wanted, a private key on P-256")
    return number


def _text(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes(_BYTES, "big")).rstrip(b"=").decode()


def _put(path: Path, text: str) -> None:
    """Whole, or not at all; and never over another one."""
    mine = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(text + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(mine, path)
    finally:
        mine.unlink()
