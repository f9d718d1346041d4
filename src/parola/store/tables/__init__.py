"""The tables, by subject. Times that are only kept are ISO 8601 text; times that are sorted by are milliseconds since
1970."""

from __future__ import annotations

from parola.store.tables.accounts import (
    accounts,
    deletions,
    resting_handles,
)
from parola.store.tables.base import metadata
from parola.store.tables.letting_in import (
    active_days,
    invites,
    inviting_versions,
    waitlist,
)
from parola.store.tables.moderation import (
    audit,
    blocked_words,
    claims,
    evidence,
    evidence_tickets,
    measures,
    report_voices,
    reports,
)
from parola.store.tables.notices import (
    notice_choices,
    notice_rounds,
    outbox,
    push_again,
    push_subscriptions,
)
from parola.store.tables.people import (
    blocks,
    follow_requests,
    follows,
    host_words,
    hushes,
    kept_out,
)
from parola.store.tables.rollout import (
    rollout_answers,
    rollout_keepers,
    rollout_listeners,
    rollout_rooms,
    rollout_sounds,
    rollout_versions,
)
from parola.store.tables.rooms import (
    leases,
    room_events,
    room_people,
    rooms,
)
from parola.store.tables.signing_in import (
    addresses,
    ceremonies,
    elsewhere_apps,
    elsewhere_errands,
    identities,
    mail_links,
    passkeys,
    recovery_codes,
    sessions,
)

__all__ = [
    "accounts",
    "active_days",
    "addresses",
    "audit",
    "blocked_words",
    "blocks",
    "ceremonies",
    "claims",
    "deletions",
    "elsewhere_apps",
    "elsewhere_errands",
    "evidence",
    "evidence_tickets",
    "follow_requests",
    "follows",
    "host_words",
    "hushes",
    "identities",
    "invites",
    "inviting_versions",
    "kept_out",
    "leases",
    "mail_links",
    "measures",
    "metadata",
    "notice_choices",
    "notice_rounds",
    "outbox",
    "passkeys",
    "push_again",
    "push_subscriptions",
    "recovery_codes",
    "report_voices",
    "reports",
    "resting_handles",
    "rollout_answers",
    "rollout_keepers",
    "rollout_listeners",
    "rollout_rooms",
    "rollout_sounds",
    "rollout_versions",
    "room_events",
    "room_people",
    "rooms",
    "sessions",
    "waitlist",
]
