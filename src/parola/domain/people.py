"""What a handle, a name, a bio, a password, a title and a note may be. Parse, don't validate: each returns the clean
value."""

from __future__ import annotations

import re
import unicodedata

from parola.domain.errors import Invalid

RESERVED = frozenset({"me", "current", "accept", "decline", "admin", "api", "parola"})
NAME_LENGTH = 60
BIO_LENGTH = 500
TITLE_LENGTH = 120
NOTE_LENGTH = 140
REASON_LENGTH = 300
EMAIL_LENGTH = 254
PASSWORD_LENGTHS = (8, 200)
LANGUAGES = ("en", "it")
DELETED = "deleted-"
"""With this begins what stands for the handle of a deleted account; no handle can have a hyphen in it."""
DELETED_NAME = "Deleted account"
# As browsers check it (HTML, section 4.10.5.1.5), and with a dot in the domain.
_EMAIL = re.compile(
    r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
    r"(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)+"
)
_HANDLE = re.compile(r"[a-z0-9_]{2,30}")
_LOOKS = {"1": "l", "0": "o", "m": "rn", "w": "vv"}
# Bidirectional controls would let a name rewrite the line it stands in.
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")


def parse_handle(text: str) -> str:
    if not _HANDLE.fullmatch(text):
        raise Invalid.field("handle", "A handle has 2 to 30 of the characters a–z, 0–9 and _.")
    if text in RESERVED:
        raise Invalid.field("handle", "This handle is reserved.")
    return text


def parse_new_handle(text: str) -> str:
    """For an account to come: it may not look like a reserved word either."""
    handle = parse_handle(text)
    if skeleton(handle) in _RESERVED_LOOKS:
        raise Invalid.field("handle", "This handle is reserved.")
    return handle


def is_deleted(handle: str) -> bool:
    return handle.startswith(DELETED)


def parse_language(text: str) -> str:
    if text not in LANGUAGES:
        raise Invalid.field("language", f"One of {', '.join(LANGUAGES)}.")
    return text


def suggest_handle(text: str) -> str:
    """One that may be taken, made of what somebody is called elsewhere; empty where nothing of it can stand."""
    plain = unicodedata.normalize("NFKD", text).lower()
    made = "".join(c if _HANDLE.fullmatch(c + c) else "_" if c in " .-" else "" for c in plain)
    try:
        return parse_new_handle(made.strip("_")[:30])
    except Invalid:
        return ""


def suggest_name(text: str) -> str:
    """Likewise a name."""
    shown = "".join(
        c for c in text if unicodedata.category(c) not in ("Cc", "Cs", "Co", "Cn") and c not in _BIDI
    )
    try:
        return parse_name(shown.strip()[:NAME_LENGTH])
    except Invalid:
        return ""


def skeleton(handle: str) -> str:
    """Handles that are taken for each other at a glance have the same one (docs/adr/0012-handles-that-look-alike.md).
    The store keeps it: a change wants a migration."""
    plain = "".join(_LOOKS.get(character, character) for character in handle)
    return "_".join(part for part in plain.split("_") if part) or "_"


def parse_name(text: str) -> str:
    return _line("name", text, NAME_LENGTH)


def parse_title(text: str) -> str:
    return _line("title", text, TITLE_LENGTH)


def parse_note(text: str) -> str:
    """What goes with a hand; may be empty."""
    clean = " ".join(_clean("note", text).split())
    if len(clean) > NOTE_LENGTH:
        raise Invalid.field("note", f"At most {NOTE_LENGTH} characters.")
    return clean


def parse_key_name(text: str) -> str:
    """What somebody calls a passkey."""
    return _line("name", text, NAME_LENGTH)


def parse_reason(text: str) -> str:
    return _line("reason", text, REASON_LENGTH)


def parse_email(text: str) -> str:
    """In small letters, so that one mailbox is one address."""
    clean = text.strip().lower()
    if len(clean) > EMAIL_LENGTH or not _EMAIL.fullmatch(clean):
        raise Invalid.field("email", "This is no address for mail.")
    return clean


def parse_bio(text: str) -> str:
    clean = _clean("bio", text, keep="\n")
    if len(clean) > BIO_LENGTH:
        raise Invalid.field("bio", f"At most {BIO_LENGTH} characters.")
    return clean


def parse_password(text: str) -> str:
    shortest, longest = PASSWORD_LENGTHS
    if any(unicodedata.category(character) == "Cs" for character in text):
        raise Invalid.field("password", "This contains characters that cannot be shown.")
    if not shortest <= len(text) <= longest:
        raise Invalid.field("password", f"A password has {shortest} to {longest} characters.")
    return text


def _line(field: str, text: str, longest: int) -> str:
    clean = " ".join(_clean(field, text).split())
    if not clean:
        raise Invalid.field(field, "This must not be empty.")
    if len(clean) > longest:
        raise Invalid.field(field, f"At most {longest} characters.")
    return clean


def _clean(field: str, text: str, keep: str = "") -> str:
    clean = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    for character in clean:
        if character not in keep and (
            unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn") or character in _BIDI
        ):
            raise Invalid.field(field, "This contains characters that cannot be shown.")
    return clean


_RESERVED_LOOKS = frozenset(map(skeleton, RESERVED))
