"""Objects by key: files in the data folder, or an operator's bucket, by one and the same calls.

Keys are made by the house and hold nothing that somebody has typed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class BlobsUnavailable(Exception):
    """The store cannot be reached, or does not take it."""


class Blobs:
    """`url` is file:///FOLDER or s3://BUCKET/PREFIX; credentials and endpoint of the latter are in the environment, as
    AWS's own tools read them. Nothing is opened before it is needed."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._opened: ObjectStore | None = None

    async def put(self, key: str, data: bytes) -> None:
        """Raises BlobsUnavailable."""
        with _translated():
            await self._store.put_async(key, data)

    async def find(self, key: str) -> bytes | None:
        """Raises BlobsUnavailable."""
        with _translated():
            try:
                found = await self._store.get_async(key)
                return bytes(await found.bytes_async())
            except FileNotFoundError:
                return None

    async def delete(self, *keys: str) -> None:
        """What is not there is gone already. Raises BlobsUnavailable."""
        with _translated():
            for key in keys:
                try:
                    await self._store.delete_async(key)
                except FileNotFoundError:
                    continue

    async def below(self, prefix: str) -> AsyncIterator[str]:
        """Keys that begin with `prefix` and a slash. Raises BlobsUnavailable."""
        with _translated():
            async for part in self._store.list(prefix):
                for found in part:
                    yield str(found["path"])

    @property
    def _store(self) -> ObjectStore:
        if self._opened is None:
            self._opened = _open(self._url)
        return self._opened


def _open(url: str) -> ObjectStore:
    # Takes a tenth of a second to import, and few processes need it.
    from obstore.store import LocalStore, S3Store

    parts = urlsplit(url)
    if parts.scheme == "file":
        from urllib.request import url2pathname

        return LocalStore(url2pathname(parts.path), mkdir=True)
    return S3Store(parts.netloc, prefix=parts.path.strip("/") or None)


@contextmanager
def _translated() -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as error:
        raise BlobsUnavailable(str(error)[:300]) from error
