"""Words that titles and names may not have in them: the operator's list, and each host's own for their rooms."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parola.domain import words
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, FieldError, Forbidden, Invalid, NotFound
from parola.domain.moments import milliseconds
from parola.services.actor import Actor
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.store import Account, BlockedWord, Store

MOST = 2000
MOST_OF_A_HOST = 200


class Words:
    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def check(self, **texts: str) -> None:
        """By field. Raises Invalid("word_blocked"), which names the first word that was found."""
        _refuse(by_key(await self._store.words.all()), texts)

    async def list(self, _: Actor) -> list[BlockedWord]:
        return await self._store.words.all()

    async def add(self, actor: Actor, text: str) -> None:
        """One that is taken for another that is there already is the same. What has such a name or title keeps it.
        Raises Invalid, Conflict("too_many_words")."""
        word = words.parse_word(text)
        deed = Deed(actor.id, "block", "word", word)
        if await self._store.words.add(words.key_of(word), word, deed, MOST, self._now()) is None:
            raise _too_many(MOST)

    async def remove(self, actor: Actor, text: str) -> None:
        """Raises NotFound."""
        word = _asked(text)
        deed = Deed(actor.id, "allow", "word", word)
        if not await self._store.words.remove(words.key_of(word), deed, self._now()):
            raise NotFound()


class HostWords:
    """What holds in a host's rooms: their own list beside the operator's. Their own deeds win over it: to whom they
    give the floor has it, whatever the name."""

    def __init__(self, store: Store, words: Words, now: Clock) -> None:
        self._store = store
        self._words = words
        self._now = now

    async def check(self, host: str, **texts: str) -> None:
        """Raises as `Words.check`, for both lists."""
        await self._words.check(**texts)
        _refuse(by_key(await self._store.host_words.of(host)), texts)

    async def check_hand(self, host: str, account: Account, note: str | None) -> None:
        """Raises as `check` for the note, and Forbidden("word_blocked") where the host has blocked a word that is in
        the name or the handle: what these may be elsewhere is not the host's to say."""
        own = by_key(await self._store.host_words.of(host))
        named = in_name(account, own)
        if named is not None:
            raise Forbidden("word_blocked", f"The host has blocked “{named}”, which is in your name.")
        if note:
            await self._words.check(note=note)
            _refuse(own, {"note": note})

    async def list(self, caller: Caller) -> list[BlockedWord]:
        """Raises NotSignedIn."""
        return await self._store.host_words.of(caller.signed_in().account.id)

    async def add(self, caller: Caller, text: str) -> None:
        """As `Words.add`. Raises NotSignedIn, Invalid, Conflict("too_many_words")."""
        me, word, now = caller.signed_in().account.id, words.parse_word(text), milliseconds(self._now())
        if not await self._store.host_words.add(me, words.key_of(word), word, MOST_OF_A_HOST, now):
            raise _too_many(MOST_OF_A_HOST)

    async def remove(self, caller: Caller, text: str) -> None:
        """Raises NotSignedIn, NotFound."""
        me = caller.signed_in().account.id
        if not await self._store.host_words.remove(me, words.key_of(_asked(text))):
            raise NotFound()


def by_key(blocked: Iterable[BlockedWord]) -> dict[str, str]:
    return {one.key: one.word for one in blocked}


def in_name(account: Account, blocked: Mapping[str, str]) -> str | None:
    """The first of these words, by key, that is in the name or the handle."""
    return _first(blocked, account.name) or _first(blocked, account.handle)


def _first(blocked: Mapping[str, str], text: str) -> str | None:
    found = words.found_in(text, blocked.keys())
    return blocked[found] if found is not None else None


def _refuse(blocked: Mapping[str, str], texts: Mapping[str, str]) -> None:
    for field, text in texts.items():
        found = _first(blocked, text)
        if found is not None:
            message = f"“{found}” is not allowed here."
            raise Invalid("word_blocked", message, (FieldError(field, message),))


def _asked(text: str) -> str:
    return " ".join(text.split())[: words.WORD_LENGTH]


def _too_many(most: int) -> Conflict:
    return Conflict("too_many_words", f"At most {most} words.")
