"""How one is told of a start, on the real page: the choices, what a browser that reaches no push service says, and the
notice that its worker shows, from the message to the room."""

from __future__ import annotations

import base64
import json
import secrets
from typing import Any

import pytest
from playwright.async_api import Browser, CDPSession, Page

from tests.e2e.browsing import Visitor
from tests.e2e.house import House, eventually, handle_of, people
from tests.e2e.looking import look, visiting
from tests.push_service import Browser as Subscription

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(240)]

_SUBSCRIBED = """given => {
  const bytes = text => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), c => c.charCodeAt(0));
  let made = null;
  PushManager.prototype.subscribe = async options => {
    made = {endpoint: given.endpoint, options: {applicationServerKey: bytes(options.applicationServerKey).buffer},
            toJSON: () => given, unsubscribe: async () => { made = null; return true; }};
    return made;
  };
  PushManager.prototype.getSubscription = async () => made;
}"""
"""A push service that Chromium has no network to reach, as far as the page sees of it."""
_TAPPED = """async path => {
  const shown = await self.registration.getNotifications();
  const notification = shown.find(one => one.data.path === path);
  self.dispatchEvent(new NotificationEvent("notificationclick", {notification}));
}"""
_SHOWN = """async () => (await (await navigator.serviceWorker.ready).getNotifications())
  .map(({title, body, tag, lang, data}) => ({title, body, tag, lang, data}))"""


async def ready(visitor: Visitor) -> CDPSession:
    """Its worker is there, and notices are allowed."""
    await visitor.page.context.grant_permissions(["microphone", "notifications"], origin=visitor.origin)
    await visitor.open("/settings")
    await visitor.page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
    return await visitor.page.context.new_cdp_session(visitor.page)


async def bring(cdp: CDPSession, origin: str, said: object) -> None:
    """A push message, as it comes to the worker."""
    found: list[Any] = []

    def note(event: Any) -> None:
        found.extend(one for one in event["registrations"] if not one["isDeleted"])

    cdp.on("ServiceWorker.workerRegistrationUpdated", note)
    await cdp.send("ServiceWorker.enable")
    await eventually(lambda: found)
    await cdp.send(
        "ServiceWorker.deliverPushMessage",
        {"origin": origin, "registrationId": found[0]["registrationId"], "data": json.dumps(said)},
    )
    await cdp.send("ServiceWorker.disable")


async def shown(page: Page) -> list[dict[str, Any]]:
    return list(await page.evaluate(_SHOWN))


async def _none_shown(page: Page) -> bool:
    return await shown(page) == []


async def test_choices_and_a_browser_that_reaches_no_push_service(house: House, chrome: Browser) -> None:
    async with people(house, "bob") as (bob,), visiting(house, chrome, bob) as his:
        await ready(his)
        await his.page.reload()
        await his.sees("notices-push")
        await his.page.get_by_test_id("notices-in-page").uncheck()
        await eventually(lambda: _wish(bob, "in_page", False))
        assert await his.page.get_by_test_id("notices-email").is_disabled()
        await his.page.get_by_test_id("notices-push").click()
        await his.sees("notices-fault", 30)
        assert not await his.page.get_by_test_id("notices-push").is_checked()
        await look(his.page, "settings-notices")
        await his.page.get_by_test_id("language").select_option("it")
        await his.page.get_by_role("heading", name="Avvisi").wait_for()
        assert his.problems == []


