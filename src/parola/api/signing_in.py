"""Signing up and in by other ways than a password: passkeys, a link by mail, a recovery code."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from parola.api.accounts import Body, SessionView, begun
from parola.api.caller import address, device, services
from parola.api.permissions import ANYONE, may
from parola.api.sharing import language_of
from parola.services.passkeys import Begun

router = APIRouter(prefix="/api", tags=["signing in"])


class SignUpCeremony(Body):
    handle: str
    name: str
    invite: str | None = None


class ByPasskey(Body):
    """`credential` is what the browser's PublicKeyCredential makes of itself as JSON."""

    ticket: str
    credential: dict[str, Any]


class SignUpByPasskey(ByPasskey):
    invite: str | None = None


class Address(Body):
    email: str


class Token(Body):
    token: str


class ByCode(Body):
    handle: str
    code: str


class CeremonyView(BaseModel):
    """`options` are for `navigator.credentials`, in their JSON form (WebAuthn level 3)."""

    ticket: str
    options: dict[str, Any]


class ConfirmedView(BaseModel):
    handle: str
    email: str


@router.post("/ceremonies/sign_up", status_code=201)
@may(ANYONE)
async def begin_sign_up(request: Request, body: SignUpCeremony) -> CeremonyView:
    here = services(request)
    here.limits.ceremony(address(request))
    return ceremony_view(await here.passkeys.begin_sign_up(body.handle, body.name, body.invite))


@router.post("/accounts/by_passkey", status_code=201)
@may(ANYONE)
async def sign_up(request: Request, response: Response, body: SignUpByPasskey) -> SessionView:
    here = services(request)
    here.limits.sign_up(address(request))
    signed_in = await here.passkeys.sign_up(body.ticket, body.credential, body.invite, device(request))
    return begun(response, signed_in, here.public_url)


@router.post("/ceremonies/sign_in", status_code=201)
@may(ANYONE)
async def begin_sign_in(request: Request) -> CeremonyView:
    here = services(request)
    here.limits.ceremony(address(request))
    return ceremony_view(await here.passkeys.begin_sign_in())


@router.post("/sessions/by_passkey", status_code=201)
@may(ANYONE)
async def sign_in(request: Request, response: Response, body: ByPasskey) -> SessionView:
    here = services(request)
    here.limits.ceremony(address(request))
    signed_in = await here.passkeys.sign_in(body.ticket, body.credential, device(request))
    return begun(response, signed_in, here.public_url)


@router.post("/links", status_code=202)
@may(ANYONE)
async def ask_for_link(request: Request, body: Address) -> None:
    """The same answer, as soon, whether anybody has the address or not."""
    here = services(request)
    here.limits.letter(address(request))
    here.mailing.ask_later(body.email, language_of(request.headers.get("accept-language", "")))


@router.post("/sessions/by_link", status_code=201)
@may(ANYONE)
async def sign_in_by_link(request: Request, response: Response, body: Token) -> SessionView:
    here = services(request)
    here.limits.guess(address(request))
    return begun(response, await here.mailing.sign_in(body.token, device(request)), here.public_url)


@router.post("/sessions/by_code", status_code=201)
@may(ANYONE)
async def sign_in_by_code(request: Request, response: Response, body: ByCode) -> SessionView:
    here = services(request)
    here.limits.sign_in(body.handle, address(request))
    signed_in = await here.keyring.sign_in_by_code(body.handle, body.code, device(request))
    return begun(response, signed_in, here.public_url)


@router.post("/addresses/confirm")
@may(ANYONE)
async def confirm_address(request: Request, body: Token) -> ConfirmedView:
    here = services(request)
    here.limits.guess(address(request))
    account, email = await here.mailing.confirm(body.token)
    return ConfirmedView(handle=account.handle, email=email)


def ceremony_view(begun: Begun) -> CeremonyView:
    return CeremonyView(ticket=begun.ticket, options=begun.options)
