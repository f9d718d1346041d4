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
    UniqueConstraint,
    false,
    true,
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
    Column("password_hash", Text, nullable=True),
    Column("created_at", String(40), nullable=False),
    Column("search", Text, nullable=False, server_default=""),
    Column("listen_unseen", Boolean, nullable=False, server_default=false()),
    Column("private", Boolean, nullable=False, server_default=false()),
    Column("skeleton", String(128), nullable=True),
    Index("uq_accounts_skeleton", "skeleton", unique=True),
    Column("role", String(16), nullable=False, server_default="member", index=True),
    Column("suspended_at", String(40), nullable=True),
    Column("invited_by", _ID, nullable=True, index=True),
    Column("no_floor", Boolean, nullable=False, server_default=false()),
)
"""`search` is the handle, and on the next line the name as `domain.search` folds it; `skeleton` is of the handle, as
`domain.people` makes it, and null only for accounts that looked like older ones before that was refused.
`password_hash` is null for who signs in by other ways; `suspended_at` and `no_floor` are what the measures that hold
come to."""

sessions = Table(
    "sessions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", String(40), nullable=False),
    Column("browser", String(40), nullable=False, server_default=""),
    Column("system", String(40), nullable=False, server_default=""),
    Column("seen_at", BigInteger, nullable=False, server_default="0", index=True),
    Column("proved_at", BigInteger, nullable=False, server_default="0"),
    Column("narrow", Boolean, nullable=False, server_default=false()),
)
"""`seen_at` is the hour in which it was used last, `proved_at` when somebody last showed who they are; `narrow`: of
somebody who is suspended, for notices and appeals alone."""

