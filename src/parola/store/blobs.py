"""Objects beside the database: a folder, or a bucket of S3 or of what speaks like it, by obstore.

Paths are this house's own, never a caller's words. With S3, keys and region come from the usual AWS_* variables.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from parola.store.database import StoreUnavailable


class BlobsUnavailable(StoreUnavailable):
    """The objects cannot be reached, or there is no room for more."""


@dataclass(frozen=True, slots=True)
class Blob:
    """`changed_at` by the storage's own clock."""

    path: str
    size: int
    changed_at: datetime


class Blobs:
    """Each call raises BlobsUnavailable."""

    def __init__(self, url: str) -> None:
        """`url` is `file:///FOLDER` or `s3://BUCKET/PREFIX`; nothing is made or asked before the first call."""
        self._url = url
        self._opened: Any = None

    async def put(self, path: str, data: bytes) -> None:
        """All of it or nothing; what was there before is replaced."""
        with _translated():
            await self._store(makes=True).put_async(path, data)

    async def read(self, path: str) -> bytes | None:
        """None where there is nothing."""
        with _translated(), contextlib.suppress(FileNotFoundError, NotFoundError):
            found = await self._store().get_async(path)
            return bytes(await found.bytes_async())
        return None

    async def delete(self, path: str) -> None:
        """It is gone when this returns, whether it was there or not."""
        with _translated(), contextlib.suppress(FileNotFoundError, NotFoundError):
            await self._store().delete_async(path)

    async def below(self, folder: str) -> AsyncIterator[Blob]:
        """Everything whose path begins with `folder/`."""
        with _translated(), contextlib.suppress(FileNotFoundError, NotFoundError):
            async for page in self._store().list(prefix=folder, chunk_size=1000):
                for found in page:
                    yield Blob(found["path"], found["size"], found["last_modified"])

    async def forget_unfinished(self, folder: str, before: datetime) -> None:
        """What was left lying half written in `folder` by somebody who died: only a folder of files shows that."""
        parts = urlsplit(self._url)
        if parts.scheme != "file":
            return
        with _translated():
            for path in (Path(unquote(parts.path)) / folder).glob("*#*"):
                if path.stat().st_mtime < before.timestamp():
                    path.unlink(missing_ok=True)

    def _store(self, makes: bool = False) -> Any:
        if self._opened is not None:
            return self._opened
        parts = urlsplit(self._url)
        if parts.scheme == "file":
            folder = Path(unquote(parts.path))
            if not makes and not folder.exists():
                raise FileNotFoundError(folder)
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise BlobsUnavailable(str(error)) from error
            self._opened = LocalStore(folder, automatic_cleanup=False)
        else:
            self._opened = S3Store.from_url(
                self._url,
                client_options={"allow_http": True, "timeout": "10s"},
                retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=10)},
            )
        return self._opened


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotFoundError):
        raise
    except (BaseError, OSError) as error:
        raise BlobsUnavailable(str(error)) from error
