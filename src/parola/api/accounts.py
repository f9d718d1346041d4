"""Signing up, in and out; oneself; what others see of somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from parola.api.caller import (
    address,
    caller,
    clear_cookie,
    commanding,
    device,
    known,
    services,
    set_cookie,
)
from parola.api.permissions import ANYONE, MEMBER, may
from parola.services.caller import Caller
from parola.services.pictures import picture_of
from parola.services.sessions import SignedIn
from parola.store import ADMINISTRATOR, Account

router = APIRouter(prefix="/api", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
Known = Annotated[Caller, Depends(known)]
Member = Annotated[Caller, Depends(commanding)]


class Body(BaseModel):
    """Nothing is guessed: types must fit, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)


class SignUp(Body):
    handle: str
    name: str
    password: str
    invite: str | None = None


class SignIn(Body):
    handle: str
    password: str


class MeChange(Body):
    name: str | None = None
    bio: str | None = None
    listen_unseen: bool | None = None
    private: bool | None = None
    language: str | None = None


class PersonView(BaseModel):
    """`picture` is an address on this server, null where there is none."""

    handle: str
    name: str
    picture: str | None


class AccountView(PersonView):
    id: str


class SessionView(BaseModel):
    account: AccountView
    token: str
    suspended: bool


class MeView(AccountView):
    bio: str
    listen_unseen: bool
    private: bool
    role: Literal["member", "administrator"]
    language: Literal["en", "it"] | None


class FoundView(PersonView):
    """`live_room` is an id where the caller may enter."""

    live_room: str | None


class PeopleView(BaseModel):
    people: list[FoundView]


class ProfileView(AccountView):
    bio: str
    followers: int
    following: int
    live_room: str | None
    private: bool
    followed: bool
    requested: bool
    follows_you: bool
    blocked: bool
    hushed: bool
    bell: bool
    invited_by: PersonView | None


@router.post("/accounts", status_code=201)
@may(ANYONE)
async def sign_up(request: Request, response: Response, body: SignUp) -> SessionView:
    here = services(request)
    here.limits.sign_up(address(request))
    signed_in = await here.sessions.sign_up(
        body.handle, body.name, body.password, body.invite, device(request)
    )
    return begun(response, signed_in, here.public_url)


@router.post("/sessions", status_code=201)
@may(ANYONE)
async def sign_in(request: Request, response: Response, body: SignIn) -> SessionView:
    here = services(request)
    here.limits.sign_in(body.handle, address(request))
    signed_in = await here.sessions.sign_in(body.handle, body.password, device(request))
    return begun(response, signed_in, here.public_url)


@router.delete("/sessions/current", status_code=204)
@may(MEMBER)
async def sign_out(request: Request, response: Response, who: Known) -> None:
    await services(request).sessions.sign_out(who)
    clear_cookie(response)


@router.get("/me")
@may(MEMBER)
async def me(who: Who) -> MeView:
    return me_view(who.signed_in().account)


@router.patch("/me")
@may(MEMBER)
async def change_me(request: Request, who: Member, body: MeChange) -> MeView:
    people = services(request).people
    return me_view(
        await people.update(who, body.name, body.bio, body.listen_unseen, body.private, body.language)
    )


@router.get("/accounts")
@may(ANYONE)
async def search(
    request: Request,
    who: Who,
    q: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PeopleView:
    found = await services(request).people.search(who, q, limit)
    return PeopleView(people=await found_views(request, who, found))


@router.get("/accounts/{handle}")
@may(ANYONE)
async def profile(request: Request, who: Who, handle: str) -> ProfileView:
    found = await services(request).people.profile(who, handle)
    account, standing, by = found.account, found.standing, found.invited_by
    return ProfileView(
        id=account.id,
        handle=account.handle,
        name=account.name,
        picture=picture_of(account),
        bio=account.bio,
        followers=found.counts.followers,
        following=found.counts.following,
        live_room=found.live_room,
        private=account.private,
        followed=standing.follows,
        requested=standing.requested,
        follows_you=standing.followed,
        blocked=standing.blocked,
        hushed=standing.hushed,
        bell=standing.follows and not standing.quiet,
        invited_by=person_view(by) if by is not None else None,
    )


async def found_views(request: Request, who: Caller, found: Sequence[Account]) -> list[FoundView]:
    live = await services(request).people.live_rooms(who, found)
    return [FoundView(**person_view(one).model_dump(), live_room=live.get(one.id)) for one in found]


def person_view(account: Account) -> PersonView:
    return PersonView(handle=account.handle, name=account.name, picture=picture_of(account))


def begun(response: Response, signed_in: SignedIn, public_url: str) -> SessionView:
    """The answer to who has just signed in, and the cookie of the session."""
    set_cookie(response, signed_in.token, public_url)
    account = signed_in.account
    view = AccountView(id=account.id, **person_view(account).model_dump())
    return SessionView(account=view, token=signed_in.token, suspended=account.suspended)


def me_view(account: Account) -> MeView:
    return MeView(
        id=account.id,
        handle=account.handle,
        name=account.name,
        picture=picture_of(account),
        bio=account.bio,
        listen_unseen=account.listen_unseen,
        private=account.private,
        role="administrator" if account.role == ADMINISTRATOR else "member",
        language="it" if account.language == "it" else "en" if account.language == "en" else None,
    )