passkeys = Table(
    "passkeys",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("credential_id", String(1400), nullable=False, unique=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("public_key", Text, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String(120), nullable=False),
    Column("transports", String(120), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("used_at", BigInteger, nullable=True),
)
"""`credential_id` and `public_key` (COSE) are base64url; `transports` has commas; `used_at` is an hour."""

ceremonies = Table(
    "ceremonies",
    metadata,
    Column("ticket_hash", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("challenge", String(64), nullable=False),
    Column("account_id", _ID, nullable=True),
    Column("session_id", _ID, nullable=True),
    Column("about", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Challenges that wait for an authenticator: what for, and whose. `account_id` is of an account to come where one signs
up, with its handle and name in `about`."""

addresses = Table(
    "addresses",
    metadata,
    Column("account_id", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("confirmed_at", String(40), nullable=False),
)
"""Only such as have been confirmed."""

mail_links = Table(
    "mail_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("account_id", _ID, nullable=True, index=True),
    Column("email", String(254), nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
    Index("ix_mail_links_email", "email", "created_at"),
)
"""What was mailed to be followed once. `account_id` is null where nobody has the address: nothing was mailed then, and
the row is there so that both cost the same. `expires_at` is 0 once a link is used or replaced."""

recovery_codes = Table(
    "recovery_codes",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
)

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

inviting_versions = Table(
    "inviting_versions",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("policy", Text, nullable=False),
    Column("author", _ID, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", String(40), nullable=False),
)
"""The policy of invitations. Rows are only ever added."""

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
    Column("room_id", _ID, nullable=True, index=True),
    Column("account_id", _ID, nullable=True),
    Column("unsubscribe", Text, nullable=True),
)
"""Mail that waits: it goes from here when it is sent. `due_at` is null for what nobody tries any more. The last three
are of notices alone: of which room, to whom, and the address that ends them."""

notice_choices = Table(
    "notice_choices",
    metadata,
    Column("account_id", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("in_page", Boolean, nullable=False, server_default=true()),
    Column("email", Boolean, nullable=False, server_default=false()),
    Column("language", String(8), nullable=False),
    Column("mails_since", BigInteger, nullable=False, server_default="0"),
    Column("mails", Integer, nullable=False, server_default="0"),
)
"""How somebody wants to be told that a room has started; who has no row here, in the page alone. `mails` went out in
the day that began at `mails_since`."""

push_subscriptions = Table(
    "push_subscriptions",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("account_id", _ID, ForeignKey("accounts.id"), nullable=False, index=True),
    Column("session_id", _ID, ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", String(100), nullable=False),
    Column("auth", String(40), nullable=False),
    Column("language", String(8), nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
"""Browsers that are told also where no page is open (RFC 8030); `id` is the hash of the endpoint. One ends with the
session in which it was made, so that whoever signs in there next is not told what is another's."""

notice_rounds = Table(
    "notice_rounds",
    metadata,
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
    Column("kind", String(8), primary_key=True),
    Column("host", _ID, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("follower", _ID, nullable=False),
    Column("due_at", BigInteger, nullable=False, index=True),
)
"""Who is still to be told of a start: the followers behind (`since`, `follower`), in the order in which they came.
There is a row for each start and kind, none for a follower; it goes when all are told, or the room is over."""

push_again = Table(
    "push_again",
    metadata,
    Column("room_id", _ID, ForeignKey("rooms.id"), primary_key=True),
    Column("subscription_id", _ID, ForeignKey("push_subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("due_at", BigInteger, nullable=False, index=True),
    Column("tries", Integer, nullable=False),
    Index("ix_push_again_subscription", "subscription_id"),
)
"""What a push service did not take, and may take later."""

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
    Column("quiet", Boolean, nullable=False, server_default=false()),
    Index("ix_follows_followers", "followed", "since", "follower"),
    Index("ix_follows_following", "follower", "since", "followed"),
)
"""`quiet`: the follower wants no notice of this host's rooms."""

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
"""Who is invited, removed, shut out, visiting, co-host, or in the host's place now or when the host has gone, for
queries over many rooms; the snapshot says the same of one."""

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

kept_out = Table(
    "kept_out",
    metadata,
    Column("host", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("person", _ID, ForeignKey("accounts.id"), primary_key=True),
    Column("since", BigInteger, nullable=False),
    Index("ix_kept_out_listing", "host", "since", "person"),
)
"""Whom a host has removed from all their rooms; each room has those in its own state, too."""

blocked_words = Table(
    "blocked_words",
    metadata,
    Column("key", String(256), primary_key=True),
    Column("word", String(64), nullable=False),
    Column("by", _ID, nullable=False),
    Column("at", BigInteger, nullable=False),
)
"""`key` is the word as `domain.words` compares it: a change of that wants a migration."""

reports = Table(
    "reports",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("account_id", _ID, nullable=False, index=True),
    Column("room_id", _ID, nullable=True, index=True),
    Column("open_subject", String(140), nullable=True, unique=True),
    Column("voices", Integer, nullable=False),
    Column("opened_at", BigInteger, nullable=False),
    Column("rank", BigInteger, nullable=False),
    Column("taken_by", _ID, nullable=True),
    Column("closed_at", BigInteger, nullable=True),
    Column("closed_by", _ID, nullable=True),
    Column("outcome", String(16), nullable=True),
    Column("reason", Text, nullable=True),
    Index("ix_reports_queue", "closed_at", "rank", "id"),
)
"""One for each thing that is reported; `open_subject` is null once it is closed, so that there is one open one."""

report_voices = Table(
    "report_voices",
    metadata,
    Column("id", _ID, primary_key=True),
    Column("report_id", _ID, ForeignKey("reports.id"), nullable=False),
    Column("reporter", _ID, nullable=False),
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
    Column("id", _ID, primary_key=True),
    Column("account_id", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("actor", _ID, nullable=False),
    Column("report_id", _ID, nullable=True),
    Column("at", BigInteger, nullable=False),
    Column("until", BigInteger, nullable=True),
    Column("over_at", BigInteger, nullable=True),
    Column("seen_at", BigInteger, nullable=True),
    Column("appeal", Text, nullable=True),
    Column("appealed_at", BigInteger, nullable=True),
    Column("decision", String(16), nullable=True),
    Column("decided_by", _ID, nullable=True),
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
    Column("report_id", _ID, primary_key=True),
    Column("room_id", _ID, nullable=False),
    Column("path", String(128), nullable=False, unique=True),
    Column("key_id", _ID, nullable=False),
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
    Column("report_id", _ID, nullable=False, index=True),
    Column("actor", _ID, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)
"""By which an administrator hears it, once."""
