"""Links by mail, addresses, passwords, recovery codes and devices: what is answered, and what is not."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest

from parola.domain.moments import milliseconds
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE
from parola.store import Letter
from tests.web_process import Answer, Person, WebProcess

EMAIL = "ada@rooms.example"
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36"
)


async def letters(web: WebProcess) -> list[Letter]:
    """All that were written since this was asked last."""
    await web.services.mailing.settled()
    far = milliseconds(clock.now()) + 10**9
    found = await web.store.outbox.take(far, far, 100)
    for letter in found:
        await web.store.outbox.sent(letter.id)
    return found


def token_in(letter: Letter, page: str) -> str:
    found = re.search(rf"http://localhost:8080/{page}#(\S+)", letter.body)
    assert found is not None, letter.body
    return found.group(1)


async def confirmed(web: WebProcess, person: Person, email: str = EMAIL) -> None:
    assert (await person.put("/api/me/email", json={"email": email})).status == 202
    (letter,) = await letters(web)
    assert letter.recipient == email
    answer = await web.guest.post("/api/addresses/confirm", json={"token": token_in(letter, "confirm")})
    assert (answer.status, answer.json) == (200, {"handle": person.handle, "email": email})


async def ask(web: WebProcess, email: str = EMAIL, **more: Any) -> Answer:
    return await web.guest.post("/api/links", json={"email": email}, **more)


async def use(web: WebProcess, token: str) -> Answer:
    return await web.guest.post("/api/sessions/by_link", json={"token": token})


def later(web: WebProcess, seconds: int) -> None:
    """For all that signing in consists of."""
    here = web.services
    for one in (here.sessions, here.passkeys, here.keyring, here.mailing, here.tidying):
        one._now = lambda: clock.now() + timedelta(seconds=seconds)  # type: ignore[attr-defined]


async def test_an_address_is_confirmed_by_its_mailbox(web: WebProcess) -> None:
    ada = await web.member("ada")
    assert (await ada.put("/api/me/email", json={"email": " Ada@Rooms.example "})).status == 202
    held = (await ada.get("/api/me/sign_in")).json
    assert (held["email"], held["pending_email"]) == (None, EMAIL)
    assert (await ask(web)).status == 202  # nobody has it yet
    (letter,) = await letters(web)
    assert "@ada" in letter.body
    token = token_in(letter, "confirm")
    answer = await web.guest.post("/api/addresses/confirm", json={"token": token})
    assert answer.json == {"handle": "ada", "email": EMAIL}
    again = await web.guest.post("/api/addresses/confirm", json={"token": token})
    assert again.said == (404, "not_found")
    held = (await ada.get("/api/me/sign_in")).json
    assert (held["email"], held["pending_email"]) == (EMAIL, None)
    assert (await ada.put("/api/me/email", json={"email": "no address"})).said == (422, "invalid")


async def test_only_the_last_address_asked_for_can_be_confirmed(web: WebProcess) -> None:
    ada = await web.member("ada")
    for name in ("one", "two"):
        await ada.put("/api/me/email", json={"email": f"{name}@rooms.example"})
    first, second = sorted(await letters(web), key=lambda letter: letter.recipient)
    said = [
        (await web.guest.post("/api/addresses/confirm", json={"token": token_in(one, "confirm")})).status
        for one in (first, second)
    ]
    assert said == [404, 200]


async def test_an_address_is_of_one_account(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    await confirmed(web, ada)
    assert (await bob.put("/api/me/email", json={"email": EMAIL})).status == 202  # who asks is told nothing
    (letter,) = await letters(web)
    answer = await web.guest.post("/api/addresses/confirm", json={"token": token_in(letter, "confirm")})
    assert answer.said == (409, "address_taken")
    assert (await bob.get("/api/me/sign_in")).json["email"] is None
    assert (await ada.get("/api/me/sign_in")).json["email"] == EMAIL


async def test_a_link_signs_in_once(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    assert (await ask(web, EMAIL.upper(), headers={"Accept-Language": "it"})).status == 202
    (letter,) = await letters(web)
    assert (letter.recipient, letter.subject) == (EMAIL, "Accedi a localhost:8080")
    token = token_in(letter, "link")
    # Whoever only looks at it, as scanners of mail do, uses nothing up: the token is not even in what they fetch.
    for method in ("GET", "HEAD"):
        assert (await web.guest.call(method, "/link")).status in (200, 503)
    signed_in = await use(web, token)
    assert (signed_in.status, signed_in.json["account"]["handle"]) == (201, "ada")
    assert (await use(web, token)).said == (404, "not_found")
    back = Person(web, "ada", token=signed_in.json["token"])
    assert (await back.put("/api/me/password", json={"password": "a new secret"})).status == 204
    body = {"handle": "ada", "password": "a new secret"}
    assert (await web.guest.post("/api/sessions", json=body)).status == 201


async def test_of_two_who_use_a_link_at_once_one_is_in(web: WebProcess) -> None:
    await confirmed(web, await web.member("ada"))
    await ask(web)
    (letter,) = await letters(web)
    said = await asyncio.gather(*(use(web, token_in(letter, "link")) for _ in range(5)))
    assert sorted(answer.status for answer in said) == [201, 404, 404, 404, 404]


async def test_with_one_link_the_others_end(web: WebProcess) -> None:
    await confirmed(web, await web.member("ada"))
    await ask(web)
    await ask(web)
    first, second = await letters(web)
    assert (await use(web, token_in(second, "link"))).status == 201
    assert (await use(web, token_in(first, "link"))).status == 404


async def test_a_link_lives_for_fifteen_minutes(web: WebProcess) -> None:
    await confirmed(web, await web.member("ada"))
    await ask(web)
    (letter,) = await letters(web)
    later(web, 901)
    assert (await use(web, token_in(letter, "link"))).said == (404, "not_found")


async def test_a_link_for_one_thing_is_not_for_another(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    await ask(web)
    (letter,) = await letters(web)
    token = token_in(letter, "link")
    assert (await web.guest.post("/api/addresses/confirm", json={"token": token})).status == 404
    await ada.put("/api/me/email", json={"email": "new@rooms.example"})
    (other,) = await letters(web)
    assert (await use(web, token_in(other, "confirm"))).status == 404
    assert (await use(web, token)).status == 201


async def test_asking_says_nothing_of_who_is_here(web: WebProcess) -> None:
    await confirmed(web, await web.member("ada"))
    known, unknown = await ask(web), await ask(web, "nobody@rooms.example")
    assert (known.status, known.content) == (unknown.status, unknown.content) == (202, b"null")
    assert [letter.recipient for letter in await letters(web)] == [EMAIL]
    assert (await ask(web, "no address")).said == (422, "invalid")


async def test_as_much_is_written_for_an_unknown_address(web: WebProcess) -> None:
    from sqlalchemy import func, select

    from parola.store.tables import mail_links

    await ask(web, "nobody@rooms.example")
    await web.services.mailing.settled()
    async with web.store._database.read() as connection:
        assert (await connection.execute(select(func.count()).select_from(mail_links))).scalar() == 1


async def test_no_more_than_five_links_lie_in_a_mailbox(web: WebProcess) -> None:
    await confirmed(web, await web.member("ada"))
    for _ in range(9):
        assert (await ask(web)).status == 202
    assert len(await letters(web)) == 5
    later(web, 901)  # they hold no longer
    await ask(web)
    (letter,) = await letters(web)
    assert (await use(web, token_in(letter, "link"))).status == 201


async def test_an_address_is_asked_five_times_an_hour_whether_it_is_somebodys(web: WebProcess) -> None:
    ada = await web.member("ada")
    for _ in range(5):
        assert (await ada.put("/api/me/email", json={"email": EMAIL})).status == 202
    assert (await ada.put("/api/me/email", json={"email": EMAIL})).said == (429, "too_many")
    later(web, 901)
    assert (await ada.put("/api/me/email", json={"email": EMAIL})).said == (403, "sign_in_again")
    assert len(await letters(web)) == 5


async def test_who_has_an_address_no_more_has_no_link_to_it(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    await ask(web)
    (old,) = await letters(web)
    await confirmed(web, ada, "new@rooms.example")
    assert (await use(web, token_in(old, "link"))).status == 404
    (told,) = await letters(web)
    assert (told.recipient, told.subject) == (EMAIL, "This is no longer your address at localhost:8080")
    await ask(web)
    assert await letters(web) == []
    await ask(web, "new@rooms.example")
    (letter,) = await letters(web)
    assert (await ada.delete("/api/me/email")).status == 204
    assert (await use(web, token_in(letter, "link"))).status == 404
    assert (await ada.get("/api/me/sign_in")).json["email"] is None
    assert [told.recipient for told in await letters(web)] == ["new@rooms.example"]


async def test_the_old_address_is_written_to_in_the_accounts_language(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    assert (await ada.patch("/api/me", json={"language": "it"})).status == 200
    await confirmed(web, ada, "new@rooms.example")
    assert [told.subject for told in await letters(web)] == [
        "Questo non è più il tuo indirizzo su localhost:8080"
    ]


async def test_a_link_to_an_address_that_is_another_by_now_does_not_hold(web: WebProcess) -> None:
    """As one that was written while the address was replaced."""
    ada = await web.member("ada")
    await confirmed(web, ada)
    await ask(web)
    (letter,) = await letters(web)
    account = await web.store.accounts.by_handle("ada")
    assert account is not None
    await web.store.credentials.set_address(account.id, "new@rooms.example", clock.now())
    assert (await use(web, token_in(letter, "link"))).said == (404, "not_found")


@pytest.mark.parametrize("way", ["password", "first password", "no password", "others"])
async def test_an_address_that_somebody_else_asked_for_ends_with_their_session(
    web: WebProcess, way: str
) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    if way == "first password":
        assert (await ada.delete("/api/me/password")).status == 204
    assert (await ada.put("/api/me/email", json={"email": "thief@rooms.example"})).status == 202
    (letter,) = await letters(web)
    if way in ("password", "first password"):
        assert (await ada.put("/api/me/password", json={"password": "a new secret"})).status == 204
    elif way == "no password":
        assert (await ada.delete("/api/me/password")).status == 204
    else:
        assert (await ada.delete("/api/me/devices")).status == 200
    held = (await ada.get("/api/me/sign_in")).json
    assert (held["email"], held["pending_email"]) == (EMAIL, None)
    answer = await web.guest.post("/api/addresses/confirm", json={"token": token_in(letter, "confirm")})
    assert answer.said == (404, "not_found")


async def test_the_last_way_stays(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    assert (await ada.delete("/api/me/password")).status == 204
    assert (await ada.delete("/api/me/email")).said == (409, "last_way")
    await ask(web)
    (letter,) = await letters(web)
    assert (await use(web, token_in(letter, "link"))).status == 201


async def test_of_two_last_ways_taken_at_once_one_stays(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    said = await asyncio.gather(ada.delete("/api/me/password"), ada.delete("/api/me/email"))
    assert sorted(answer.status for answer in said) == [204, 409]


async def test_a_password_is_changed_by_the_old_one_and_ends_the_other_sessions(web: WebProcess) -> None:
    signed_up = {"handle": "ada", "name": "Ada", "password": "correct horse"}
    ada = Person(web, "ada", token=(await web.guest.post("/api/accounts", json=signed_up)).json["token"])
    there = await web.guest.post("/api/sessions", json={"handle": "ada", "password": "correct horse"})
    other = Person(web, "ada", token=there.json["token"])
    later(web, 601)
    change = {"password": "a new secret"}
    assert (await ada.put("/api/me/password", json=change)).said == (403, "sign_in_again")
    wrong = {**change, "old": "wrong horse"}
    assert (await ada.put("/api/me/password", json=wrong)).said == (401, "wrong_credentials")
    assert (await ada.put("/api/me/password", json={**change, "old": "correct horse"})).status == 204
    assert (await ada.get("/api/me")).status == 200
    assert (await other.get("/api/me")).said == (401, "not_signed_in")
    assert (await ada.put("/api/me/password", json={"password": "short"})).said == (422, "invalid")
    prove = [
        (await ada.post("/api/me/proof", json={"password": p})).status for p in ("wrong one", "a new secret")
    ]
    assert prove == [401, 204]
    assert (await ada.put("/api/me/password", json={"password": "another one"})).status == 204


async def test_a_proof_is_one_thing(web: WebProcess) -> None:
    ada = await web.member("ada")
    for body in ({}, {"ticket": "x"}, {"password": "x", "ticket": "y", "credential": {}}):
        assert (await ada.post("/api/me/proof", json=body)).said == (422, "invalid")


async def test_recovery_codes_hold_once_each(web: WebProcess) -> None:
    ada = await web.member("ada")
    old = (await ada.post("/api/me/recovery_codes")).json["codes"]
    codes = (await ada.post("/api/me/recovery_codes")).json["codes"]
    assert (len(set(codes)), (await ada.get("/api/me/sign_in")).json["recovery_codes"]) == (10, 10)

    async def by(code: str, handle: str = "ada") -> Answer:
        return await web.guest.post("/api/sessions/by_code", json={"handle": handle, "code": code})

    assert (await by(old[0])).said == (401, "wrong_credentials")
    await web.member("bob")
    assert (await by(codes[0], "bob")).said == (401, "wrong_credentials")
    assert (await by(codes[0], "nobody")).said == (401, "wrong_credentials")
    signed_in = await by(f" {codes[0].upper().replace('-', ' ')}")
    assert signed_in.status == 201
    assert (await by(codes[0])).said == (401, "wrong_credentials")
    said = await asyncio.gather(*(by(codes[1]) for _ in range(4)))
    assert sorted(answer.status for answer in said) == [201, 401, 401, 401]
    back = Person(web, "ada", token=signed_in.json["token"])
    assert (await back.get("/api/me/sign_in")).json["recovery_codes"] == 8


async def test_who_is_suspended_gets_in_for_notices_alone(web: WebProcess) -> None:
    ada = await web.member("ada")
    await confirmed(web, ada)
    (code, *_) = (await ada.post("/api/me/recovery_codes")).json["codes"]
    await web.services.administering.suspend(AT_THE_MACHINE, "ada", "shouts")
    await ask(web)
    (letter,) = [one for one in await letters(web) if "/link#" in one.body]
    by_link = await use(web, token_in(letter, "link"))
    by_code = await web.guest.post("/api/sessions/by_code", json={"handle": "ada", "code": code})
    for answer in (by_link, by_code):
        assert (answer.status, answer.json["suspended"]) == (201, True)
        narrow = Person(web, "ada", token=answer.json["token"])
        assert (await narrow.get("/api/me")).said == (403, "suspended")
        assert (await narrow.get("/api/me/notices")).status == 200
    assert (await use(web, token_in(letter, "link"))).said == (404, "not_found")


async def test_devices_are_listed_and_signed_out(web: WebProcess) -> None:
    signed_up = {"handle": "ada", "name": "Ada", "password": "correct horse"}
    body = {"handle": "ada", "password": "correct horse"}
    first = await web.guest.post("/api/accounts", json=signed_up, headers={"User-Agent": CHROME})
    people = [Person(web, "ada", token=first.json["token"])]
    for agent in ("parola/1.0", CHROME, ""):
        answer = await web.guest.post("/api/sessions", json=body, headers={"User-Agent": agent})
        people.append(Person(web, "ada", token=answer.json["token"]))
    ada, tool, other, _ = people
    found = (await ada.get("/api/me/devices")).json["devices"]
    named = {(one["browser"], one["system"], one["current"]) for one in found}
    assert named == {
        ("Chrome", "Linux", True),
        ("parola", None, False),
        ("Chrome", "Linux", False),
        (None, None, False),
    }
    assert all(one["seen_at"].endswith(":00:00.000Z") for one in found)
    (own,) = [one["id"] for one in found if one["current"]]
    (tools,) = [one["id"] for one in found if one["browser"] == "parola"]
    bob = await web.member("bob")
    assert (await bob.delete(f"/api/me/devices/{tools}")).said == (404, "not_found")
    assert (await ada.delete("/api/me/devices/%00")).said == (404, "not_found")
    assert (await ada.delete(f"/api/me/devices/{own}")).said == (409, "own_device")
    assert (await tool.get("/api/me")).status == 200
    async with tool.hears() as stream:
        assert (await ada.delete(f"/api/me/devices/{tools}")).status == 204
        await stream.rest()  # it ends with the session
    assert (await tool.get("/api/me")).status == 401
    assert (await ada.delete("/api/me/devices")).json == {"ended": 2}
    assert (await other.get("/api/me")).status == 401
    assert (await ada.get("/api/me")).status == 200


@pytest.mark.parametrize(("days", "status"), [(89, 200), (91, 401)])
async def test_a_session_ends_when_it_is_not_used_for_ninety_days(
    web: WebProcess, days: int, status: int
) -> None:
    ada = await web.member("ada")
    later(web, days * 24 * 3600)
    assert (await ada.get("/api/me")).status == status


async def test_a_session_that_is_used_goes_on(web: WebProcess) -> None:
    ada = await web.member("ada")
    tidying = web.services.tidying
    for days in (60, 120):
        later(web, days * 24 * 3600)
        assert (await ada.get("/api/me")).status == 200
        await tidying.tidy()
    (one,) = (await ada.get("/api/me/devices")).json["devices"]
    assert one["seen_at"] > clock.now().isoformat()
    later(web, 211 * 24 * 3600)
    tidying._forget_at = 0.0
    await tidying.tidy()
    later(web, 120 * 24 * 3600)
    assert (await ada.get("/api/me")).status == 401  # not even when the clock goes back


async def test_what_is_over_is_forgotten(web: WebProcess) -> None:
    from sqlalchemy import func, select

    from parola.store.tables import ceremonies, mail_links

    async def counted() -> list[int]:
        async with web.store._database.read() as connection:
            tables = (ceremonies, mail_links)
            return [
                int((await connection.execute(select(func.count()).select_from(table))).scalar_one())
                for table in tables
            ]

    await web.guest.post("/api/ceremonies/sign_in")
    await ask(web)
    await web.services.mailing.settled()
    assert await counted() == [1, 1]
    later(web, 3700)
    await web.services.tidying.tidy()
    assert await counted() == [0, 0]
