"""The keys that open evidence: in a file of the data folder, or where PAROLA_EVIDENCE_KEY says; never in the database.

They are read anew each time they are needed, so that they lie in memory only then and a new one counts at once.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from parola.rtp.hpke import PUBLIC, HpkeError, PrivateKeys, PublicKey, new_key

_HEAD = (
    "# Opens the evidence that reports have sealed. The first key seals, all of them open. Keep it apart.\n"
)


class EvidenceKeys:
    """`said` is PAROLA_EVIDENCE_KEY: keys, a path to a file of them, `public:…`, or nothing for `file`."""

    def __init__(self, said: str, file: Path) -> None:
        self._said = said.strip()
        self._file = Path(self._said).expanduser() if "/" in self._said else file

    def make(self) -> None:
        """A first key, where the file is ours to make and there is none. Two who do so at once make one. Raises
        OSError."""
        if self._said or self._file.exists():
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_name(f".{self._file.name}.{secrets.token_hex(8)}")
        try:
            _write(draft, _HEAD + new_key(secrets.token_bytes(32)) + "\n")
            with contextlib.suppress(FileExistsError):
                os.link(draft, self._file)
        finally:
            draft.unlink(missing_ok=True)

    def rotate(self) -> str:
        """A new first key in the file, before those that are there; the id of it. Raises HpkeError, OSError."""
        if self._is_value:
            raise HpkeError("the keys stand in PAROLA_EVIDENCE_KEY itself, not in a file")
        earlier = self._file.read_text("ascii") if self._file.exists() else ""
        text = _HEAD + new_key(secrets.token_bytes(32)) + "\n" + earlier.removeprefix(_HEAD)
        draft = self._file.with_name(f".{self._file.name}.{secrets.token_hex(8)}")
        _write(draft, text)
        draft.replace(self._file)
        return PrivateKeys.parse(text).public.id

    def public(self) -> PublicKey:
        """What rooms are sealed to. Raises HpkeError, OSError."""
        if self._said.startswith(PUBLIC):
            return PublicKey.parse(self._said)
        return self.private().public

    def private(self) -> PrivateKeys:
        """Raises HpkeError, also where only the public one is known here; OSError."""
        if self._said.startswith(PUBLIC):
            raise HpkeError("here is only the public key")
        return PrivateKeys.parse(self._said if self._is_value else self._read())

    @property
    def _is_value(self) -> bool:
        return bool(self._said) and "/" not in self._said

    def _read(self) -> str:
        mode = self._file.stat().st_mode
        if mode & (stat.S_IRWXO | stat.S_IWGRP):
            raise HpkeError(f"{self._file} can be read by others: chmod 600")
        return self._file.read_text("ascii")


def _write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
