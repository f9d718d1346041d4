"""By what somebody signs in: passkeys, a password, an address, recovery codes; and that there is always one way left,
an account elsewhere included.

Invariant: what takes a way away counts those that are left in the same transaction, with the account's row locked: of
two who take away at once, one leaves the last. What gives a way locks it, too: who is being
deleted gets none, and AccountGone is raised.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.signing_in import Ways, hour_of
from parola.store.accounts import Account, Also, account_of, lock
from parola.store.database import Database
from parola.store.tables import accounts, addresses, identities, passkeys, recovery_codes

_AT_ONCE = 500


class LastWay(Exception):
    """Without it nobody could sign in to the account any more."""


class PasskeyKnown(Exception):
    """The credential belongs to an account already."""


class AddressTaken(Exception):
    """The address belongs to another account."""


@dataclass(frozen=True, slots=True)
class Passkey:
    """`credential_id` and `public_key` (COSE) are base64url; `used_at` is an hour, in milliseconds since 1970."""

    id: str
    credential_id: str
    account_id: str
    public_key: str
    sign_count: int
    name: str
    transports: tuple[str, ...]
    created_at: str
    used_at: int | None = None


class Credentials:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def ways(self, account_id: str) -> Ways:
        async with self._database.read() as connection:
            return await ways_of(connection, account_id)

    # Passkeys

    def adding(self, passkey: Passkey) -> Also:
        """Written together with the account that it opens. Raises PasskeyKnown when it is written."""

        async def add(connection: AsyncConnection) -> None:
            await _put_passkey(connection, passkey)

        return add

    async def add_passkey(self, passkey: Passkey) -> None:
        """Raises PasskeyKnown."""
        try:
            async with self._database.write() as connection:
                await lock(connection, passkey.account_id)
                await _put_passkey(connection, passkey)
        except IntegrityError as error:
            raise PasskeyKnown() from error

    async def passkeys_of(self, account_id: str) -> list[Passkey]:
        """The oldest first."""
        query = select(passkeys).where(passkeys.c.account_id == account_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(passkeys.c.created_at, passkeys.c.id))
            return [_passkey(row) for row in rows]

    async def passkey(self, credential_id: str) -> tuple[Passkey, Account] | None:
        """Whose key it is, and whose account."""
        async with self._database.read() as connection:
            query = select(passkeys).where(passkeys.c.credential_id == credential_id)
            row = (await connection.execute(query)).first()
            if row is None:
                return None
            query = select(accounts).where(accounts.c.id == row.account_id, accounts.c.deleted_at.is_(None))
            account = (await connection.execute(query)).first()
        return (_passkey(row), account_of(account)) if account is not None else None

    async def passkey_used(self, passkey: Passkey, sign_count: int, now: int) -> bool:
        """False where it was used by somebody else in between, or is gone."""
        this = (passkeys.c.id == passkey.id) & (passkeys.c.sign_count == passkey.sign_count)
        values = {"sign_count": sign_count, "used_at": hour_of(now)}
        async with self._database.write() as connection:
            return bool((await connection.execute(update(passkeys).where(this).values(**values))).rowcount)

    async def rename_passkey(self, account_id: str, id: str, name: str) -> bool:
        """False where it is not theirs."""
        this = (passkeys.c.id == id) & (passkeys.c.account_id == account_id)
        async with self._database.write() as connection:
            return bool((await connection.execute(update(passkeys).where(this).values(name=name))).rowcount)

    async def delete_passkey(self, account_id: str, id: str) -> bool:
        """False where it is not theirs. Raises LastWay."""
        this = (passkeys.c.id == id) & (passkeys.c.account_id == account_id)
        async with self._database.write() as connection:
            await lock(connection, account_id)
            if not (await connection.execute(delete(passkeys).where(this))).rowcount:
                return False
            await check_left(connection, account_id)
        return True

    # Password

    async def set_password(self, account_id: str, password_hash: str) -> None:
        this = accounts.c.id == account_id
        async with self._database.write() as connection:
            await lock(connection, account_id)
            await connection.execute(update(accounts).where(this).values(password_hash=password_hash))

    async def remove_password(self, account_id: str) -> None:
        """Raises LastWay."""
        async with self._database.write() as connection:
            await lock(connection, account_id)
            this = accounts.c.id == account_id
            await connection.execute(update(accounts).where(this).values(password_hash=None))
            await check_left(connection, account_id)

    # Address

    async def address(self, account_id: str) -> str | None:
        async with self._database.read() as connection:
            return await _address(connection, account_id)

    async def confirmed(self, account_ids: Collection[str]) -> dict[str, str]:
        """The addresses of those of them who have one."""
        found: dict[str, str] = {}
        wanted = sorted(set(account_ids))
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                these = addresses.c.account_id.in_(wanted[at : at + _AT_ONCE])
                rows = await connection.execute(
                    select(addresses.c.account_id, addresses.c.email).where(these)
                )
                found.update((row.account_id, row.email) for row in rows)
        return found

    async def set_address(self, account_id: str, email: str, now: datetime) -> str | None:
        """The one before. Raises AddressTaken."""
        try:
            async with self._database.write() as connection:
                await lock(connection, account_id)
                before = await _address(connection, account_id)
                await connection.execute(delete(addresses).where(addresses.c.account_id == account_id))
                values = {"account_id": account_id, "email": email, "confirmed_at": now.isoformat()}
                await connection.execute(insert(addresses).values(**values))
        except IntegrityError as error:
            raise AddressTaken() from error
        return before

    async def remove_address(self, account_id: str) -> str | None:
        """The one that was there. Raises LastWay."""
        async with self._database.write() as connection:
            await lock(connection, account_id)
            before = await _address(connection, account_id)
            if before is None:
                return None
            await connection.execute(delete(addresses).where(addresses.c.account_id == account_id))
            await check_left(connection, account_id)
        return before

    # Recovery codes

    async def set_codes(self, account_id: str, hashes: Iterable[str]) -> None:
        """In place of those that there were."""
        rows = [{"code_hash": one, "account_id": account_id} for one in hashes]
        async with self._database.write() as connection:
            await lock(connection, account_id)
            await connection.execute(delete(recovery_codes).where(recovery_codes.c.account_id == account_id))
            await connection.execute(insert(recovery_codes), rows)

    async def count_codes(self, account_id: str) -> int:
        query = select(func.count()).where(recovery_codes.c.account_id == account_id)
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def use_code(self, account_id: str, code_hash: str) -> bool:
        """Once."""
        this = (recovery_codes.c.code_hash == code_hash) & (recovery_codes.c.account_id == account_id)
        async with self._database.write() as connection:
            used = await connection.execute(delete(recovery_codes).where(this))
            return bool(used.rowcount)


async def ways_of(connection: AsyncConnection, account_id: str) -> Ways:
    """The one place where they are counted."""
    password = exists().where(accounts.c.id == account_id, accounts.c.password_hash.is_not(None))
    counted = (
        select(func.count()).where(table.c.account_id == account_id).scalar_subquery()
        for table in (passkeys, addresses, identities)
    )
    row = (await connection.execute(select(password, *counted))).one()
    return Ways(bool(row[0]), *map(int, row[1:]))


async def check_left(connection: AsyncConnection, account_id: str) -> None:
    """Raises LastWay."""
    if not (await ways_of(connection, account_id)).count:
        raise LastWay()


async def _address(connection: AsyncConnection, account_id: str) -> str | None:
    query = select(addresses.c.email).where(addresses.c.account_id == account_id)
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def _put_passkey(connection: AsyncConnection, passkey: Passkey) -> None:
    known = select(passkeys.c.id).where(passkeys.c.credential_id == passkey.credential_id)
    if (await connection.execute(known)).first() is not None:
        raise PasskeyKnown()
    values = {
        "id": passkey.id,
        "credential_id": passkey.credential_id,
        "account_id": passkey.account_id,
        "public_key": passkey.public_key,
        "sign_count": passkey.sign_count,
        "name": passkey.name,
        "transports": ",".join(passkey.transports),
        "created_at": passkey.created_at,
        "used_at": passkey.used_at,
    }
    await connection.execute(insert(passkeys).values(**values))


def _passkey(row: object) -> Passkey:
    values = dict(row._mapping)  # type: ignore[attr-defined]
    return Passkey(**{**values, "transports": tuple(filter(None, values["transports"].split(",")))})
