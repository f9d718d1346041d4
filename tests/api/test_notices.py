"""How one is told of rooms that start, by the calls of the protocol: choices, browsers, bells, and the end of mail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection
from pathlib import Path
from typing import Any

import pytest

from parola.outbound import Outbound
from parola.store import Store
from tests.push_service import Browser, PushService, decoded
from tests.web_process import Person, WebProcess

FAR = "https://1.1.1.1/push/abc"


class Addresses:
    """Of whoever a test names, by account id."""

    def __init__(self) -> None:
        self.of: dict[str, str] = {}

    async def confirmed(self, account_ids: Collection[str]) -> dict[str, str]:
        return {id: self.of[id] for id in account_ids if id in self.of}


@pytest.fixture
def addresses() -> Addresses:
    return Addresses()


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with PushService.go() as service:
        yield service


@pytest.fixture
async def web(
    store: Store, tmp_path: Path, addresses: Addresses, service: PushService
) -> AsyncIterator[WebProcess]:
    outbound = Outbound({service.origin})
    async with WebProcess.go(store, tmp_path, outbound=outbound, addresses=addresses) as web:
        yield web


async def subscribed(person: Person, browser: Browser, **more: Any) -> str:
    answer = await person.post("/api/me/push", json=browser.subscription(**more))
    assert answer.status == 201, answer.content
    return str(answer.json["id"])


async def test_from_the_start_of_a_room_to_the_browser(web: WebProcess, service: PushService) -> None:
    ada, bob = await web.members("ada", "bob")
    await bob.put("/api/accounts/ada/follow")
    key = (await web.guest.get("/api/push/key")).json["key"]
    browser = service.browser()
    await bob.patch("/api/me", json={"language": "it"})
    await subscribed(bob, browser)
    room_id = await ada.opens(title="Adesso")
    await web.services.rounds.work()
    (got,) = browser.got
    assert got.said["room"] == {"id": room_id, "title": "Adesso"}
    assert got.said["language"] == "it"
    assert f"k={key}" in got.headers["authorization"]
    assert len(decoded(key)) == 65


async def test_what_holds_for_who_has_chosen_nothing(web: WebProcess) -> None:
    bob = await web.member("bob")
    wish = {"in_page": True, "email": False, "has_address": False, "browsers": []}
    assert (await bob.get("/api/me/notice_settings")).json == wish


async def test_choices_are_kept_one_by_one(web: WebProcess, addresses: Addresses) -> None:
    bob = await web.member("bob")
    addresses.of[bob.id] = "bob@rooms.example"
    answer = await bob.patch("/api/me/notice_settings", json={"email": True})
    assert (answer.status, answer.json["email"], answer.json["in_page"]) == (200, True, True)
    answer = await bob.patch("/api/me/notice_settings", json={"in_page": False})
    assert (answer.json["email"], answer.json["in_page"]) == (True, False)
    assert (await bob.get("/api/me/notice_settings")).json == answer.json


async def test_mail_needs_a_confirmed_address(web: WebProcess) -> None:
    bob = await web.member("bob")
    assert (await bob.patch("/api/me/notice_settings", json={"email": True})).said == (409, "no_address")
    assert not (await bob.get("/api/me/notice_settings")).json["email"]


@pytest.mark.parametrize("choice", ["in_page", "bell"])
async def test_who_does_not_want_it_in_the_page_is_not_told_there(web: WebProcess, choice: str) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    for one in (bob, carla):
        await one.put("/api/accounts/ada/follow")
    if choice == "in_page":
        await bob.patch("/api/me/notice_settings", json={"in_page": False})
    else:
        await bob.delete("/api/accounts/ada/bell")
    async with bob.hears() as his, carla.hears() as hers:
        await ada.opens()
        assert (await hers.until("room.started")).data["host"]["handle"] == "ada"
        if choice == "in_page":
            await bob.patch("/api/me/notice_settings", json={"in_page": True})
        else:
            await bob.put("/api/accounts/ada/bell")
        second = await ada.opens(title="The second")
        assert (await his.until("room.started")).data["room"]["id"] == second


async def test_a_bell_is_of_a_host_one_follows(web: WebProcess) -> None:
    await web.member("ada")
    bob = await web.member("bob")
    assert (await bob.put("/api/accounts/ada/bell")).said == (409, "not_following")
    assert (await bob.put("/api/accounts/nobody/bell")).said == (404, "not_found")
    await bob.put("/api/accounts/ada/follow")
    assert (await bob.get("/api/accounts/ada")).json["bell"]
    assert (await bob.delete("/api/accounts/ada/bell")).status == 204
    assert not (await bob.get("/api/accounts/ada")).json["bell"]
    await bob.delete("/api/accounts/ada/follow")
    await bob.put("/api/accounts/ada/follow")
    assert (await bob.get("/api/accounts/ada")).json["bell"], "whoever follows anew, hears anew"


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://push.example/x",
        "https://127.0.0.1/x",
        "https://10.0.0.1/x",
        "https://[::ffff:169.254.169.254]/x",
        "https://169.254.169.254/latest",
        "https://me:secret@push.example/x",
        "https://push.example/" + "x" * 3000,
        "https://push.example/ü",
        "https://push.example/\r\nX: y",
        "javascript:alert(1)",
        "https://",
        "",
    ],
)
async def test_an_endpoint_that_is_none_is_refused(store: Store, tmp_path: Path, endpoint: str) -> None:
    async with WebProcess.go(store, tmp_path) as web:
        bob = await web.member("bob")
        answer = await bob.post("/api/me/push", json=Browser(endpoint).subscription())
        assert answer.said == (422, "invalid")
        assert [one["field"] for one in answer.json["errors"]] == ["endpoint"]


async def test_a_name_that_leads_inside_is_refused(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path) as web:
        bob = await web.member("bob")
        answer = await bob.post("/api/me/push", json=Browser("https://localhost/x").subscription())
        assert answer.said == (422, "invalid")


@pytest.mark.parametrize(
    ("keys", "field"),
    [
        ({"p256dh": ""}, "keys.p256dh"),
        ({"p256dh": "AAAA"}, "keys.p256dh"),
        ({"p256dh": "BA" + "A" * 85}, "keys.p256dh"),
        ({"p256dh": "B" * 4000}, "keys.p256dh"),
        ({"p256dh": "ü" * 87}, "keys.p256dh"),
        ({"auth": ""}, "keys.auth"),
        ({"auth": "A" * 100}, "keys.auth"),
    ],
)
async def test_keys_that_are_none_are_refused(web: WebProcess, keys: dict[str, str], field: str) -> None:
    bob = await web.member("bob")
    body = Browser(FAR).subscription()
    body["keys"].update(keys)
    answer = await bob.post("/api/me/push", json=body)
    assert answer.said == (422, "invalid")
    assert [one["field"] for one in answer.json["errors"]] == [field]


async def test_a_browser_is_there_once_and_whose_it_was_last(web: WebProcess, service: PushService) -> None:
    ada, bob = await web.members("ada", "bob")
    browser = service.browser()
    id = await subscribed(ada, browser)
    assert await subscribed(bob, browser) == id
    assert (await ada.get("/api/me/notice_settings")).json["browsers"] == []
    assert [one["id"] for one in (await bob.get("/api/me/notice_settings")).json["browsers"]] == [id]


async def test_a_browser_that_got_another_address_is_there_once(
    web: WebProcess, service: PushService
) -> None:
    bob, eve = await web.members("bob", "eve")
    old, new = service.browser(), service.browser()
    await subscribed(bob, old)
    theirs = await subscribed(eve, service.browser())
    id = await subscribed(bob, new, replaces=old.endpoint)
    assert [one["id"] for one in (await bob.get("/api/me/notice_settings")).json["browsers"]] == [id]
    await subscribed(bob, new, replaces=next(iter(service.browsers.values())).endpoint)
    assert [one["id"] for one in (await eve.get("/api/me/notice_settings")).json["browsers"]] == [theirs]


async def test_browsers_are_taken_back_one_by_one_or_all(web: WebProcess, service: PushService) -> None:
    bob, eve = await web.members("bob", "eve")
    ids = [await subscribed(bob, service.browser()) for _ in range(3)]
    assert (await eve.delete(f"/api/me/push/{ids[0]}")).status == 204
    assert (await bob.delete(f"/api/me/push/{ids[1]}")).status == 204
    left = {one["id"] for one in (await bob.get("/api/me/notice_settings")).json["browsers"]}
    assert left == {ids[0], ids[2]}
    assert (await bob.delete("/api/me/push")).status == 204
    assert (await bob.get("/api/me/notice_settings")).json["browsers"] == []


async def test_so_many_browsers_and_the_oldest_goes(web: WebProcess, service: PushService) -> None:
    bob = await web.member("bob")
    ids = [await subscribed(bob, service.browser()) for _ in range(13)]
    kept = {one["id"] for one in (await bob.get("/api/me/notice_settings")).json["browsers"]}
    assert len(kept) == 10
    assert ids[-1] in kept


async def test_who_signs_out_is_told_no_more(web: WebProcess, service: PushService) -> None:
    ada, bob = await web.members("ada", "bob")
    await bob.put("/api/accounts/ada/follow")
    browser = service.browser()
    await subscribed(bob, browser)
    await bob.delete("/api/sessions/current")
    await ada.opens()
    await web.services.rounds.work()
    assert browser.got == []


async def test_one_can_try_it_out(web: WebProcess, service: PushService) -> None:
    bob, eve = await web.members("bob", "eve")
    fine, gone, hers = service.browser(), service.browser((410, {})), service.browser()
    await bob.patch("/api/me", json={"language": "it"})
    await subscribed(bob, fine)
    await subscribed(bob, gone)
    await subscribed(eve, hers)
    assert (await bob.post("/api/me/notice_settings/test")).json == {"sent": 1, "failed": 1}
    assert [one.said for one in fine.got] == [{"kind": "test", "language": "it"}]
    assert hers.got == []
    assert len((await bob.get("/api/me/notice_settings")).json["browsers"]) == 1
    assert (await (await web.member("dora")).post("/api/me/notice_settings/test")).json == {
        "sent": 0,
        "failed": 0,
    }


async def test_trying_out_is_bounded(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        bob = await web.member("bob")
        answers = [await bob.post("/api/me/notice_settings/test") for _ in range(12)]
        assert [one.status for one in answers] == [200] * 10 + [429] * 2


@pytest.mark.parametrize("way", ["page", "mail program"])
async def test_mail_is_ended_from_the_letter_by_whoever_has_it(
    web: WebProcess, addresses: Addresses, way: str
) -> None:
    ada, bob = await web.members("ada", "bob")
    addresses.of[bob.id] = "bob@rooms.example"
    await bob.put("/api/accounts/ada/follow")
    await bob.patch("/api/me/notice_settings", json={"email": True})
    await ada.opens()
    await web.services.rounds.work()
    (letter,) = await web.store.outbox.take(10**15, 10**15 + 1, 10)
    assert letter.unsubscribe is not None
    path = letter.unsubscribe.partition("//")[2].partition("/")[2]
    if way == "page":
        answer = await web.guest.post(f"/api/{path}")
    else:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await web.guest.post(f"/{path}", content="List-Unsubscribe=One-Click", headers=form)
    assert answer.status == 204
    assert not (await bob.get("/api/me/notice_settings")).json["email"]


async def test_a_link_that_is_only_looked_at_ends_nothing(web: WebProcess, addresses: Addresses) -> None:
    bob = await web.member("bob")
    addresses.of[bob.id] = "bob@rooms.example"
    await bob.patch("/api/me/notice_settings", json={"email": True})
    path = web.services.wishes.unsubscribe_url(bob.id).partition("//")[2].partition("/")[2]
    await web.guest.get(f"/{path}")
    assert (await web.guest.get(f"/api/{path}")).status == 405
    assert (await bob.get("/api/me/notice_settings")).json["email"]


async def test_a_token_of_somebody_else_s_making_ends_nothing(web: WebProcess, addresses: Addresses) -> None:
    bob, eve = await web.members("bob", "eve")
    addresses.of[bob.id] = "bob@rooms.example"
    await bob.patch("/api/me/notice_settings", json={"email": True})
    hers = web.services.wishes.unsubscribe_url(eve.id).rpartition("/")[2]
    signature = hers.rpartition(".")[2]
    for token in (f"{bob.id}.{signature}", f"{bob.id}.", bob.id, ".", "x" * 500, "%C3%BC.%C3%BC", f"{hers}x"):
        assert (await web.guest.post(f"/api/unsubscribe/{token}")).said == (404, "not_found")
    assert (await bob.get("/api/me/notice_settings")).json["email"]


async def test_a_guest_has_none_of_it(web: WebProcess) -> None:
    for method, path in (
        ("GET", "/api/me/notice_settings"),
        ("DELETE", "/api/me/push"),
        ("POST", "/api/me/notice_settings/test"),
    ):
        assert (await web.guest.call(method, path)).said == (401, "not_signed_in")


async def test_a_start_is_answered_while_push_services_take_their_time(
    web: WebProcess, service: PushService
) -> None:
    ada, bob = await web.members("ada", "bob")
    await bob.put("/api/accounts/ada/follow")
    await subscribed(bob, service.browser())
    service.takes_s = 30
    running = asyncio.create_task(web.services.rounds.run())
    await web.services.rounds.start()
    assert json.loads((await ada.post("/api/rooms", json={"title": "Now"})).content)["state"] == "live"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
