"""By what people sign in: sessions, passkeys, addresses, and accounts elsewhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, String, Table, Text, false

from parola.store.tables.base import ID, metadata

sessions = Table(
    "sessions",
    metadata,
    Column("id", ID, primary_key=True),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, index=True),
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
    Column("id", ID, primary_key=True),
    Column("credential_id", String(1400), nullable=False, unique=True),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, index=True),
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
    Column("account_id", ID, nullable=True),
    Column("session_id", ID, nullable=True),
    Column("about", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False, index=True),
)
"""Challenges that wait for an authenticator: what for, and whose. `account_id` is of an account to come where one signs
up, with its handle and name in `about`."""

addresses = Table(
    "addresses",
    metadata,
    Column("account_id", ID, ForeignKey("accounts.id"), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("confirmed_at", String(40), nullable=False),
)
"""Only such as have been confirmed."""

mail_links = Table(
    "mail_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("purpose", String(16), nullable=False),
    Column("account_id", ID, nullable=True, index=True),
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
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, index=True),
)

identities = Table(
    "identities",
    metadata,
    Column("provider", String(16), primary_key=True),
    Column("subject", String(512), primary_key=True),
    Column("account_id", ID, ForeignKey("accounts.id"), nullable=False, index=True),
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
