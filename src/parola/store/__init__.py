"""SQL, the truth: accounts, what stands between them, sessions, rooms as events, leases."""

from __future__ import annotations

import secrets
import time

from sqlalchemy import text

from parola.store.accounts import (
    ADMINISTRATOR,
    MEMBER,
    Account,
    AccountGone,
    Accounts,
    Also,
    HandleTaken,
    InviteSpent,
)
from parola.store.administration import Administration, LastAdministrator
from parola.store.audit import Audit
from parola.store.blobs import Blob, Blobs, BlobsUnavailable
from parola.store.ceremonies import Ceremonies, Ceremony
from parola.store.credentials import AddressTaken, Credentials, LastWay, Passkey, PasskeyKnown
from parola.store.cursors import BadCursor
from parola.store.database import Database, StoreFull, StoreUnavailable
from parola.store.deletions import Deletions
from parola.store.elsewhere import App, Elsewhere, Identity, IdentityTaken
from parola.store.evidence import EvidenceRows, SealedEvidence
from parola.store.invites import Invitation, InvitationPage, Invites
from parola.store.inviting import Inviting, KeptPolicy
from parola.store.kept_out import KeptOut
from parola.store.leases import Lease, Leases
from parola.store.mail_links import MailLink, MailLinks
from parola.store.measures import Measured, Measures
from parola.store.migrate import upgrade
from parola.store.notices import Choices, NoticeChoices, Subscription
from parola.store.outbox import Letter, Outbox
from parola.store.privacy import Privacy
from parola.store.relations import FollowCounts, PeoplePage, Relations, Standing
from parola.store.reports import DISMISSED, Report, ReportPage, Reports, Said, SaidPage, Voice
from parola.store.rollouts import Kept, Rollouts, VersionTaken
from parola.store.rooms import FloorBarred, Head, Led, Page, Rooms, Seen, SeqConflict, TooManyRooms, Wanted
from parola.store.rounds import MAIL, PUSH, Failed, Reader, Round, Rounds
from parola.store.sessions import Begun, Session, Sessions
from parola.store.tallies import Counted, Counts, Tallies
from parola.store.waitlist import Chosen, Waiting, Waitlist
from parola.store.words import BlockedWord, HostWords, Words

_WRITTEN_LATELY_S = 3.0


class Store:
    """All tables of one database; `open` neither creates nor migrates them, `upgrade` does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.figures = database.figures
        self.accounts = Accounts(database)
        self.relations = Relations(database)
        self.privacy = Privacy(database)
        self.sessions = Sessions(database)
        self.credentials = Credentials(database)
        self.ceremonies = Ceremonies(database)
        self.mail_links = MailLinks(database)
        self.invites = Invites(database)
        self.inviting = Inviting(database)
        self.rooms = Rooms(database)
        self.leases = Leases(database)
        self.rollouts = Rollouts(database)
        self.tallies = Tallies(database)
        self.administration = Administration(database)
        self.audit = Audit(database)
        self.outbox = Outbox(database)
        self.notices = NoticeChoices(database)
        self.rounds = Rounds(database)
        self.waitlist = Waitlist(database)
        self.reports = Reports(database)
        self.measures = Measures(database)
        self.words = Words(database)
        self.host_words = HostWords(database)
        self.kept_out = KeptOut(database)
        self.evidence = EvidenceRows(database)
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
    "DISMISSED",
    "MAIL",
    "MEMBER",
    "PUSH",
    "Account",
    "AccountGone",
    "AddressTaken",
    "Administration",
    "Also",
    "App",
    "Audit",
    "BadCursor",
    "Begun",
    "Blob",
    "Blobs",
    "BlobsUnavailable",
    "BlockedWord",
    "Ceremonies",
    "Ceremony",
    "Choices",
    "Chosen",
    "Counted",
    "Counts",
    "Credentials",
    "Deletions",
    "Elsewhere",
    "EvidenceRows",
    "Failed",
    "FloorBarred",
    "FollowCounts",
    "HandleTaken",
    "Head",
    "HostWords",
    "Identity",
    "IdentityTaken",
    "Invitation",
    "InvitationPage",
    "InviteSpent",
    "Invites",
    "Inviting",
    "Kept",
    "KeptOut",
    "KeptPolicy",
    "LastAdministrator",
    "LastWay",
    "Lease",
    "Leases",
    "Led",
    "Letter",
    "MailLink",
    "MailLinks",
    "Measured",
    "Measures",
    "NoticeChoices",
    "Outbox",
    "Page",
    "Passkey",
    "PasskeyKnown",
    "PeoplePage",
    "Reader",
    "Relations",
    "Report",
    "ReportPage",
    "Reports",
    "Rollouts",
    "Rooms",
    "Round",
    "Rounds",
    "Said",
    "SaidPage",
    "SealedEvidence",
    "Seen",
    "SeqConflict",
    "Session",
    "Sessions",
    "Standing",
    "Store",
    "StoreFull",
    "StoreUnavailable",
    "Subscription",
    "Tallies",
    "TooManyRooms",
    "VersionTaken",
    "Voice",
    "Waiting",
    "Waitlist",
    "Wanted",
    "Words",
    "upgrade",
]