async def test_on_this_device_from_the_switch_to_the_room(house: House, chrome: Browser) -> None:
    raw = secrets.token_urlsafe(8)
    subscription = Subscription(f"https://1.1.1.1/{raw}").subscription()
    async with people(house, "ada", "bob") as (ada, bob), visiting(house, chrome, bob) as his:
        await bob.call("PUT", f"/api/accounts/{await handle_of(ada)}/follow")
        cdp = await ready(his)
        await his.page.evaluate(_SUBSCRIBED, subscription)
        await his.page.get_by_test_id("notices-push").check()
        await his.sees("notices-test")
        await eventually(lambda: _wish(bob, "browsers", 1))
        room = await ada.call("POST", "/api/rooms", {"title": "Über alles 🎙️"})
        handle = await handle_of(ada)
        said = {
            "kind": "room.started",
            "language": "it",
            "room": {"id": room["id"], "title": room["title"]},
            "host": {"handle": handle, "name": "Ada"},
        }
        await bring(cdp, house.origin, said)
        await eventually(lambda: shown(his.page), 30)
        (notice,) = await shown(his.page)
        assert notice == {
            "title": "\u2068Ada\u2069 è dal vivo",
            "body": "Über alles 🎙️",
            "tag": f"room:{room['id']}",
            "lang": "it",
            "data": {"path": f"/r/{room['id']}"},
        }
        (worker,) = his.page.context.service_workers
        await worker.evaluate(_TAPPED, f"/r/{room['id']}")
        await his.sees("room-title")
        assert his.page.url.endswith(f"/r/{room['id']}")
        await eventually(lambda: _none_shown(his.page))
        assert his.problems == []


async def test_switched_off_again_the_server_knows_of_nobody(house: House, chrome: Browser) -> None:
    subscription = Subscription("https://1.1.1.1/off").subscription()
    async with people(house, "bob") as (bob,), visiting(house, chrome, bob) as his:
        await ready(his)
        await his.page.evaluate(_SUBSCRIBED, subscription)
        await his.page.get_by_test_id("notices-push").check()
        await eventually(lambda: _wish(bob, "browsers", 1))
        await his.page.get_by_test_id("notices-push").uncheck()
        await eventually(lambda: _wish(bob, "browsers", 0))
        await his.sees_no("notices-test")
        assert his.problems == []


async def test_a_bell_for_one_host_and_a_refusal_by_the_browser(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob), visiting(house, chrome, bob) as his:
        handle = await handle_of(ada)
        await bob.call("PUT", f"/api/accounts/{handle}/follow")
        await his.open(f"/@{handle}")
        bell = his.page.get_by_test_id("bell")
        await bell.click()
        await his.page.get_by_test_id("bell").and_(his.page.locator("[aria-pressed=false]")).wait_for()
        assert not (await bob.call("GET", f"/api/accounts/{handle}"))["bell"]
        await look(his.page, "profile-bell-off")
        await his.open("/settings")
        await his.page.evaluate("() => navigator.serviceWorker.ready.then(() => true)")
        await his.page.reload()
        state = his.page.get_by_test_id("notices-push-state")
        await state.filter(
            has_text="was told not to"
        ).wait_for()  # headless Chromium refuses where nobody allows
        assert await his.page.get_by_test_id("notices-push").is_disabled()
        await look(his.page, "settings-notices-refused")


async def test_the_link_of_a_letter_ends_mail_at_a_tap(house: House, chrome: Browser) -> None:
    async with visiting(house, chrome) as guest:
        await guest.open("/unsubscribe/nobody.nothing")
        await guest.sees("unsubscribe")
        await look(guest.page, "unsubscribe")
        await guest.tap("unsubscribe")
        await guest.page.get_by_role("alert").wait_for()
        account_id = base64.urlsafe_b64encode(b"somebody").decode()
        await guest.open(f"/unsubscribe/{account_id}.{_signature(house, account_id)}")
        await guest.tap("unsubscribe")
        await guest.sees("unsubscribed")
        assert guest.problems == []


def _signature(house: House, account_id: str) -> str:
    import hmac

    from parola.services.secret import Secret

    key = Secret.kept(house.folder / "data" / "push-key").derived("unsubscribe")
    digest = hmac.digest(key, account_id.encode(), "sha256")
    return base64.urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()


async def _wish(api: Any, name: str, wanted: object) -> bool:
    value = (await api.call("GET", "/api/me/notice_settings"))[name]
    return (len(value) if name == "browsers" else value) == wanted
