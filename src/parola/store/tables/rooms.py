"""Rooms as events, and the processes that serve them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from parola.store.tables.base import ID, metadata

rooms = Table(
    "rooms",
    metadata,
    Column("id", ID, primary_key=True),
    Column("host", ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("access", String(16), nullable=False),
    Column("guests", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("listed_at", BigInteger, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("owner", ID, nullable=True, index=True),
    Column("epoch", Integer, nullable=False, default=0),
    Column("search", Text, nullable=False, server_default=""),
    Column("due_at", BigInteger, nullable=True, index=True),
    Column("wakes_at", BigInteger, nullable=True, index=True),
    Index("ix_rooms_listing", "state", "listed_at", "id"),
)
"""`due_at` is when the next turn or offer in it is over, `wakes_at` when the time that the room has by its terms asks
for something."""

room_events = Table(
    "room_events",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

room_people = Table(
    "room_people",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("account_id", ID, primary_key=True),
    Column("relation", String(16), primary_key=True),
    Column("since", BigInteger, nullable=True),
    Index("ix_room_people_account", "account_id", "relation"),
)
"""Who is invited, removed, shut out, visiting, co-host, or in the host's place now or when the host has gone, for
queries over many rooms; the snapshot says the same of one. `was_removed` stays when they may come back: its `since` is
when they were last removed while they were there."""

leases = Table(
    "leases",
    metadata,
    Column("process_id", ID, primary_key=True),
    Column("machine", String(120), nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("load", Float, nullable=False),
)
