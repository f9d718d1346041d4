"""Words that titles and names may not have in them, however they are dressed up.

Invariant: a word is only ever found as a whole word, so that none is found in the middle of an innocent one.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Collection

from parola.domain.errors import Invalid
from parola.domain.people import skeleton

WORD_LENGTH = 60
KEY_LENGTH = 256
"""Of what `key_of` makes: some single characters stand for many."""

_LOOKS = str.maketrans(
    {
        # Latin letters that others stand for: digits and signs, then Cyrillic and Greek (Unicode's confusables).
        "!": "i", "|": "l", "@": "a", "$": "s", "€": "e", "3": "e", "4": "a", "5": "s", "7": "t", "8": "b", "9": "g",
        "а": "a", "в": "b", "е": "e", "к": "k", "м": "m", "н": "h", "о": "o", "р": "p", "с": "c", "т": "t", "у": "y",
        "х": "x", "і": "i", "ј": "j", "ѕ": "s", "ԁ": "d", "ո": "n", "һ": "h", "ӏ": "l", "ԛ": "q", "ԝ": "w",
        "α": "a", "β": "b", "ε": "e", "η": "n", "ι": "i", "κ": "k", "ν": "v", "ο": "o", "ρ": "p", "τ": "t", "υ": "u",
        "χ": "x", "ø": "o", "đ": "d", "ł": "l", "ı": "i", "æ": "ae", "œ": "oe",
    }
)  # fmt: skip


def parse_word(text: str) -> str:
    """A word, or several in a row. Raises Invalid."""
    clean = " ".join(text.split())
    if len(clean) > WORD_LENGTH:
        raise Invalid.field("word", f"At most {WORD_LENGTH} characters.")
    key = key_of(clean)
    if len(key) > KEY_LENGTH:
        raise Invalid.field("word", "This is too long.")
    if not key:
        raise Invalid.field("word", "This has no letter or digit in it.")
    return clean


def key_of(word: str) -> str:
    """The same for all that is taken for one word."""
    return " ".join(filter(None, (_bare(chunk) for chunk in _folded(word).split())))


def found_in(text: str, keys: Collection[str]) -> str | None:
    """The first of `keys`, as `key_of` makes them, that is in the text as a whole word; None where none is."""
    if not keys:
        return None
    heard = _words(text)
    longest = max(key.count(" ") + 1 for key in keys)
    for words in heard:
        for length in range(1, longest + 1):
            for at in range(len(words) - length + 1):
                key = " ".join(words[at : at + length])
                if key in keys:
                    return key
    return None


@functools.lru_cache(maxsize=4096)
def _words(text: str) -> tuple[list[str], ...]:
    """The text as its words, in the ways in which one may read them: with what stands between letters as the end of a
    word, as nothing, and with letters that stand apart as one word. Kept, since the names in an audience are looked
    through again and again."""
    chunks = _folded(text).split()
    joined = [bare for bare in map(_bare, chunks) if bare]
    split = [bare for chunk in chunks for bare in map(_bare, _parts(chunk)) if bare]
    apart: list[str] = []
    single = False
    for part in (part for chunk in chunks for part in _parts(chunk)):
        alone = len(part) == 1
        if alone and single:
            apart[-1] += _bare(part)
        else:
            apart.append(_bare(part))
        single = alone
    return joined, split, [bare for bare in apart if bare]


def _folded(text: str) -> str:
    """Without case, accents, widths and what is not seen; with what looks like a Latin letter as that letter."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    plain = (c for c in decomposed if c.isspace() or not (unicodedata.combining(c) or _is_unseen(c)))
    return "".join(plain).casefold()


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cf", "Cc")


def _parts(chunk: str) -> list[str]:
    """Signs that stand for letters are parts of a word, where a letter follows them."""
    plain = "".join(
        c if c.isalnum() or (c in "!|@$€" and chunk[i + 1 : i + 2].isalnum()) else " "
        for i, c in enumerate(chunk)
    )
    return plain.split()


def _bare(chunk: str) -> str:
    """Letters and digits alone, each in the form of what it is taken for."""
    looks = "".join(c for c in chunk.rstrip("!|.,;:?").translate(_LOOKS) if c.isalnum())
    return skeleton(looks.replace("i", "l")) if looks else ""
