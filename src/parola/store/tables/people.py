"""What stands between people."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, false

from parola.store.tables.base import ID, metadata

follows = Table(
    "follows",
    metadata,
    Column("follower", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("followed", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False, server_default="0"),
    Column("quiet", Boolean, nullable=False, server_default=false()),
    Index("ix_follows_followers", "followed", "since", "follower"),
    Index("ix_follows_following", "follower", "since", "followed"),
)
"""`quiet`: the follower wants no notice of this host's rooms."""

follow_requests = Table(
    "follow_requests",
    metadata,
    Column("follower", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("followed", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_follow_requests_followed", "followed", "since", "follower"),
)
"""Who wants to follow a private account, which has not answered yet."""

blocks = Table(
    "blocks",
    metadata,
    Column("blocker", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("blocked", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_blocks_blocked", "blocked"),
)

hushes = Table(
    "hushes",
    metadata,
    Column("account", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("hushed", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
)
"""Whose notices and faces an account does not want."""

kept_out = Table(
    "kept_out",
    metadata,
    Column("host", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("person", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_kept_out_listing", "host", "since", "person"),
)
"""Whom a host has removed from all their rooms; each room has those in its own state, too."""

host_words = Table(
    "host_words",
    metadata,
    Column("account", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("key", String(256), primary_key=True),
    Column("word", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""Words that a host has blocked in their rooms; `key` is as that of `blocked_words`."""
