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

from parola.domain.errors import NotFound, Unavailable
from parola.domain.rooms import Lifecycle, Room, type_name
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.pictures import Pictures
from parola.services.views import Views, instant, instant_of_ms
from parola.store import Account, Measured, PeoplePage, Said, Store, Wanted

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
        removed = [h async for h in _handles(self._store.kept_out.page, account.id)]
        yield "removed_from_all_rooms.json", _json(removed)
        words = await self._store.host_words.of(account.id)
        yield "blocked_words.json", _json([{"word": w.word, "at": instant_of_ms(w.at)} for w in words])
        yield "sign_in.json", _json(await self._sign_in(account))
        yield "devices.json", _json(await self._devices(account))
        yield "notice_settings.json", _json(await self._notice_settings(account))
        yield "reports.json", _json([_said(one) async for one in self._said(account)])
        decided = await self._store.measures.of(account.id)
        yield "notices.json", _json([_notice(one) for one in decided])
        if account.picture is not None:
            try:
                yield "picture.webp", await self._pictures.read(caller, account.handle, account.picture, 400)
            except (NotFound, Unavailable):
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

    async def _sign_in(self, account: Account) -> dict[str, Any]:
        """By what one signs in, without the secrets of it."""
        keys = await self._store.credentials.passkeys_of(account.id)
        linked = await self._store.elsewhere.identities_of(account.id)
        return {
            "password": account.password_hash is not None,
            "email": await self._store.credentials.address(account.id),
            "passkeys": [
                {
                    "name": one.name,
                    "created_at": one.created_at,
                    "used_at": instant_of_ms(one.used_at) if one.used_at is not None else None,
                }
                for one in keys
            ],
            "identities": [
                {"provider": one.provider, "subject": one.subject, "name": one.name} for one in linked
            ],
        }

    async def _devices(self, account: Account) -> list[dict[str, Any]]:
        return [
            {
                "browser": one.device.browser or None,
                "system": one.device.system or None,
                "created_at": one.created_at,
                "seen_at": instant_of_ms(one.seen_at),
            }
            for one in await self._store.sessions.of(account.id, self._now())
        ]

    async def _notice_settings(self, account: Account) -> dict[str, Any]:
        choices = await self._store.notices.choices(account.id)
        browsers = await self._store.notices.subscriptions(account.id)
        return {
            "in_page": choices.in_page,
            "email": choices.email,
            "browsers": [
                {"endpoint": one.endpoint, "since": instant_of_ms(one.created_at)} for one in browsers
            ],
        }

    async def _said(self, account: Account) -> AsyncIterator[Said]:
        cursor: str | None = None
        while True:
            page = await self._store.reports.of(account.id, cursor, _AT_ONCE)
            for one in page.said:
                yield one
            cursor = page.next
            if cursor is None:
                return

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


def _said(one: Said) -> dict[str, Any]:
    """What one said, and not what others said or did."""
    return {
        "room": one.report.room_id,
        "at_ms": one.voice.at_ms,
        "reason": one.voice.reason.value,
        "text": one.voice.text,
        "at": instant_of_ms(one.voice.at),
        "closed": one.report.closed_at is not None,
    }


def _notice(one: Measured) -> dict[str, Any]:
    return {
        "kind": one.kind.value,
        "reason": one.reason,
        "at": instant_of_ms(one.at),
        "until": instant_of_ms(one.until) if one.until is not None else None,
        "appeal": one.appeal,
        "decision": one.decision.value if one.decision is not None else None,
        "decided_why": one.decided_why,
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
