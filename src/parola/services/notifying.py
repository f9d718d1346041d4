"""That something was decided about somebody, by mail where they have an address. The page shows it in any case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from parola.domain.moderation import Decision, Measure
from parola.domain.moments import milliseconds
from parola.services import letters
from parola.services.clock import Clock
from parola.store import Letter, Store


@dataclass(frozen=True, slots=True)
class Mailbox:
    """Where somebody reads mail, and in which language."""

    address: str
    language: str


class Mailboxes(Protocol):
    """Who has an address for mail, and has proved that it is theirs."""

    async def of(self, account_ids: Iterable[str]) -> dict[str, Mailbox]: ...


class ConfirmedMailboxes:
    """As accounts have them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def of(self, account_ids: Iterable[str]) -> dict[str, Mailbox]:
        addresses = await self._store.credentials.confirmed(list(account_ids))
        known = await self._store.accounts.by_ids(addresses)
        return {
            id: Mailbox(addresses[id], letters.written_in(account.language))
            for id, account in known.items()
            if not account.deleted
        }


class FakeMailboxes:
    """Those that a test puts there."""

    def __init__(self, **addresses: str) -> None:
        self.boxes = {account: Mailbox(address, "en") for account, address in addresses.items()}

    async def of(self, account_ids: Iterable[str]) -> dict[str, Mailbox]:
        return {id: self.boxes[id] for id in account_ids if id in self.boxes}


class Notifying:
    def __init__(self, store: Store, mailboxes: Mailboxes, now: Clock, public_url: str) -> None:
        self._store = store
        self.mailboxes = mailboxes
        self._now = now
        self._public_url = public_url

    async def measure(
        self, account_ids: Iterable[str], kind: Measure, reason: str, until: datetime | None = None
    ) -> None:
        boxes = await self.mailboxes.of(account_ids)
        written = [
            letters.measure(box.address, box.language, self._public_url, kind.value, reason, until)
            for box in boxes.values()
        ]
        await self._put(written)

    async def decision(self, account_id: str, decision: Decision, reason: str) -> None:
        boxes = await self.mailboxes.of([account_id])
        written = [
            letters.decision(box.address, box.language, self._public_url, decision.value, reason)
            for box in boxes.values()
        ]
        await self._put(written)

    async def _put(self, written: list[Letter]) -> None:
        if written:
            await self._store.outbox.put(written, milliseconds(self._now()))
