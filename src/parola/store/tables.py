"""The tables. Times that are only kept are ISO 8601 text; times that are sorted by are milliseconds since 1970."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    false,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(64)

accounts = Table(
    "accounts",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("handle", String(64), nullable=False, unique=True),
    Column("name", String(120), nullable=False),
    Column("bio", Text, nullable=False, default=""),
    Column("password_hash", Text, nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("search", Text, nullable=False, server_default=""),
    Column("listen_unseen", Boolean, nullable=False, server_default=false()),
    Column("private", Boolean, nullable=False, server_default=false()),
    Column("skeleton", String(128), nullable=True),
    Index("uq_accounts_skeleton", "skeleton", unique=True),
    Column("role", String(16), nullable=False, server_default="member", index=True),
    Column("suspended_at", String(40), nullable=True),
    Column("invited_by", _ID, nullable=True, index=True),
    Column("language", String(8), nullable=True),
    Column("picture", String(32), nullable=True),
    Column("deleted_at", String(40), nullable=True),
)
"""`search` is the handle, and on the next line the name as `domain.search` folds it; `skeleton` is of the handle, as
`domain.people` makes it, and null only for accounts that looked like older ones before that was refused. `picture` is
the version of one's picture, `password_hash` is empty where there is no password. Of a deleted account the row stays,
with nothing of its person in it, since rooms of others refer to it."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", String(40), nullable=False),
)

identities = Table(
    "identities",
    metadata,
    Column("provider", String(16), primary_key=True),
    Column("subject", String(512), primary_key=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(255), nullable=False),
    Column("since", String(40), nullable=False),
)
"""Accounts elsewhere by which one signs in. `subject` names the server as well as whom it means."""

elsewhere_apps = Table(
    "elsewhere_apps",
    metadata,
    Column("server", String(512), primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("client_secret", Text, nullable=False),
)
"""As what Parola, at its public address, is known to Mastodon servers that people have come from."""

elsewhere_errands = Table(
    "elsewhere_errands",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("browser_hash", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Who has been sent to sign in elsewhere, and who has come back and is new here; each used once, by one browser."""

deletions = Table(
    "deletions",
    metadata,
    Column("account_id", _ID, ForeignKey("accounts.id"), primary_key=True),
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

invites = Table(
    "invites",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("created_at", String(40), nullable=False),
    Column("used_by", _ID, nullable=True),
    Column("used_at", String(40), nullable=True),
    Column("id", _ID, nullable=True, unique=True),
    Column("made_by", _ID, nullable=True, index=True),
    Column("code", String(64), nullable=True),
    Column("expires_at", BigInteger, nullable=True),
    Column("revoked_at", String(40), nullable=True),
)
"""`code` is kept so that its maker can be shown the link again, and no longer than it opens something: one sign-up.
`made_by` is null where the server itself invites, `expires_at` for codes of a time when they did not expire."""

active_days = Table(
    "active_days",
    metadata,
    Column("account_id", _ID, ForeignKey("accounts.id"), primary_key=True),
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

outbox = Table(
    "outbox",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("recipient", String(254), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("due_at", BigInteger, nullable=True, index=True),
    Column("tries", Integer, nullable=False),
    Column("failure", Text, nullable=True),
)
"""Mail that waits: it goes from here when it is sent. `due_at` is null for what nobody tries any more."""

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
    Column("actor", _ID, nullable=False),
    Column("action", String(40), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("object", String(254), nullable=False),
    Column("reason", Text, nullable=False),
    Column("before", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""What administrators did. Rows are only ever added: triggers refuse everything else, and each row carries the hash of
the one before."""

follows = Table(
    "follows",
    metadata,
    Column("follower", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("followed", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False, server_default="0"),
    Index("ix_follows_followers", "followed", "since", "follower"),
    Index("ix_follows_following", "follower", "since", "followed"),
)

follow_requests = Table(
    "follow_requests",
    metadata,
    Column("follower", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("followed", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_follow_requests_followed", "followed", "since", "follower"),
)
"""Who wants to follow a private account, which has not answered yet."""

blocks = Table(
    "blocks",
    metadata,
    Column("blocker", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("blocked", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_blocks_blocked", "blocked"),
)

hushes = Table(
    "hushes",
    metadata,
    Column("account", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("hushed", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
)
"""Whose notices and faces an account does not want."""

rooms = Table(
    "rooms",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("host", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("access", String(16), nullable=False),
    Column("guests", Boolean, nullable=False),
    Column("state", String(16), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("listed_at", BigInteger, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("owner", _ID, nullable=True, index=True),
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
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("body", Text, nullable=False),
)

room_people = Table(
    "room_people",
    metadata,
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
    Column("account_id", _ID, primary_key=True),
    Column("relation", String(16), primary_key=True),
    Column("since", BigInteger, nullable=True),
    Index("ix_room_people_account", "account_id", "relation"),
)
"""Who is invited, removed, shut out, co-host, or in the host's place now or when the host has gone, for queries over
many rooms; the snapshot says the same of one."""

leases = Table(
    "leases",
    metadata,
    Column("process_id", _ID, primary_key=True),
    Column("machine", String(120), nullable=False),
    Column("beat", BigInteger, nullable=False),
    Column("load", Float, nullable=False),
)

rollout_versions = Table(
    "rollout_versions",
    metadata,
    Column("feature", String(32), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("plan", Text, nullable=False),
    Column("author", _ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
)
"""Rows are only ever added: going back is a new version with an older one's plan."""

rollout_rooms = Table(
    "rollout_rooms",
    metadata,
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
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
    Column("account_id", _ID, primary_key=True),
    Column("first_at", BigInteger, nullable=False),
    Column("returned", Boolean, nullable=False, server_default=false()),
)
"""Who has listened in any room of a stage; not in which. `returned` within a week, to a room that began later."""

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
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
    Column("account_id", _ID, primary_key=True),
)
"""Who has answered the question after a room; not what."""

rollout_keepers = Table(
    "rollout_keepers",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("holder", _ID, nullable=False),
    Column("beat", BigInteger, nullable=False),
)
"""Which of the web processes counts what only one may count; `beat` grows for as long as it does."""
