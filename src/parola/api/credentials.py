"""How oneself signs in: passkeys, password, address, recovery codes. What is sensitive asks for a recent sign-in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from parola.api.accounts import Body
from parola.api.caller import address, caller, commanding, services
from parola.api.permissions import LATELY, MEMBER, may
from parola.api.sharing import language_of
from parola.api.signing_in import Address, ByPasskey, CeremonyView, ceremony_view
from parola.services.caller import Caller
from parola.services.views import instant, instant_of_ms
from parola.store import Passkey

router = APIRouter(prefix="/api", tags=["signing in"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]


class Named(Body):
    name: str


class NewPasskey(ByPasskey):
    name: str


class Proof(Body):
    password: str | None = None
    ticket: str | None = None
    credential: dict[str, Any] | None = None


class NewPassword(Body):
    password: str
    old: str | None = None


class PasskeyView(BaseModel):
    """`used_at` is the beginning of an hour."""

    id: str
    name: str
    created_at: str
    used_at: str | None


class SignInView(BaseModel):
    password: bool
    passkeys: list[PasskeyView]
    email: str | None
    pending_email: str | None
    recovery_codes: int
    recent_until: str | None


class CodesView(BaseModel):
    codes: list[str]


@router.get("/me/sign_in")
@may(MEMBER)
async def overview(request: Request, who: Who) -> SignInView:
    found = await services(request).keyring.overview(who)
    return SignInView(
        password=found.password,
        passkeys=[_passkey(one) for one in found.passkeys],
        email=found.email,
        pending_email=found.pending,
        recovery_codes=found.codes,
        recent_until=instant_of_ms(found.recent_until) if found.recent_until else None,
    )


@router.post("/ceremonies/prove", status_code=201)
@may(MEMBER)
async def begin_proof(request: Request, who: Member) -> CeremonyView:
    return ceremony_view(await services(request).passkeys.begin_proof(who))


@router.post("/me/proof", status_code=204)
@may(MEMBER)
async def prove(request: Request, who: Member, body: Proof) -> None:
    """By a password, or by a passkey: for ten minutes after it sensitive things may be changed."""
    here = services(request)
    here.limits.proof(who.signed_in().account.id)
    await here.keyring.prove(who, body.password, body.ticket, body.credential)


@router.post("/ceremonies/add", status_code=201)
@may(LATELY)
async def begin_add(request: Request, who: Member) -> CeremonyView:
    return ceremony_view(await services(request).passkeys.begin_add(who))


@router.post("/me/passkeys", status_code=201)
@may(LATELY)
async def add_passkey(request: Request, who: Member, body: NewPasskey) -> PasskeyView:
    return _passkey(await services(request).passkeys.add(who, body.ticket, body.credential, body.name))


@router.patch("/me/passkeys/{id}", status_code=204)
@may(MEMBER)
async def rename_passkey(request: Request, who: Member, id: str, body: Named) -> None:
    await services(request).passkeys.rename(who, id, body.name)


@router.delete("/me/passkeys/{id}", status_code=204)
@may(LATELY)
async def delete_passkey(request: Request, who: Member, id: str) -> None:
    await services(request).passkeys.delete(who, id)


@router.put("/me/password", status_code=204)
@may(LATELY)
async def set_password(request: Request, who: Member, body: NewPassword) -> None:
    here = services(request)
    here.limits.proof(who.signed_in().account.id)
    await here.keyring.set_password(who, body.password, body.old)


@router.delete("/me/password", status_code=204)
@may(LATELY)
async def remove_password(request: Request, who: Member) -> None:
    await services(request).keyring.remove_password(who)


@router.put("/me/email", status_code=202)
@may(LATELY)
async def set_address(request: Request, who: Member, body: Address) -> None:
    """Becomes the account's address when the link that is mailed there is followed."""
    here = services(request)
    here.limits.letter(address(request))
    await here.mailing.set_address(who, body.email, language_of(request.headers.get("accept-language", "")))


@router.delete("/me/email", status_code=204)
@may(LATELY)
async def remove_address(request: Request, who: Member) -> None:
    await services(request).mailing.remove_address(who)


@router.post("/me/recovery_codes", status_code=201)
@may(LATELY)
async def make_codes(request: Request, who: Member) -> CodesView:
    """In place of those that there were; shown this once."""
    return CodesView(codes=await services(request).keyring.make_codes(who))


def _passkey(one: Passkey) -> PasskeyView:
    return PasskeyView(
        id=one.id,
        name=one.name,
        created_at=str(instant(datetime.fromisoformat(one.created_at))),
        used_at=instant_of_ms(one.used_at) if one.used_at is not None else None,
    )
