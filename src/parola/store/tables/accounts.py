"""Accounts, and the end of one."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, false

from parola.store.tables.base import ID, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", ID, primary_key=True),
    Column("handle", String(64), nullable=False, unique=True),
    Column("name", String(120), nullable=False),
    Column("bio", Text, nullable=False, default=""),
    Column("password_hash", Text, nullable=True),
    Column("created_at", String(40), nullable=False),
    Column("search", Text, nullable=False, server_default=""),
    Column("listen_unseen", Boolean, nullable=False, server_default=false()),
    Column("private", Boolean, nullable=False, server_default=false()),
    Column("skeleton", String(128), nullable=True),
    Index("uq_accounts_skeleton", "skeleton", unique=True),
    Column("role", String(16), nullable=False, server_default="member", index=True),
    Column("suspended_at", String(40), nullable=True),
    Column("invited_by", ID, nullable=True, index=True),
    Column("no_floor", Boolean, nullable=False, server_default=false()),
    Column("language", String(8), nullable=True),
    Column("picture", String(32), nullable=True),
    Column("deleted_at", String(40), nullable=True),
)
"""`search` is the handle, and on the next line the name as `domain.search` folds it; `skeleton` is of the handle, as
`domain.people` makes it, and null only for accounts that looked like older ones before that was refused.
`password_hash` is null for who signs in by other ways; `suspended_at` and `no_floor` are what the measures that hold
come to; `picture` is the version of one's picture. Of a deleted account the row stays, with nothing of its person in
it, since rooms of others refer to it."""

deletions = Table(
    "deletions",
    metadata,
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("began_at", BigInteger, nullable=False),
)
"""Accounts whose end has begun and is not through yet."""

resting_handles = Table(
    "resting_handles",
    metadata,
    Column("handle", String(64), primary_key=True),
    Column("skeleton", String(128), nullable=False, index=True),
    Column("until", BigInteger, nullable=False),
)
"""Of deleted accounts: nobody gets them before `until`."""
