"""Words that titles and names may not have in them: the operator's list."""

from __future__ import annotations

from parola.domain import words
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, FieldError, Invalid, NotFound
from parola.services.actor import Actor
from parola.services.clock import Clock
from parola.store import BlockedWord, Store

MOST = 2000


class Words:
    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now

    async def check(self, **texts: str) -> None:
        """By field. Raises Invalid("word_blocked"), which names the first word that was found."""
        blocked = {one.key: one.word for one in await self._store.words.all()}
        if not blocked:
            return
        for field, text in texts.items():
            found = words.found_in(text, blocked.keys())
            if found is not None:
                message = f"“{blocked[found]}” is not allowed here."
                raise Invalid("word_blocked", message, (FieldError(field, message),))

    async def list(self, _: Actor) -> list[BlockedWord]:
        return await self._store.words.all()

    async def add(self, actor: Actor, text: str) -> None:
        """One that is taken for another that is there already is the same. What has such a name or title keeps it.
        Raises Invalid, Conflict("too_many_words")."""
        word = words.parse_word(text)
        deed = Deed(actor.id, "block", "word", word)
        if await self._store.words.add(words.key_of(word), word, deed, MOST, self._now()) is None:
            raise Conflict("too_many_words", f"At most {MOST} words.")

    async def remove(self, actor: Actor, text: str) -> None:
        """Raises NotFound."""
        word = " ".join(text.split())[: words.WORD_LENGTH]
        deed = Deed(actor.id, "allow", "word", word)
        if not await self._store.words.remove(words.key_of(word), deed, self._now()):
            raise NotFound()
