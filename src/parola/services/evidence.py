"""The last minutes of a room, sealed for a report: while the report is open, and at most for thirty days.

Invariant: what is stored was encrypted in a media process and is opened only in `listen`, `redeem` and `about`, for an
administrator; each hearing is in the audit log before a byte of it goes out. After `expires_at` there is nothing: the
answers stop at that moment by themselves, and the object and then the row are deleted by whoever comes first.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from dataclasses import dataclass
from datetime import timedelta

import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import EvidenceOrder, EvidencePart, MessageError
from parola.domain import people
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, NotFound
from parola.domain.evidence import Part, Program, Span, joined, packed, unpacked
from parola.domain.moments import milliseconds
from parola.projection import Projections
from parola.rtp.hpke import HpkeError, UnknownKey, key_id
from parola.services.actor import Actor
from parola.services.again import look_again
from parola.services.clock import Clock
from parola.services.evidence_keys import EvidenceKeys
from parola.services.evidence_sound import Damaged, ogg, open_program
from parola.services.reports import check_not_own
from parola.services.sessions import id_or_none
from parola.store import Blobs, BlobsUnavailable, SealedEvidence, Store
from parola.store.codes import hash_of

_log = structlog.get_logger(__name__)

FOLDER = "evidence"
_ANSWER_TIMEOUT_S = 2.0
_TICKET_MS = 60_000
_LOOK_EVERY_S = 30.0
_SWEEP_EVERY = 20
"""Looks: orphans are rare."""
_TAKEN_FOR_MS = 120_000
_AT_ONCE = 20
_ORPHANED_AFTER = timedelta(hours=1)
"""An object is written before its row, and this much before nobody can be in between any more."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """`token` opens it once, for who asked, until `expires_at`, in milliseconds since 1970."""

    token: str
    expires_at: int


@dataclass(frozen=True, slots=True)
class About:
    """`length_ms` is None where the key is not here, or it was damaged."""

    sealed: SealedEvidence
    length_ms: int | None
    parts: tuple[Part, ...]
    spans: tuple[Span, ...]


class Evidence:
    """`days` as `domain.evidence.DAYS`, or less."""

    def __init__(
        self,
        store: Store,
        blobs: Blobs,
        bus: Bus,
        projections: Projections,
        keys: EvidenceKeys,
        now: Clock,
        days: int,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._bus = bus
        self._projections = projections
        self._keys = keys
        self._now = now
        self._days = days
        self._looks = 0

    async def seal(self, room_id: str, report_id: str) -> bool:
        """Keeps the room's last minutes, as of now, for a report, beside what was sealed for it before; True where
        there is something. It lasts as long as what came first.

        Media processes are asked over the bus, all of them: a room may have moved in these minutes. One that does not
        answer is left out. Raises StoreUnavailable, BlobsUnavailable."""
        found = await self._collect(room_id)
        while True:
            before = await self._store.evidence.of(report_id)
            if not found:
                return before is not None
            kept = unpacked(await self._blobs.read(before.path) or b"") if before is not None else []
            pieces = joined(kept, found)
            if pieces == kept:
                return True
            now, path = self._ms(), f"{FOLDER}/{secrets.token_hex(16)}"
            data = packed(pieces)
            await self._blobs.put(path, data)
            until = before.expires_at if before is not None else now + self._days * 86_400_000
            sealed = SealedEvidence(report_id, room_id, path, key_id(pieces[0][1]), len(data), now, until)
            if await self._store.evidence.put(sealed, before):
                if before is not None:
                    await self._forget(before.path)
                return True
            await self._forget(path)
            # Either another one was faster, and there is more to join; or the report is closed, and all is over.
            if await self._store.evidence.of(report_id) == before:
                return False

    async def let_go(self, report_id: str) -> None:
        """The report is closed, and there is nothing to hear any more; its bytes go now, and where the storage is
        away as soon as it is back. Raises StoreUnavailable where not even that could be written down."""
        sealed = await self._store.evidence.expire(id_or_none(report_id), self._ms())
        if sealed is None:
            return
        try:
            await self._delete(sealed)
        except BlobsUnavailable:
            _log.warning("evidence.storage_away", path=sealed.path)

    async def about(self, actor: Actor, report_id: str) -> About:
        """What is there, without its sound. Raises NotFound, Conflict("own_account"), StoreUnavailable."""
        sealed = await self._find(actor, report_id)
        try:
            program = await self._open(sealed)
        except Conflict:
            return About(sealed, None, (), ())
        return About(sealed, program.length_ms, tuple(program.parts), tuple(program.spans()))

    async def listen(self, actor: Actor, report_id: str, reason: str) -> Ticket:
        """Leave to hear it once, which stands in the audit log by then. Raises NotFound, Invalid, StoreUnavailable;
        Conflict("own_account", "key_elsewhere", "damaged")."""
        reason = people.parse_reason(reason)
        sealed = await self._find(actor, report_id)
        await self._open(sealed)  # nobody is noted down for hearing what cannot be heard
        token, until = secrets.token_urlsafe(32), self._ms() + _TICKET_MS
        deed = Deed(actor.id, "listen", "evidence", sealed.report_id, reason)
        await self._store.evidence.allow(hash_of(token), sealed.report_id, until, deed, self._now())
        return Ticket(token, until)

    async def redeem(self, actor: Actor, report_id: str, token: str) -> bytes:
        """An Ogg file. Raises NotFound, also for a ticket that was used; Conflict as `listen`; StoreUnavailable."""
        sealed = await self._find(actor, report_id)
        if not await self._store.evidence.redeem(hash_of(token), sealed.report_id, actor.id, self._ms()):
            raise NotFound()
        return await ogg(await self._open(sealed))

    async def run(self) -> None:
        """Deletes what is over, until it is cancelled."""
        await look_again("evidence", self._look_and_sweep, _LOOK_EVERY_S)

    async def _look_and_sweep(self) -> None:
        await self.look()
        if self._looks % _SWEEP_EVERY == 0:
            await self.sweep()
        self._looks += 1

    async def look(self) -> None:
        """Returns when everything that has expired by now is gone, but for what another process is at. Raises
        StoreUnavailable."""
        while True:
            now = self._ms()
            taken = await self._store.evidence.take(now, now + _TAKEN_FOR_MS, _AT_ONCE)
            for sealed in taken:
                try:
                    await self._delete(sealed)
                except BlobsUnavailable:
                    _log.warning("evidence.storage_away", path=sealed.path)  # it is taken up again
            if len(taken) < _AT_ONCE:
                return

    async def sweep(self) -> None:
        """Deletes objects without a row: of those who died while they sealed. Raises StoreUnavailable."""
        before = self._now() - _ORPHANED_AFTER
        old = [blob.path async for blob in self._blobs.below(FOLDER) if blob.changed_at < before]
        for path in set(old) - await self._store.evidence.paths_among(old):
            await self._blobs.delete(path)
            _log.info("evidence.orphan_deleted", path=path)
        await self._blobs.forget_unfinished(FOLDER, before)

    async def _collect(self, room_id: str) -> list[tuple[int, bytes]]:
        if not self._projections.leases.alive():
            await self._projections.leases.look()
        asked = (self._ask(process_id, room_id) for process_id in sorted(self._projections.leases.alive()))
        return [piece for found in await asyncio.gather(*asked) for piece in found]

    async def _ask(self, process_id: str, room_id: str) -> list[tuple[int, bytes]]:
        """What one media process has; what it said before it fell silent, where it does."""
        found: list[tuple[int, bytes]] = []
        after, until = 0, None
        try:
            while until is None or after < until:
                order = EvidenceOrder(room_id, after, until).to_bytes()
                subject = subjects.media(process_id, "evidence")
                part = EvidencePart.from_bytes(await self._bus.request(subject, order, _ANSWER_TIMEOUT_S))
                found += [(number, base64.b64decode(data, validate=True)) for number, data in part.segments]
                if not part.segments or part.segments[-1][0] <= after:
                    break
                after, until = part.segments[-1][0], part.until
        except (BusUnavailable, MessageError, binascii.Error) as error:
            _log.warning("evidence.not_told", process=process_id, reason=str(error)[:200])
        return found

    async def _find(self, actor: Actor, report_id: str) -> SealedEvidence:
        await check_not_own(self._store, actor, await self._store.reports.load(id_or_none(report_id)))
        sealed = await self._store.evidence.of(id_or_none(report_id))
        if sealed is None or sealed.expires_at <= self._ms():
            raise NotFound()
        return sealed

    async def _open(self, sealed: SealedEvidence) -> Program:
        data = await self._blobs.read(sealed.path)
        if data is None:
            raise NotFound()
        try:
            return await asyncio.to_thread(open_program, sealed.room_id, data, self._keys.private())
        except (UnknownKey, OSError) as error:
            raise _elsewhere() from error
        except Damaged as error:
            _log.error("evidence.damaged", path=sealed.path, reason=str(error))
            raise Conflict("damaged", "This was changed since it was sealed, and is not shown.") from error
        except HpkeError as error:
            raise _elsewhere() from error

    async def _forget(self, path: str) -> None:
        """Bytes without a row; `sweep` finds them where the storage is away."""
        try:
            await self._blobs.delete(path)
        except BlobsUnavailable:
            _log.warning("evidence.storage_away", path=path)

    async def _delete(self, sealed: SealedEvidence) -> None:
        await self._blobs.delete(sealed.path)
        await self._store.evidence.remove(sealed.report_id)
        _log.info("evidence.deleted", path=sealed.path)

    def _ms(self) -> int:
        return milliseconds(self._now())


def _elsewhere() -> Conflict:
    return Conflict(
        "key_elsewhere", "The key that opens this is not on this machine: see PAROLA_EVIDENCE_KEY."
    )
