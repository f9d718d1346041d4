"""Blocked words: found however they are dressed up, and never inside another word."""

from __future__ import annotations

import pytest

from parola.domain.errors import Invalid
from parola.domain.words import found_in, key_of, parse_word

KEYS = {key_of(word) for word in ("idiot", "Führer", "bad thing", "ass", "стоп")}

DRESSED = [
    "You IDIOT!",
    "1diot",
    "!diot",
    "i.d.i.o.t",
    "i d i o t",
    "id-iot",
    "ïdïøt",
    "ıdıot",
    "іdіоt",  # Cyrillic і and о
    "ＩＤＩＯＴ",
    "i\u200bdi\u00adot",
    "hello,idiot.",
    "i_d_i_o_t",
    "FUHRER",
    "bad   thing",
    "b.a.d th!ng",
    "a$$",
    "@ss",
    "what an a s s here",
    "стоп",
]
INNOCENT = [
    "",
    "idiotic",
    "a class of passing assets",
    "bad, but no things",
    "as sure as",
    "Idi Otto",
    "!!!",
    "$",
]


@pytest.mark.parametrize("text", DRESSED)
def test_what_is_dressed_up_is_found(text: str) -> None:
    assert found_in(text, KEYS) is not None


@pytest.mark.parametrize("text", INNOCENT)
def test_only_whole_words_are_found(text: str) -> None:
    assert found_in(text, KEYS) is None


def test_without_a_list_nothing_is_found() -> None:
    assert found_in("idiot", frozenset()) is None


def test_what_looks_alike_is_one_word() -> None:
    assert key_of("IDIOT") == key_of("1d.i0t") == key_of(" ídìot ")
    assert key_of("bad  thing") == key_of("Bad Th1ng") != key_of("badthing")


@pytest.mark.parametrize("text", ["", "  ", "...", "x" * 61, "ﷺ" * 60])
def test_a_word_has_something_in_it(text: str) -> None:
    with pytest.raises(Invalid):
        parse_word(text)
