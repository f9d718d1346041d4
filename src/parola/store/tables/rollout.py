"""Trials of a feature, and what they showed."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, false

from parola.store.tables.base import ID, metadata

rollout_versions = Table(
    "rollout_versions",
    metadata,
    Column("feature", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("plan", Text, nullable=False),
    Column("author", ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
)
"""Rows are only ever added: going back is a new version with an older one's plan."""

rollout_rooms = Table(
    "rollout_rooms",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("feature", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("listening_ms", BigInteger, nullable=False, server_default="0"),
    Column("joins", Integer, nullable=False, server_default="0"),
    Column("failed_joins", Integer, nullable=False, server_default="0"),
    Column("guests", Integer, nullable=False, server_default="0"),
    Column("removals", Integer, nullable=False, server_default="0"),
    Column("good", Integer, nullable=False, server_default="0"),
    Column("bad", Integer, nullable=False, server_default="0"),
    Column("guest_answers", Integer, nullable=False, server_default="0"),
    Index("ix_rollout_rooms_stage", "feature", "version", "stage"),
)
"""What was counted in a room, and by which stage of which version its host was let in."""

rollout_listeners = Table(
    "rollout_listeners",
    metadata,
    Column("feature", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("stage", String(16), primary_key=True),
    Column("account_id", ID, primary_key=True),
    Column("first_at", BigInteger, nullable=False),
    Column("returned", Boolean, nullable=False, server_default=false()),
    Index("ix_rollout_listeners_account", "account_id"),
)
"""Who has listened in any room of a stage; not in which. `returned` within a week, to a room that began later, of
whatever stage."""

rollout_sounds = Table(
    "rollout_sounds",
    metadata,
    Column("feature", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("stage", String(16), primary_key=True),
    Column("bucket", Integer, primary_key=True, autoincrement=False),
    Column("count", Integer, nullable=False),
)
"""How long it took to the first sound, in the buckets of `domain.rollout.sounds`."""

rollout_answers = Table(
    "rollout_answers",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("account_id", ID, primary_key=True),
)
"""Who has answered the question after a room; not what."""

rollout_keepers = Table(
    "rollout_keepers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", ID, nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""Which of the web processes counts what only one may count; `beat` grows for as long as it does."""
