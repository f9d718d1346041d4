"""People's pictures: drawn anew where they come in, kept beside the database, found by handle and version.

No room's event names one. Who may see the person may see the picture, and nobody else
(docs/adr/0015-pictures-beside-events.md).
"""

from __future__ import annotations

import asyncio
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import structlog

from parola.domain.errors import NotFound, NotSignedIn, Unavailable
from parola.services import images
from parola.services.caller import Caller
from parola.services.people import People
from parola.store import Account, AccountGone, Blobs, BlobsUnavailable, Store

_log = structlog.get_logger(__name__)

_VERSION = re.compile(r"[A-Za-z0-9_-]{1,32}")
_MOST_WAITING = 8
"""Pictures that are held in memory until the one thread comes to them."""


def picture_of(account: Account) -> str | None:
    """Where it is, on this server. A new picture has another address."""
    if account.picture is None:
        return None
    return f"/api/accounts/{account.handle}/picture/{account.picture}"


class Pictures:
    def __init__(self, store: Store, blobs: Blobs, people: People) -> None:
        self._store = store
        self._blobs = blobs
        self._people = people
        # One thread, and little of its work holds Python's lock: no voice waits for somebody's picture.
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="pictures")
        self._waiting = 0

    async def put(self, caller: Caller, data: bytes) -> Account:
        """Raises NotSignedIn, TooLarge, Unsupported, Invalid, Unavailable."""
        account = caller.signed_in().account
        kind = images.check(data)
        if self._waiting >= _MOST_WAITING:
            raise Unavailable("busy", "Too many pictures at once.", 2)
        self._waiting += 1
        try:
            drawn = await asyncio.get_running_loop().run_in_executor(self._pool, images.redraw, data, kind)
        finally:
            self._waiting -= 1
        version = secrets.token_urlsafe(9)
        try:
            for size, picture in drawn.items():
                await self._blobs.put(_key(account.id, version, size), picture)
        except BlobsUnavailable as error:
            raise _away() from error
        try:
            await self._change(account.id, version)
        except AccountGone as error:
            await self._delete(
                account.id, version
            )  # what ends the account may have looked before it was there
            raise NotSignedIn() from error
        return replace(account, picture=version)

    async def remove(self, caller: Caller) -> None:
        """Raises NotSignedIn."""
        await self._change(caller.signed_in().account.id, None)

    async def read(self, caller: Caller, handle: str, version: str, size: int) -> bytes:
        """WebP. Raises NotFound, also where there is another one by now, and Unavailable."""
        account = await self._people.visible(caller, handle)
        if account.picture is None or version != account.picture or not _VERSION.fullmatch(version):
            raise NotFound()
        try:
            found = await self._blobs.read(_key(account.id, version, size))
        except BlobsUnavailable as error:
            raise _away() from error
        if found is None:
            raise NotFound()
        return found

    async def forget(self, account_id: str) -> None:
        """All of somebody's that there ever were. Raises Unavailable."""
        try:
            for blob in [one async for one in self._blobs.below(f"pictures/{account_id}")]:
                await self._blobs.delete(blob.path)
        except BlobsUnavailable as error:
            raise _away() from error

    async def _change(self, account_id: str, version: str | None) -> None:
        before = await self._store.accounts.set_picture(account_id, version)
        if before is not None:
            await self._delete(account_id, before)

    async def _delete(self, account_id: str, version: str) -> None:
        try:
            for size in images.SIZES:
                await self._blobs.delete(_key(account_id, version, size))
        except BlobsUnavailable:
            _log.warning("pictures.left_behind", account=account_id)  # nobody finds it any more


def _key(account_id: str, version: str, size: int) -> str:
    return f"pictures/{account_id}/{version}-{size}.webp"


def _away() -> Unavailable:
    return Unavailable("pictures_away", "Pictures cannot be kept or shown just now.", 5)
