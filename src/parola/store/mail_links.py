"""Links that are mailed, to be followed once: into an account, or to show that an address is somebody's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.signing_in import HOUR_MS
from parola.store.accounts import Account, account_of, lock
from parola.store.database import Database
from parola.store.outbox import Letter, put_letters
from parola.store.tables import accounts, addresses, mail_links

SIGN_IN, CONFIRM = "sign_in", "confirm"
"""What a link is for."""
MOST = 5
"""To one address, of each purpose: links to sign in by that still hold, and links of an hour to confirm it. A stranger
who asks takes no way from who reads mail there: their links lie in the mailbox."""
_LOCK = 0x6D61696C
"""A namespace of advisory locks: "mail"."""


@dataclass(frozen=True, slots=True)
class MailLink:
    token_hash: str
    purpose: str
    email: str
    created_at: int
    expires_at: int


class MailLinks:
    """Times are milliseconds since 1970. `make` in what follows writes the letter to somebody."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def ask(self, link: MailLink, make: Callable[[Account], Letter]) -> None:
        """A link into the account that has the address. Where nobody has it, as much is written, but no letter."""
        query = (
            select(accounts)
            .join(addresses, addresses.c.account_id == accounts.c.id)
            .where(addresses.c.email == link.email, accounts.c.deleted_at.is_(None))
        )
        async with self._database.write() as connection:
            if await _has_enough(connection, link):
                return
            row = (await connection.execute(query)).first()
            account = account_of(row) if row is not None else None
            await _put(connection, link, account.id if account is not None else None)
            letters = [make(account)] if account is not None else []
            await put_letters(connection, letters, link.created_at)

    async def confirm(self, link: MailLink, account: Account, make: Callable[[Account], Letter]) -> bool:
        """For an address that is to be the account's, in place of others that it has asked for. False where the
        address has had enough letters. Raises AccountGone."""
        async with self._database.write() as connection:
            if await _has_enough(connection, link):
                return False
            await lock(connection, account.id)
            await _end(
                connection, (mail_links.c.account_id == account.id) & (mail_links.c.purpose == CONFIRM)
            )
            await _put(connection, link, account.id)
            await put_letters(connection, [make(account)], link.created_at)
        return True

    async def use(self, token_hash: str, purpose: str, now: int) -> tuple[Account, str] | None:
        """Whose it is, and the address it went to; once, and into an account only while the address is its own. With
        one link of somebody all of its kind end."""
        c = mail_links.c
        query = (
            select(accounts, c.email)
            .join(mail_links, c.account_id == accounts.c.id)
            .where(c.token_hash == token_hash, c.purpose == purpose, c.expires_at > now)
            .where(accounts.c.deleted_at.is_(None))
        )
        if purpose == SIGN_IN:
            query = query.join(
                addresses, (addresses.c.account_id == accounts.c.id) & (addresses.c.email == c.email)
            )
        async with self._database.write() as connection:
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            this = update(mail_links).where(c.token_hash == token_hash, c.expires_at > now)
            if not (await connection.execute(this.values(expires_at=0))).rowcount:
                return None
            await _end(connection, (c.account_id == row.id) & (c.purpose == purpose))
        return account_of(row), row.email

    async def pending(self, account_id: str, now: int) -> str | None:
        """The address that is to be confirmed."""
        c = mail_links.c
        query = select(c.email).where(c.account_id == account_id, c.purpose == CONFIRM, c.expires_at > now)
        async with self._database.read() as connection:
            found: str | None = (await connection.execute(query.order_by(c.created_at.desc()))).scalar()
            return found

    async def end_all(self, account_id: str) -> None:
        """Whoever reads an address that is not the account's any more has no way in by it."""
        async with self._database.write() as connection:
            await _end(connection, mail_links.c.account_id == account_id)

    async def forget_old(self, now: int) -> None:
        old = (mail_links.c.expires_at <= now) & (mail_links.c.created_at <= now - HOUR_MS)
        async with self._database.write() as connection:
            await connection.execute(delete(mail_links).where(old))


async def _has_enough(connection: AsyncConnection, link: MailLink) -> bool:
    """Asked one after the other for each address: on SQLite all who write are."""
    if connection.dialect.name == "postgresql":
        lock = select(func.pg_advisory_xact_lock(_LOCK, func.hashtext(link.email)))
        await connection.execute(lock)
    c = mail_links.c
    still_holds, recent = c.expires_at > link.created_at, c.created_at > link.created_at - HOUR_MS
    counts = still_holds if link.purpose == SIGN_IN else recent
    these = (c.email == link.email) & (c.purpose == link.purpose) & counts
    count = (await connection.execute(select(func.count()).where(these))).scalar_one()
    return int(count) >= MOST


async def _put(connection: AsyncConnection, link: MailLink, account_id: str | None) -> None:
    values = {
        "token_hash": link.token_hash,
        "purpose": link.purpose,
        "account_id": account_id,
        "email": link.email,
        "created_at": link.created_at,
        "expires_at": link.expires_at,
    }
    await connection.execute(insert(mail_links).values(**values))


async def _end(connection: AsyncConnection, which: ColumnElement[bool]) -> None:
    await connection.execute(update(mail_links).where(which).values(expires_at=0))
