"""What is searched, and what for, in one form: without case, accents and differences of width."""

from __future__ import annotations

import unicodedata


def fold(text: str) -> str:
    """Words with single spaces between them. The store keeps what is searched like this: a change wants a migration."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(character for character in decomposed if not unicodedata.combining(character))
    return " ".join(plain.casefold().split())
