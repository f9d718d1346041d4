"""Who is let in: invitations, and the waitlist."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text

from parola.store.tables.base import ID, metadata

invites = Table(
    "invites",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("used_by", ID, nullable=True),
    Column("used_at", String(40), nullable=True),
    Column("id", ID, nullable=True, unique=True),
    Column("made_by", ID, nullable=True, index=True),
    Column("code", String(64), nullable=True),
    Column("expires_at", BigInteger, nullable=True),
    Column("revoked_at", String(40), nullable=True),
)
"""`code` is kept so that its maker can be shown the link again, and no longer than it opens something: one sign-up.
`made_by` is null where the server itself invites, `expires_at` for codes of a time when they did not expire."""

inviting_versions = Table(
    "inviting_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("policy", Text, nullable=False),
    Column("author", ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
)
"""The policy of invitations. Rows are only ever added."""

active_days = Table(
    "active_days",
    metadata,
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("day", String(10), primary_key=True),
)
"""Days (UTC) on which somebody who was invited hosted or listened; no more of them than count."""

waitlist = Table(
    "waitlist",
    metadata,
    Column("place", Integer, primary_key=True, autoincrement=True),
    Column("email", String(254), nullable=False, index=True),
    Column("handle", String(64), nullable=True),
    Column("language", String(8), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", BigInteger, nullable=False),
    Column("approved_at", BigInteger, nullable=True),
    Index("ix_waitlist_waiting", "approved_at", "place"),
)
"""An address may stand here twice, so that nobody learns whether it did; all of its rows are approved at once."""
