"""Signing up, in and out; oneself; other people; following."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from parola.api.caller import address, caller, clear_cookie, commanding, services, set_cookie
from parola.api.permissions import ANYONE, MEMBER, may
from parola.services.caller import Caller
from parola.services.sessions import SignedIn
from parola.store import ADMINISTRATOR, Account

router = APIRouter(prefix="/api", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
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


class AccountView(BaseModel):
    id: str
    handle: str
    name: str


class SessionView(BaseModel):
    account: AccountView
    token: str


class MeView(AccountView):
    bio: str
    listen_unseen: bool
    role: Literal["member", "administrator"]


class FoundView(BaseModel):
    handle: str
    name: str


class PeopleView(BaseModel):
    people: list[FoundView]


class ProfileView(AccountView):
    bio: str
    followers: int
    following: int
    live_room: str | None
    followed: bool
    invited_by: FoundView | None


@router.post("/accounts", status_code=201)
@may(ANYONE)
async def sign_up(request: Request, response: Response, body: SignUp) -> SessionView:
    here = services(request)
    here.limits.sign_up(address(request))
    signed_in = await here.sessions.sign_up(body.handle, body.name, body.password, body.invite)
    return _begun(response, signed_in, here.public_url)


@router.post("/sessions", status_code=201)
@may(ANYONE)
async def sign_in(request: Request, response: Response, body: SignIn) -> SessionView:
    here = services(request)
    here.limits.sign_in(body.handle, address(request))
    return _begun(response, await here.sessions.sign_in(body.handle, body.password), here.public_url)


@router.delete("/sessions/current", status_code=204)
@may(MEMBER)
async def sign_out(request: Request, response: Response, who: Who) -> None:
    await services(request).sessions.sign_out(who)
    clear_cookie(response)


@router.get("/me")
@may(MEMBER)
async def me(who: Who) -> MeView:
    return _me(who.signed_in().account)


@router.patch("/me")
@may(MEMBER)
async def change_me(request: Request, who: Member, body: MeChange) -> MeView:
    return _me(await services(request).people.update(who, body.name, body.bio, body.listen_unseen))


@router.get("/accounts")
@may(ANYONE)
async def search(
    request: Request,
    _: Who,
    q: Annotated[str, Query(max_length=100)],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> PeopleView:
    found = await services(request).people.search(q, limit)
    return PeopleView(people=[FoundView(handle=one.handle, name=one.name) for one in found])


@router.get("/accounts/{handle}")
@may(ANYONE)
async def profile(request: Request, who: Who, handle: str) -> ProfileView:
    found = await services(request).people.profile(who, handle)
    account, by = found.account, found.invited_by
    return ProfileView(
        id=account.id,
        handle=account.handle,
        name=account.name,
        bio=account.bio,
        followers=found.counts.followers,
        following=found.counts.following,
        live_room=found.live_room,
        followed=found.followed,
        invited_by=FoundView(handle=by.handle, name=by.name) if by is not None else None,
    )


@router.put("/accounts/{handle}/follow", status_code=204)
@may(MEMBER)
async def follow(request: Request, who: Member, handle: str) -> None:
    await services(request).people.follow(who, handle)


@router.delete("/accounts/{handle}/follow", status_code=204)
@may(MEMBER)
async def unfollow(request: Request, who: Member, handle: str) -> None:
    await services(request).people.unfollow(who, handle)


def _begun(response: Response, signed_in: SignedIn, public_url: str) -> SessionView:
    set_cookie(response, signed_in.token, public_url)
    account = signed_in.account
    view = AccountView(id=account.id, handle=account.handle, name=account.name)
    return SessionView(account=view, token=signed_in.token)


def _me(account: Account) -> MeView:
    return MeView(
        id=account.id,
        handle=account.handle,
        name=account.name,
        bio=account.bio,
        listen_unseen=account.listen_unseen,
        role="administrator" if account.role == ADMINISTRATOR else "member",
    )
