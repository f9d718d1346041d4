"""SQL, the truth: accounts, what stands between them, sessions, rooms as events, leases."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import text

from parola.store.accounts import (
    ADMINISTRATOR,
    MEMBER,
    NO_PASSWORD,
    Account,
    Accounts,
    HandleTaken,
    Identity,
    IdentityTaken,
    InviteSpent,
)
from parola.store.administration import Administration, LastAdministrator
from parola.store.audit import Audit
from parola.store.cursors import BadCursor
from parola.store.database import Database, StoreFull, StoreUnavailable
from parola.store.deletions import Deletions
from parola.store.elsewhere import App, Elsewhere
from parola.store.invites import Invitation, Invites
from parola.store.leases import Lease, Leases
from parola.store.migrate import upgrade
from parola.store.outbox import Letter, Outbox
from parola.store.relations import FollowCounts, PeoplePage, Relations, Standing
from parola.store.rollouts import Kept, Rollouts, VersionTaken
from parola.store.rooms import Head, Led, Page, Rooms, Seen, SeqConflict, Wanted
from parola.store.sessions import Session, Sessions
from parola.store.tallies import Counted, Counts, Tallies
from parola.store.waitlist import Chosen, Waiting, Waitlist

_WRITTEN_LATELY_S = 3.0


class Store:
    """All tables of one database; `open` neither creates nor migrates them, `upgrade` does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.figures = database.figures
        self.accounts = Accounts(database)
        self.relations = Relations(database)
        self.sessions = Sessions(database)
        self.invites = Invites(database)
        self.rooms = Rooms(database)
        self.leases = Leases(database)
        self.rollouts = Rollouts(database)
        self.tallies = Tallies(database)
        self.administration = Administration(database)
        self.audit = Audit(database)
        self.outbox = Outbox(database)
        self.waitlist = Waitlist(database)
        self.deletions = Deletions(database)
        self.elsewhere = Elsewhere(database)

    @classmethod
    def open(cls, url: str) -> Store:
        """`url` as SQLAlchemy writes it, with an asynchronous driver."""
        return cls(Database(url))

    async def ping(self) -> None:
        """Raises StoreUnavailable, and StoreFull: a database that answers may still have no room for anything. Whether
        it has is tried where nothing was written for a while, so that this may be asked as often as one likes."""
        async with self._database.read() as connection:
            await connection.execute(text("SELECT 1"))
        if time.monotonic() - self._database.wrote_at > _WRITTEN_LATELY_S:
            await self.leases.touch(secrets.token_urlsafe(16))

    async def close(self) -> None:
        await self._database.close()


__all__ = [
    "ADMINISTRATOR",
    "MEMBER",
    "NO_PASSWORD",
    "Account",
    "Administration",
    "App",
    "Audit",
    "BadCursor",
    "Chosen",
    "Counted",
    "Counts",
    "Deletions",
    "Elsewhere",
    "FollowCounts",
    "HandleTaken",
    "Head",
    "Identity",
    "IdentityTaken",
    "Invitation",
    "InviteSpent",
    "Invites",
    "Kept",
    "LastAdministrator",
    "Lease",
    "Leases",
    "Led",
    "Letter",
    "Outbox",
    "Page",
    "PeoplePage",
    "Relations",
    "Rollouts",
    "Rooms",
    "Seen",
    "SeqConflict",
    "Session",
    "Sessions",
    "Standing",
    "Store",
    "StoreFull",
    "StoreUnavailable",
    "Tallies",
    "VersionTaken",
    "Waiting",
    "Waitlist",
    "Wanted",
    "upgrade",
]
