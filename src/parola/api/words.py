"""Words that a host blocks in their rooms."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from parola.api.accounts import Body
from parola.api.caller import caller, commanding, services
from parola.api.permissions import MEMBER, may
from parola.services.caller import Caller
from parola.services.views import instant_of_ms

router = APIRouter(prefix="/api/me/words", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]
Word = Annotated[str, Query(min_length=1, max_length=100)]


class WordBody(Body):
    word: str


class OwnWordView(BaseModel):
    word: str
    at: str


class OwnWordsView(BaseModel):
    words: list[OwnWordView]


@router.get("")
@may(MEMBER)
async def words(request: Request, who: Who) -> OwnWordsView:
    found = await services(request).host_words.list(who)
    return OwnWordsView(words=[OwnWordView(word=one.word, at=instant_of_ms(one.at)) for one in found])


@router.post("", status_code=204)
@may(MEMBER)
async def block_word(request: Request, who: Member, body: WordBody) -> None:
    await services(request).host_words.add(who, body.word)


@router.delete("", status_code=204)
@may(MEMBER)
async def allow_word(request: Request, who: Member, word: Word) -> None:
    await services(request).host_words.remove(who, word)
