"""Signing in on the real page: by a passkey that Chromium's virtual authenticator holds, by a link out of the server's
log, by a code; what is changed in the settings; and a device that is signed out from another."""

from __future__ import annotations

import re
import secrets

import pytest
from playwright.async_api import Browser, expect

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, eventually, people
from tests.e2e.looking import look

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(240)]

PASSWORD = "correct horse battery"
_NO_OFFERS = "PublicKeyCredential.isConditionalMediationAvailable = async () => false"


class Authenticator:
    """What Chromium has in place of a phone's or a computer's own (WebAuthn level 3, section 11)."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor

    async def plug_in(self) -> None:
        page = self._visitor.page
        self._session = await page.context.new_cdp_session(page)
        await self._session.send("WebAuthn.enable", {"enableUI": False})
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        answer = await self._session.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self._id = answer["authenticatorId"]

    async def count(self) -> int:
        answer = await self._session.send("WebAuthn.getCredentials", {"authenticatorId": self._id})
        return len(answer["credentials"])

    async def verifies(self, who: bool) -> None:
        given = {"authenticatorId": self._id, "isUserVerified": who}
        await self._session.send("WebAuthn.setUserVerified", given)


async def arrive(chrome: Browser, house: House) -> tuple[Visitor, Authenticator]:
    visitor = await Visitor.arrive(chrome, house.origin)
    authenticator = Authenticator(visitor)
    await authenticator.plug_in()
    return visitor, authenticator


async def sign_up(visitor: Visitor) -> str:
    handle = f"ada_{secrets.token_hex(3)}"
    await visitor.open("/")
    await visitor.page.get_by_test_id("signup-handle").fill(handle)
    await visitor.tap("signup-passkey")
    await visitor.sees("me")
    return handle


def link_in_log(house: House, page: str, seen: set[str]) -> str | None:
    """One that has not been seen before."""
    for found in re.findall(rf"{house.origin}/{page}#[\w-]+", house.log.read_text()):
        if found not in seen:
            seen.add(found)
            return str(found)
    return None


async def next_link(house: House, page: str, seen: set[str]) -> str:
    found: list[str] = []

    def came() -> bool:
        link = link_in_log(house, page, seen)
        found.extend([link] if link else [])
        return bool(found)

    await eventually(came, 20)
    return found[0]


async def test_an_account_by_passkey_and_back_into_it(house: House, chrome: Browser) -> None:
    visitor, authenticator = await arrive(chrome, house)
    await visitor.page.add_init_script(_NO_OFFERS)
    await sign_up(visitor)
    assert await authenticator.count() == 1
    await visitor.tap("sign-out")
    await visitor.tap("sign-in")
    await visitor.tap("signin-passkey")
    await visitor.sees("me")
    await visitor.tap("sign-out")
    # Who is not verified, or changes their mind, is told so and may go on by other ways.
    await authenticator.verifies(False)
    await visitor.tap("sign-in")
    await visitor.tap("signin-passkey")
    await visitor.sees("form-fault", 70)
    await visitor.sees("signin-password")
    assert visitor.problems == []


async def test_the_browser_offers_a_passkey_where_the_handle_is_typed(house: House, chrome: Browser) -> None:
    visitor, _ = await arrive(chrome, house)
    handle = await sign_up(visitor)
    await visitor.tap("sign-out")
    await visitor.tap("sign-in")  # and nothing else: whoever is asked by the virtual authenticator agrees
    await visitor.sees("me")
    assert handle in str(await visitor.page.get_by_test_id("me").get_attribute("href"))
    assert visitor.problems == []


async def test_a_browser_without_passkeys_signs_up_and_in_by_password(house: House, chrome: Browser) -> None:
    visitor = await Visitor.arrive(chrome, house.origin)
    await visitor.page.add_init_script("delete window.PublicKeyCredential")
    handle = f"bob_{secrets.token_hex(3)}"
    await visitor.open("/")
    await visitor.page.get_by_test_id("signup-handle").fill(handle)
    assert not await visitor.page.get_by_test_id("signup-passkey").is_visible()
    await visitor.page.get_by_test_id("signup-password").fill(PASSWORD)
    await visitor.tap("signup-submit")
    await visitor.sees("me")
    await visitor.open("/settings")
    await visitor.sees("password-set")
    assert not await visitor.page.get_by_test_id("passkey-add").is_visible()
    await visitor.page.get_by_test_id("sign-out").first.click()
    await visitor.page.get_by_test_id("signin-handle").first.fill(handle)
    await visitor.page.get_by_test_id("signin-password").first.fill(PASSWORD)
    await visitor.page.get_by_test_id("signin-submit").first.click()
    await visitor.sees("sign-in-section")
    assert visitor.problems == []


async def test_an_address_a_link_out_of_the_log_and_a_code(house: House, chrome: Browser) -> None:
    visitor, _ = await arrive(chrome, house)
    handle, seen = await sign_up(visitor), set[str]()
    email = f"{handle}@rooms.example"
    await visitor.open("/settings")
    await look(visitor.page, "settings")
    await visitor.tap("address-set")
    await visitor.page.get_by_test_id("address-new").fill(email)
    await visitor.tap("address-save")
    await visitor.sees("address-pending")
    confirming = await next_link(house, "confirm", seen)
    reader = await Visitor.arrive(chrome, house.origin)  # mail is read on another device
    await reader.page.goto(confirming)
    await reader.tap("confirm")
    await reader.sees("confirmed")
    await visitor.page.reload()
    await visitor.sees("address")
    await visitor.tap("codes-make")
    await visitor.sees("codes")
    await look(visitor.page, "settings-codes")
    code = await visitor.page.get_by_test_id("codes").locator("code").first.inner_text()
    await visitor.tap("codes-kept")
    await expect(visitor.page.get_by_test_id("codes-left")).to_contain_text("10")

    await reader.open("/")
    await reader.tap("sign-in")
    await reader.sees("signin-passkey")
    await look(reader.page, "sign-in")
    await reader.tap("to-link")
    await reader.page.get_by_test_id("link-email").fill(email)
    await reader.tap("link-send")
    await reader.sees("link-sent")
    link = await next_link(house, "link", seen)
    fetched = await reader.page.request.get(link)  # as a scanner of mail does
    assert fetched.ok
    await reader.page.goto(link)
    await reader.sees("link-enter")
    await look(reader.page, "link")
    await reader.tap("link-enter")
    await reader.sees("link-settings")
    await reader.tap("link-settings")
    await reader.tap("password-set")
    await reader.page.get_by_test_id("password-new").fill(PASSWORD)
    await reader.tap("password-save")
    await reader.sees("password-remove")
    await reader.page.goto("about:blank")
    await reader.page.goto(link)
    await reader.tap("link-enter")
    await reader.sees("link-email")  # it is used up, and another can be asked for

    third = await Visitor.arrive(chrome, house.origin)
    await third.open("/")
    await third.tap("sign-in")
    await third.tap("to-code")
    await third.page.get_by_test_id("signin-handle").first.fill(handle)
    await third.page.get_by_test_id("signin-code").fill(code.upper().replace("-", " "))
    await third.tap("signin-submit")
    await third.sees("me")
    assert visitor.problems == reader.problems == third.problems == []


async def test_passkeys_are_added_named_and_deleted_by_who_proves_it(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        visitor, authenticator = await arrive(chrome, house)
        await visitor.use_token(str(ada.token))
        # As after ten minutes: the page asks who it is, and goes on.
        await visitor.page.route("**/api/ceremonies/add", refuse_once())
        await visitor.open("/settings")
        await visitor.tap("passkey-add")
        await visitor.sees("proof")
        await look(visitor.page, "proof")
        await visitor.page.get_by_test_id("prove-password").fill("wrong horse battery")
        await visitor.tap("prove-submit")
        await visitor.sees("proof-fault")
        await visitor.page.get_by_test_id("prove-password").fill(PASSWORD)
        await visitor.tap("prove-submit")
        await visitor.sees("passkey-name")
        assert await authenticator.count() == 1
        await visitor.tap("passkey-rename")
        await visitor.page.get_by_test_id("passkey-new-name").fill("My <i>blue</i> key")
        await visitor.tap("passkey-save")
        await visitor.page.get_by_text("My <i>blue</i> key").first.wait_for()
        await visitor.tap("password-remove")
        await visitor.sees_no("password-remove")
        await visitor.tap("passkey-delete")
        await visitor.tap("passkey-delete-sure")
        await visitor.page.get_by_test_id("notice").filter(has_text="Add another way first").wait_for()
        await visitor.sees("passkey-name")
        assert visitor.problems == []


async def test_a_device_is_signed_out_and_its_room_page_notices(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "A room"})
        handle = str((await ada.call("GET", "/api/me"))["handle"])
        laptop, phone = Api(house.origin), await Visitor.arrive(chrome, house.origin)
        async with laptop:
            await phone.use_token(await laptop.sign_in(handle, PASSWORD))
            await phone.open(f"/r/{room['id']}")
            await phone.sees("me")
            desk = await Visitor.arrive(chrome, house.origin)
            await desk.use_token(str(ada.token))
            await desk.open("/settings")
            await desk.sees("device")
            assert await desk.page.get_by_test_id("device").count() == 3 - 1
            await look(desk.page, "devices")
            await desk.tap("device-out")
            await desk.sees_no("device-out")
            await phone.page.get_by_test_id("notice").filter(has_text="You are signed out").wait_for()
            await phone.sees("sign-in")
            await phone.sees_no("me")
            assert desk.problems == phone.problems == []


def refuse_once():  # type: ignore[no-untyped-def]
    refused = False

    async def handle(route):  # type: ignore[no-untyped-def]
        nonlocal refused
        if refused:
            await route.continue_()
            return
        refused = True
        body = '{"status": 403, "code": "sign_in_again", "title": "Forbidden", "detail": "", "type": "about:blank"}'
        await route.fulfill(status=403, content_type="application/problem+json", body=body)

    return handle
