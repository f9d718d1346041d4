"""Accounts elsewhere by which people sign in here, and what is on its way between here and there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import and_, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.store.accounts import Account, Also, account_of, lock
from parola.store.codes import hash_of
from parola.store.credentials import check_left
from parola.store.database import Database
from parola.store.tables import accounts, elsewhere_apps, elsewhere_errands, identities


class IdentityTaken(Exception):
    """Somebody signs in here by this account elsewhere already."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account elsewhere. `subject` names the server as well as whom it means; `name` is for people."""

    provider: str
    subject: str
    name: str


@dataclass(frozen=True, slots=True)
class App:
    """As what Parola is known to a server."""

    client_id: str
    client_secret: str


class Elsewhere:
    """Times are milliseconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def account_of(self, identity: Identity) -> Account | None:
        query = (
            select(accounts)
            .join(identities, identities.c.account_id == accounts.c.id)
            .where(
                identities.c.provider == identity.provider,
                identities.c.subject == identity.subject,
                accounts.c.deleted_at.is_(None),
            )
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return account_of(row) if row is not None else None

    async def identities_of(self, account_id: str) -> list[Identity]:
        query = select(identities).where(identities.c.account_id == account_id).order_by(identities.c.since)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [Identity(row.provider, row.subject, row.name) for row in rows]

    def adding(self, identity: Identity, account_id: str, now: datetime) -> Also:
        """Written together with the account that it opens. Raises IdentityTaken when it is written."""

        async def add(connection: AsyncConnection) -> None:
            await _put_identity(connection, identity, account_id, now)

        return add

    async def link(self, identity: Identity, account_id: str, now: datetime) -> None:
        """Raises IdentityTaken, AccountGone."""
        async with self._database.write() as connection:
            await lock(connection, account_id)
            await _put_identity(connection, identity, account_id, now)

    async def unlink(self, provider: str, subject: str, account_id: str) -> None:
        """Nothing where there is none. Raises LastWay, AccountGone."""
        this = and_(identities.c.provider == provider, identities.c.subject == subject)
        async with self._database.write() as connection:
            await lock(connection, account_id)
            mine = delete(identities).where(this, identities.c.account_id == account_id)
            if (await connection.execute(mine)).rowcount:
                await check_left(connection, account_id)

    async def app(self, server: str) -> App | None:
        query = select(elsewhere_apps).where(elsewhere_apps.c.server == server)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return App(row.client_id, row.client_secret) if row is not None else None

    async def keep_app(self, server: str, app: App) -> App:
        """The one that is kept: the first, where two came at once."""
        values = {"server": server, "client_id": app.client_id, "client_secret": app.client_secret}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(elsewhere_apps).values(**values))
        except IntegrityError:
            return await self.app(server) or app
        return app

    async def forget_app(self, server: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(elsewhere_apps).where(elsewhere_apps.c.server == server))

    async def send(
        self, kind: str, key: str, browser: str, body: dict[str, str], now: int, expires_at: int
    ) -> None:
        """Keeps what `take` gives back to the same browser; what has expired goes."""
        values = {
            "key_hash": hash_of(key),
            "kind": kind,
            "browser_hash": hash_of(browser),
            "expires_at": expires_at,
        }
        async with self._database.write() as connection:
            await connection.execute(delete(elsewhere_errands).where(elsewhere_errands.c.expires_at <= now))
            await connection.execute(
                insert(elsewhere_errands).values(**values, body=orjson.dumps(body).decode())
            )

    async def take(self, kind: str, key: str, browser: str, now: int) -> dict[str, str] | None:
        """Once, and for the browser it was sent by; another one that has got hold of the key spoils nothing."""
        this = and_(
            elsewhere_errands.c.key_hash == hash_of(key),
            elsewhere_errands.c.kind == kind,
            elsewhere_errands.c.browser_hash == hash_of(browser),
            elsewhere_errands.c.expires_at > now,
        )
        async with self._database.write() as connection:
            body = (await connection.execute(select(elsewhere_errands.c.body).where(this))).scalar()
            if body is None or not (await connection.execute(delete(elsewhere_errands).where(this))).rowcount:
                return None
        return _read(body)

    async def look(self, kind: str, key: str, browser: str, now: int) -> dict[str, str] | None:
        """As `take`, and it stays."""
        this = and_(
            elsewhere_errands.c.key_hash == hash_of(key),
            elsewhere_errands.c.kind == kind,
            elsewhere_errands.c.browser_hash == hash_of(browser),
            elsewhere_errands.c.expires_at > now,
        )
        async with self._database.read() as connection:
            body = (await connection.execute(select(elsewhere_errands.c.body).where(this))).scalar()
        return _read(body) if body is not None else None

    async def forget_old(self, now: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(elsewhere_errands).where(elsewhere_errands.c.expires_at <= now))


async def _put_identity(
    connection: AsyncConnection, identity: Identity, account_id: str, now: datetime
) -> None:
    values = {"provider": identity.provider, "subject": identity.subject, "name": identity.name}
    more = {"account_id": account_id, "since": now.isoformat()}
    try:
        await connection.execute(insert(identities).values(**values, **more))
    except IntegrityError as error:
        raise IdentityTaken(identity.name) from error


def _read(body: str) -> dict[str, str]:
    found: dict[str, str] = orjson.loads(body)
    return found
