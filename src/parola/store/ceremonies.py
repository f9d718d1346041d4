"""Challenges that wait for an authenticator (WebAuthn, section 13.4.3): made here, kept here, good once and briefly."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, insert

from parola.store.database import Database
from parola.store.tables import ceremonies


@dataclass(frozen=True, slots=True)
class Ceremony:
    """`challenge` is base64url; `account_id` and `session_id` are whose it is, None for a guest's; `about` is JSON."""

    purpose: str
    challenge: str
    account_id: str | None = None
    session_id: str | None = None
    about: str = "{}"


class Ceremonies:
    """Times are milliseconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, ticket_hash: str, ceremony: Ceremony, expires_at: int) -> None:
        values = {
            "ticket_hash": ticket_hash,
            "purpose": ceremony.purpose,
            "challenge": ceremony.challenge,
            "account_id": ceremony.account_id,
            "session_id": ceremony.session_id,
            "about": ceremony.about,
            "expires_at": expires_at,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(ceremonies).values(**values))

    async def take(self, ticket_hash: str, purpose: str, session_id: str | None, now: int) -> Ceremony | None:
        """Once; None for one that is not for this, or not of this session, which stays as it is."""
        c = ceremonies.c
        whose = c.session_id.is_(None) if session_id is None else c.session_id == session_id
        this = (c.ticket_hash == ticket_hash) & (c.purpose == purpose) & whose & (c.expires_at > now)
        async with self._database.write() as connection:
            taken = await connection.execute(
                delete(ceremonies)
                .where(this)
                .returning(c.purpose, c.challenge, c.account_id, c.session_id, c.about)
            )
            row = taken.first()
        return Ceremony(*row) if row is not None else None

    async def forget_old(self, now: int) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(ceremonies).where(ceremonies.c.expires_at <= now))
