"""Words that titles and names may not have in them: the operator's list, and each host's own for their rooms."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from parola.domain.audit import Deed
from parola.domain.moments import milliseconds
from parola.store.audit import alone, record
from parola.store.database import Database
from parola.store.tables import blocked_words, host_words


@dataclass(frozen=True, slots=True)
class BlockedWord:
    """`key` is the word as it is compared; `at` milliseconds since 1970."""

    key: str
    word: str
    by: str
    at: int


class Words:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[BlockedWord]:
        """In the order of the alphabet."""
        query = select(blocked_words).order_by(blocked_words.c.word)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [BlockedWord(row.key, row.word, row.by, row.at) for row in rows]

    async def add(self, key: str, word: str, deed: Deed, most: int, now: datetime) -> bool | None:
        """False where it is there already, None where there are as many as there may be."""
        async with self._database.write() as connection:
            await alone(connection)
            if (
                await connection.execute(select(func.count()).select_from(blocked_words))
            ).scalar_one() >= most:
                return None
            there = select(blocked_words.c.key).where(blocked_words.c.key == key)
            if (await connection.execute(there)).first() is not None:
                return False
            values = {"key": key, "word": word, "by": deed.actor, "at": milliseconds(now)}
            await connection.execute(insert(blocked_words).values(**values))
            await record(connection, deed, now)
        return True

    async def remove(self, key: str, deed: Deed, now: datetime) -> bool:
        """False where it is not there."""
        async with self._database.write() as connection:
            await alone(connection)
            this = delete(blocked_words).where(blocked_words.c.key == key)
            if not (await connection.execute(this)).rowcount:
                return False
            await record(connection, deed, now)
        return True


class HostWords:
    """`now` is milliseconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, account: str) -> list[BlockedWord]:
        """In the order of the alphabet."""
        query = select(host_words).where(host_words.c.account == account).order_by(host_words.c.word)
        async with self._database.read() as connection:
            rows = await connection.execute(query)
            return [BlockedWord(row.key, row.word, row.account, row.at) for row in rows]

    async def add(self, account: str, key: str, word: str, most: int, now: int) -> bool:
        """One that is there already stays as it is. False where there are as many as there may be."""
        others = select(func.count()).where(host_words.c.account == account, host_words.c.key != key)
        values = {"account": account, "key": key, "word": word, "at": now}
        try:
            async with self._database.write() as connection:
                if (await connection.execute(others)).scalar_one() >= most:
                    return False
                await connection.execute(insert(host_words).values(**values))
        except IntegrityError:
            return True
        return True

    async def remove(self, account: str, key: str) -> bool:
        """False where it is not there."""
        this = delete(host_words).where(host_words.c.account == account, host_words.c.key == key)
        async with self._database.write() as connection:
            return bool((await connection.execute(this)).rowcount)
