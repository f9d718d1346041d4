"""Passwords by argon2id, in a few threads of their own: hashing is meant to be slow, and must slow nothing else."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

_THREADS = 2
_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
"""As OWASP recommends for argon2id: m = 19 MiB, t = 2, p = 1."""


class Passwords:
    """`close` ends its threads."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._nobody = _of_nobody()

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _HASHER.hash, password)

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """As slow for an account that does not exist (None), or has no password (empty), as for one that does."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, self._verify, password_hash, password
        )

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            _HASHER.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError, UnicodeEncodeError):
            return False
        return bool(password_hash)


@cache
def _of_nobody() -> str:
    return _HASHER.hash("nobody has this password")
