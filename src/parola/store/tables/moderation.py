"""What administrators do, and why: links, log, words, reports, measures, evidence."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Text, UniqueConstraint

from parola.store.tables.base import ID, metadata

claims = Table(
    "claims",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""Links by which somebody becomes an administrator, once."""

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", String(40), nullable=False),
    Column("actor", ID, nullable=False),
    Column("action", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("object", String(254), nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""What administrators did. Rows are only ever added: triggers refuse everything else, and each row carries the hash of
the one before."""

blocked_words = Table(
    "blocked_words",
    metadata,
    Column("key", String(256), primary_key=True),
    Column("word", String(64), nullable=False),
    Column("by", ID, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""`key` is the word as `domain.words` compares it: a change of that wants a migration."""

reports = Table(
    "reports",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, nullable=False, index=True),
    Column("room_id", ID, nullable=True, index=True),
    Column("open_subject", String(140), nullable=True, unique=True),
    Column("voices", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("taken_by", ID, nullable=True),
    Column("closed_at", BigInteger, nullable=True),
    Column("closed_by", ID, nullable=True),
    Column("outcome", String(16), nullable=True),
    Column("reason", Text, nullable=True),
    Index("ix_reports_queue", "closed_at", "rank", "id"),
)
"""One for each thing that is reported; `open_subject` is null once it is closed, so that there is one open one."""

report_voices = Table(
    "report_voices",
    metadata,
    Column("id", ID, primary_key=True),
    Column("report_id", ID, ForeignKey("reports.id"), nullable=False),
    Column("reporter", ID, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=True),
    Column("at", BigInteger, nullable=False),
    UniqueConstraint("report_id", "reporter"),
    Index("ix_report_voices_listing", "reporter", "at", "id"),
)
"""What each reporter says of it; `at_ms` is a time in the room, from its start."""

measures = Table(
    "measures",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", ID, nullable=False),
    Column("report_id", ID, nullable=True),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=True),
    Column("over_at", BigInteger, nullable=True),
    Column("seen_at", BigInteger, nullable=True),
    Column("appeal", Text, nullable=True),
    Column("appealed_at", BigInteger, nullable=True),
    Column("decision", String(16), nullable=True),
    Column("decided_by", ID, nullable=True),
    Column("decided_at", BigInteger, nullable=True),
    Column("decided_why", Text, nullable=True),
    Index("ix_measures_account_id", "account_id", "at"),
    Index("ix_measures_until", "over_at", "until"),
    Index("ix_measures_appeals", "decided_at", "appealed_at"),
)
"""What was done to an account, its notice and its appeal. It holds while `over_at` is null; `seen_at` goes back to null
when there is news for the person."""

evidence = Table(
    "evidence",
    metadata,
    Column("report_id", ID, primary_key=True),
    Column("room_id", ID, nullable=False),
    Column("path", String(128), nullable=False, unique=True),
    Column("key_id", ID, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sealed_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Column("taken_until", BigInteger, nullable=True),
)
"""What lies sealed in the storage for a report that is open; `taken_until` is set by who deletes it now."""

evidence_tickets = Table(
    "evidence_tickets",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("report_id", ID, nullable=False, index=True),
    Column("actor", ID, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""By which an administrator hears it, once."""
