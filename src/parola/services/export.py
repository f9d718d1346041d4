"""A copy of what is one's own, as a zip of JSON that is written while it is read (docs/export.md).

Others are in it as handles only: what they have written or are called is theirs.
"""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import orjson

from parola.blobs import BlobsUnavailable
from parola.domain.errors import NotFound, Unavailable
from parola.domain.rooms import Lifecycle, Room, type_name
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.pictures import Pictures
from parola.services.views import Views, instant
from parola.store import Account, PeoplePage, Store, Wanted

VERSION = 1
_AT_ONCE = 200
_FROM = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can hold; its files are of no other."""


class Export:
    def __init__(self, store: Store, views: Views, pictures: Pictures, now: Clock) -> None:
        self._store = store
        self._views = views
        self._pictures = pictures
        self._now = now

    async def write(self, caller: Caller) -> AsyncIterator[bytes]:
        """The bytes of the zip, some at a time: nothing is kept anywhere. Raises NotSignedIn, StoreUnavailable."""
        account = caller.signed_in().account
        sink = _Sink()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            async for name, data in self._files(caller, account):
                archive.writestr(_entry(name), data)
                yield sink.take()
                await asyncio.sleep(0)
        yield sink.take()

    async def _files(self, caller: Caller, account: Account) -> AsyncIterator[tuple[str, bytes]]:
        yield "profile.json", _json({"version": VERSION, "at": instant(self._now()), **_profile(account)})
        relations = self._store.relations
        for name, ask in (
            ("followers", relations.followers),
            ("following", relations.following),
        ):
            yield f"{name}.json", _json([h async for h in _handles(ask, account.id, account.id)])
        for name, mine in (
            ("requests", relations.requests),
            ("blocks", relations.blocked_by),
            ("hushes", relations.hushed_by),
        ):
            yield f"{name}.json", _json([h async for h in _handles(mine, account.id)])
        yield "invitations.json", _json(await self._invitations(account))
        yield (
            "sessions.json",
            _json([{"began_at": at} for at in await self._store.sessions.begun(account.id)]),
        )
        linked = await self._store.elsewhere.identities_of(account.id)
        yield (
            "identities.json",
            _json([{"provider": one.provider, "subject": one.subject, "name": one.name} for one in linked]),
        )
        if account.picture is not None:
            try:
                yield "picture.webp", await self._pictures.read(caller, account.handle, account.picture, 400)
            except (NotFound, Unavailable, BlobsUnavailable):
                yield "picture.json", _json({"missing": "the picture could not be read just now"})
        for state in Lifecycle:
            wanted, cursor = Wanted(state, host=account.id), None
            while True:
                page = await self._store.rooms.page(wanted, account.id, cursor, _AT_ONCE)
                for room in page.rooms:
                    yield f"rooms/{room.id}.json", _json(await self._room(room, account.handle))
                cursor = page.next
                if cursor is None:
                    break

    async def _room(self, room: Room, handle: str) -> dict[str, Any]:
        events: list[dict[str, Any]] = []
        seq = 0
        while found := await self._store.rooms.events_after(room.id, seq):
            for event, data in zip(found, await self._views.events(found), strict=True):
                events.append({"type": type_name(event), **_without_others(data, handle)})
            seq = found[-1].seq
        return {
            "id": room.id,
            "title": room.title,
            "access": room.access.value,
            "guests": room.guests,
            "state": room.state.value,
            "created_at": instant(room.created_at),
            "starts_at": instant(room.starts_at),
            "started_at": instant(room.started_at),
            "ended_at": instant(room.ended_at),
            "events": events,
        }

    async def _invitations(self, account: Account) -> dict[str, Any]:
        by = None
        if account.invited_by is not None:
            by = (await self._store.accounts.by_ids([account.invited_by])).get(account.invited_by)
        made = await self._store.invites.of(account.id, 10_000)
        return {
            "invited_by": by.handle if by is not None else None,
            "made": [
                {
                    "id": one.id,
                    "created_at": one.created_at,
                    "used_by": one.used_by.handle if one.used_by is not None else None,
                }
                for one in made
            ],
        }


class _Sink(io.RawIOBase):
    """What the zip has written since somebody looked; it cannot go back, so every file is whole when it is there."""

    def __init__(self) -> None:
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def take(self) -> bytes:
        found, self._written = bytes(self._written), bytearray()
        return found


def _profile(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "handle": account.handle,
        "name": account.name,
        "bio": account.bio,
        "created_at": account.created_at,
        "language": account.language,
        "listen_unseen": account.listen_unseen,
        "private": account.private,
        "role": account.role,
    }


def _without_others(data: dict[str, Any], handle: str) -> dict[str, Any]:
    """Their names, pictures and notes are theirs."""
    if "handle" not in data or data["handle"] == handle:
        return data
    return {key: value for key, value in data.items() if key not in ("name", "picture", "note")}


async def _handles(ask: Any, *of: str) -> AsyncIterator[str]:
    cursor: str | None = None
    while True:
        page: PeoplePage = await ask(*of, cursor, _AT_ONCE)
        for account in page.people:
            yield account.handle
        cursor = page.next
        if cursor is None:
            return


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _FROM)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


def _json(data: Any) -> bytes:
    return orjson.dumps(data, option=orjson.OPT_INDENT_2)


def file_name(handle: str, now: datetime) -> str:
    return f"parola-{handle}-{now:%Y-%m-%d}.zip"
