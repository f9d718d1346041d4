"""Mail that waits, and who is told that a room has started."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    false,
    true,
)

from parola.store.tables.base import ID, metadata

outbox = Table(
    "outbox",
    metadata,
    Column("id", ID, primary_key=True),
    Column("recipient", String(254), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=True, index=True),
    Column("tries", Integer, nullable=False),
    Column("failure", Text, nullable=True),
    Column("room_id", ID, nullable=True, index=True),
    Column("account_id", ID, nullable=True),
    Column("unsubscribe", Text, nullable=True),
)
"""Mail that waits: it goes from here when it is sent. `due_at` is null for what nobody tries any more. The last three
are of notices alone: of which room, to whom, and the address that ends them."""

notice_choices = Table(
    "notice_choices",
    metadata,
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("in_page", Boolean, nullable=False, server_default=true()),
    Column("email", Boolean, nullable=False, server_default=false()),
    Column("mails_since", BigInteger, nullable=False, server_default="0"),
    Column("mails", Integer, nullable=False, server_default="0"),
)
"""How somebody wants to be told that a room has started; who has no row here, in the page alone. `mails` went out in
the day that began at `mails_since`."""

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("session_id", ID, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", String(100), nullable=False),
    Column("auth", String(40), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""Browsers that are told also where no page is open (RFC 8030); `id` is the hash of the endpoint. One ends with the
session in which it was made, so that whoever signs in there next is not told what is another's."""

notice_rounds = Table(
    "notice_rounds",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("host", ID, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("follower", ID, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
)
"""Who is still to be told of a start: the followers behind (`since`, `follower`), in the order in which they came.
There is a row for each start and kind, none for a follower; it goes when all are told, or the room is over."""

push_again = Table(
    "push_again",
    metadata,
    Column("room_id", ID, ForeignKey("rooms.id"), primary_key=True),
    Column("subscription_id", ID, ForeignKey("push_subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Index("ix_push_again_subscription", "subscription_id"),
)
"""What a push service did not take, and may take later."""
