"""Followers who have no page open are told of a start once, if they may know of it and want to, and only while it goes
on; whoever dies on the way leaves the rest to the others."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from parola.bus.memory import MemoryBus
from parola.domain import rooms as r
from parola.outbound import Outbound
from parola.services import rounds as module
from parola.services.mail import Mailer
from parola.services.pushing import Pusher
from parola.services.rounds import AGAIN_AFTER_S, Rounds
from parola.services.secret import Secret
from parola.store import PUSH, Letter, Store, Subscription
from parola.store.rounds import MAILS_A_DAY
from tests.push_service import Browser, PushService, encoded

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = Secret(encoded(bytes(31) + b"\x07"))


class Addresses:
    """Everybody has one, but for whom a test names."""

    def __init__(self) -> None:
        self.without: set[str] = set()

    async def confirmed(self, account_ids: Collection[str]) -> dict[str, str]:
        return {id: f"{id}@rooms.example" for id in account_ids if id not in self.without}


@dataclass
class Scene:
    """Ada, whom others follow, and what they get."""

    store: Store
    service: PushService
    outbound: Outbound
    now: datetime = NOW
    addresses: Addresses = field(default_factory=Addresses)
    mail: list[EmailMessage] = field(default_factory=list)
    monotonic: float = 0.0

    def __post_init__(self) -> None:
        self.pusher = Pusher(SECRET, self.outbound, "parola@rooms.example", lambda: self.monotonic)
        self.rounds = self.process()
        self.mailer = Mailer(self.store, lambda: self.now, self.mail.append, "parola@rooms.example")

    def process(self) -> Rounds:
        """Another web process, as far as this goes."""
        return Rounds(
            self.store,
            MemoryBus(),
            self.pusher,
            self.addresses,
            lambda: self.now,
            "https://rooms.example",
            lambda account_id: f"https://rooms.example/unsubscribe/{account_id}",
        )

    async def person(self, handle: str) -> str:
        await self.store.accounts.add(handle, handle, handle.title(), "-", NOW)
        await self.store.sessions.add(f"session_{handle}", f"hash_{handle}", handle, NOW)
        return handle

    async def follower(self, handle: str, since: int = 1) -> str:
        await self.person(handle)
        await self.store.relations.follow(handle, "ada", since)
        return handle

    async def browser(
        self, handle: str, *answers: tuple[int, dict[str, str]], language: str = "en"
    ) -> Browser:
        browser = self.service.browser(*answers)
        keys = browser.subscription()["keys"]
        given = Subscription(
            secrets.token_hex(8),
            handle,
            f"session_{handle}",
            browser.endpoint,
            keys["p256dh"],
            keys["auth"],
            1,
        )
        await self._reads(handle, language)
        await self.store.notices.subscribe(given, None)
        return browser

    async def wants_mail(self, handle: str, language: str = "en") -> None:
        await self.store.notices.choose(handle, {"email": True})
        await self._reads(handle, language)

    async def _reads(self, handle: str, language: str) -> None:
        account = await self.store.accounts.by_handle(handle)
        assert account is not None
        await self.store.accounts.update(account, None, None, None, language)

    async def starts(self, title: str = "Talk", access: r.Access = r.Access.OPEN, **more: Any) -> r.Room:
        room_id = secrets.token_urlsafe(16)
        events = r.create(room_id, "ada", title, access, True, None, self.now, **more)
        room = r.fold(None, events)
        await self.store.rooms.create(room, events)
        return room

    async def does(self, room: r.Room, command: r.Command) -> r.Room:
        events = r.decide(room, command, self.now)
        after = r.fold(room, events)
        await self.store.rooms.append(room, events, after)
        return after

    async def passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self.monotonic += seconds

    async def posts(self) -> list[EmailMessage]:
        while await self.mailer.work():
            pass
        return self.mail


@pytest.fixture
async def scene(store: Store) -> AsyncIterator[Scene]:
    async with PushService.go() as service:
        outbound = Outbound({service.origin})
        scene = Scene(store, service, outbound)
        await scene.person("ada")
        yield scene
        await outbound.close()


async def test_a_follower_s_browser_is_told_who_started_what(scene: Scene) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob", language="it")
    room = await scene.starts('Über alles — 🎙️ "<b>"')
    await scene.rounds.work()
    (got,) = browser.got
    assert got.said == {
        "kind": "room.started",
        "language": "it",
        "room": {"id": room.id, "title": 'Über alles — 🎙️ "<b>"'},
        "host": {"handle": "ada", "name": "Ada"},
    }
    assert got.headers["content-encoding"] == "aes128gcm"
    assert 0 < int(got.headers["ttl"]) <= 600
    assert len(got.headers["topic"]) == 32
    assert room.id not in got.headers["topic"]
    await scene.rounds.work()
    assert len(browser.got) == 1, "once"


async def test_all_of_a_person_s_browsers_and_nobody_else_s(scene: Scene) -> None:
    await scene.follower("bob")
    await scene.person("eve")
    his = [await scene.browser("bob"), await scene.browser("bob")]
    hers = [await scene.browser("eve"), await scene.browser("ada")]
    await scene.starts()
    await scene.rounds.work()
    assert [len(one.got) for one in his] == [1, 1]
    assert [len(one.got) for one in hers] == [0, 0], "who does not follow, and who has started it"


@pytest.mark.parametrize("way", ["browser", "mail"])
@pytest.mark.parametrize(
    ("access", "told"),
    [
        (r.Access.OPEN, {"plain", "mutual", "invited"}),
        (r.Access.FOLLOWERS, {"plain", "mutual", "invited"}),
        (r.Access.MUTUALS, {"mutual", "invited"}),
        (r.Access.INVITED, {"invited"}),
        (r.Access.LINK, set()),
    ],
)
async def test_only_who_may_enter_and_wants_to_know_is_told(
    scene: Scene, way: str, access: r.Access, told: set[str]
) -> None:
    names = ("plain", "mutual", "invited", "blocker", "blocked", "hushing", "quiet", "removed", "gone")
    browsers = {}
    for name in names:
        await scene.follower(name)
        browsers[name] = await scene.browser(name)
        await scene.wants_mail(name)
    relations = scene.store.relations
    await relations.follow("ada", "mutual", 1)
    await relations.block("blocker", "ada", 1)
    await relations.block("ada", "blocked", 1)
    await relations.hush("hushing", "ada", 1)
    await relations.set_quiet("quiet", "ada", True)
    await relations.unfollow("gone", "ada")
    room = await scene.starts(access=access)
    room = await scene.does(room, r.Invite("ada", "invited"))
    room = await scene.does(room, r.Remove("ada", "removed"))
    await scene.rounds.work()
    if way == "browser":
        assert {name for name, one in browsers.items() if one.got} == told
    else:
        assert {str(one["To"]).partition("@")[0] for one in await scene.posts()} == told


@pytest.mark.parametrize("way", ["browser", "mail"])
async def test_nothing_is_sent_of_a_room_that_is_over(scene: Scene, way: str) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob")
    await scene.wants_mail("bob")
    room = await scene.starts()
    if way == "mail":
        await scene.rounds.work()
        browser.got.clear()
    await scene.does(room, r.End("ada"))
    await scene.rounds.work()
    assert browser.got == []
    assert await scene.posts() == []
    assert await scene.store.outbox.notices() == 0
    await scene.passes(3600)
    assert await scene.store.rounds.take(10**15, 10**15 + 1, 10) == []


async def test_a_room_that_ends_on_the_way_stops_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 1)
    browsers = []
    for n in range(6):
        await scene.follower(f"b{n}", since=n)
        browsers.append(await scene.browser(f"b{n}"))
    scene.service.takes_s = 0.05
    room = await scene.starts()
    working = asyncio.create_task(scene.rounds.work())
    await scene.service.took(1)
    await scene.does(room, r.End("ada"))
    await working
    assert 1 <= sum(len(one.got) for one in browsers) < 6


async def test_who_dies_on_the_way_leaves_the_rest_to_another(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FOLLOWERS_PER_SLICE", 2)
    browsers = []
    for n in range(7):
        await scene.follower(f"b{n}", since=n // 3)
        browsers.append(await scene.browser(f"b{n}"))
        await scene.wants_mail(f"b{n}")
    await scene.starts()
    scene.service.takes_s = 0.02
    dying = asyncio.create_task(scene.rounds.work())
    await scene.service.took(3)
    for task in scene.rounds._running:
        task.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    before = sum(len(one.got) for one in browsers)
    assert before < 7
    other = scene.process()
    await other.work()
    assert sum(len(one.got) for one in browsers) == before, "it is held by the one that has died"
    await scene.passes(61)
    await other.work()
    assert all(one.got for one in browsers)
    assert sum(len(one.got) for one in browsers) <= 7 + 2, "at most the last slice comes twice"
    assert sorted(str(one["To"]) for one in await scene.posts()) == [f"b{n}@rooms.example" for n in range(7)]


async def test_a_slice_with_very_many_devices_is_cut_between_people(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_PUSHED", 3)
    monkeypatch.setattr(module, "MOST_NOTICES_WAITING", 3)
    browsers = []
    for n in range(5):
        await scene.follower(f"b{n}", since=n // 3)
        browsers += [await scene.browser(f"b{n}") for _ in range(2)]
    await scene.starts()
    await scene.rounds.work()
    assert [len(one.got) for one in browsers] == [1] * 10


async def test_several_processes_tell_each_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FOLLOWERS_PER_SLICE", 3)
    browsers = []
    for n in range(10):
        await scene.follower(f"b{n}")
        browsers.append(await scene.browser(f"b{n}"))
        await scene.wants_mail(f"b{n}")
    for n in range(3):
        await scene.starts(f"Talk {n}")
    await asyncio.gather(*(scene.process().work() for _ in range(4)))
    assert [len(one.got) for one in browsers] == [3] * 10
    assert len(await scene.posts()) == 30


async def test_no_more_than_so_many_at_once(scene: Scene) -> None:
    scene.service.takes_s = 0.02
    for n in range(80):
        await scene.follower(f"b{n}")
        await scene.browser(f"b{n}")
    await scene.starts()
    await scene.rounds.work()
    assert sum(len(one.got) for one in scene.service.browsers.values()) == 80
    assert 2 <= scene.service.most_at_once <= 32


@pytest.mark.parametrize("status", [404, 410])
async def test_a_browser_that_is_gone_is_forgotten(scene: Scene, status: int) -> None:
    await scene.follower("bob")
    await scene.browser("bob", (status, {}))
    stays = await scene.browser("bob")
    await scene.starts()
    await scene.rounds.work()
    (left,) = await scene.store.notices.subscriptions("bob")
    assert left.endpoint == stays.endpoint


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_is_not_taken_now_is_tried_again_when_it_was_said(scene: Scene, status: int) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob", (status, {"Retry-After": "40"}))
    await scene.starts()
    await scene.rounds.work()
    await scene.passes(39)
    await scene.process().work()
    assert browser.asked == 1
    await scene.passes(2)
    await scene.process().work()
    assert len(browser.got) == 1
    await scene.passes(3600)
    await scene.process().work()
    assert browser.asked == 2


async def test_it_is_tried_so_often_and_no_more(scene: Scene) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob", *[(500, {})] * 9)
    await scene.starts()
    for _ in range(20):
        await scene.rounds.work()
        await scene.passes(120)
    assert browser.asked == 1 + len(AGAIN_AFTER_S)
    assert len(await scene.store.notices.subscriptions("bob")) == 1, "the browser itself may be fine"


@pytest.mark.parametrize("what", ["over", "blocked", "unsubscribed"])
async def test_it_is_not_tried_again_for_nothing(scene: Scene, what: str) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob", (503, {}))
    room = await scene.starts()
    await scene.rounds.work()
    if what == "over":
        await scene.does(room, r.End("ada"))
    if what == "blocked":
        await scene.store.relations.block("ada", "bob", 2)
    if what == "unsubscribed":
        await scene.store.notices.unsubscribe("bob", None)
    await scene.passes(300)
    await scene.rounds.work()
    assert browser.asked == 1


async def test_a_service_that_is_away_keeps_nobody_else_waiting(scene: Scene) -> None:
    for n in range(12):
        await scene.follower(f"b{n}")
        await scene.browser(f"b{n}")
        for one in await scene.store.notices.subscriptions(f"b{n}"):
            if n % 2:
                nobody = replace(one, endpoint="http://127.0.0.1:9/x")
                await scene.store.notices.subscribe(nobody, None)
    await scene.starts()
    await scene.rounds.work()
    assert sum(len(one.got) for one in scene.service.browsers.values()) == 6


async def test_mail_goes_to_a_confirmed_address_with_a_way_out(scene: Scene) -> None:
    for name in ("bob", "carla", "dora"):
        await scene.follower(name)
    await scene.wants_mail("bob", "it")
    await scene.wants_mail("carla")
    scene.addresses.without.add("carla")
    room = await scene.starts("Talk")
    await scene.rounds.work()
    (letter,) = await scene.posts()
    assert letter["To"] == "bob@rooms.example"
    assert letter["Subject"] == "Ada è dal vivo: Talk"
    assert letter["List-Unsubscribe"] == "<https://rooms.example/unsubscribe/bob>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    text = letter.get_content()
    assert f"https://rooms.example/r/{room.id}" in text
    assert "https://rooms.example/unsubscribe/bob" in text


async def test_what_somebody_waits_for_comes_before_notices(scene: Scene) -> None:
    await scene.follower("bob")
    await scene.wants_mail("bob")
    await scene.starts()
    await scene.rounds.work()
    later = int((scene.now + timedelta(seconds=1)).timestamp() * 1000)
    await scene.store.outbox.put([Letter("link", "eve@rooms.example", "Your link", "…")], later)
    await scene.passes(2)
    assert [str(one["To"]) for one in await scene.posts()] == ["eve@rooms.example", "bob@rooms.example"]


async def test_so_many_letters_a_day_and_no_more(scene: Scene) -> None:
    await scene.follower("bob")
    await scene.wants_mail("bob")
    for n in range(MAILS_A_DAY + 3):
        await scene.starts(f"Talk {n}")
        await scene.rounds.work()
        await scene.passes(60)
    assert len(await scene.posts()) == MAILS_A_DAY
    await scene.passes(86_400)
    await scene.starts("Tomorrow")
    await scene.rounds.work()
    assert len(await scene.posts()) == MAILS_A_DAY + 1


async def test_letters_are_written_as_they_go_out(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_NOTICES_WAITING", 3)
    for n in range(8):
        await scene.follower(f"b{n}", since=n)
        await scene.wants_mail(f"b{n}")
    await scene.starts()
    seen = []
    for _ in range(6):
        await scene.rounds.work()
        seen.append(await scene.store.outbox.notices())
        await scene.posts()
        await scene.passes(3)
    assert max(seen) == 3
    assert sorted(str(one["To"]) for one in scene.mail) == [f"b{n}@rooms.example" for n in range(8)]


@pytest.mark.parametrize("what", ["blocked", "unfollowed", "no more mail", "quiet"])
async def test_a_letter_that_waits_is_asked_about_again(scene: Scene, what: str) -> None:
    await scene.follower("bob")
    await scene.wants_mail("bob")
    await scene.starts()
    await scene.rounds.work()
    assert await scene.store.outbox.notices() == 1
    if what == "blocked":
        await scene.store.relations.block("bob", "ada", 2)
    if what == "unfollowed":
        await scene.store.relations.unfollow("bob", "ada")
    if what == "no more mail":
        await scene.store.notices.no_mail("bob")
    if what == "quiet":
        await scene.store.relations.set_quiet("bob", "ada", True)
    assert await scene.posts() == []


async def test_a_scheduled_room_is_told_of_when_it_starts(scene: Scene) -> None:
    await scene.follower("bob")
    browser = await scene.browser("bob")
    events = r.create("later", "ada", "Later", r.Access.OPEN, True, NOW + timedelta(hours=1), NOW)
    room = r.fold(None, events)
    await scene.store.rooms.create(room, events)
    await scene.rounds.work()
    assert browser.got == []
    await scene.does(room, r.Start("ada"))
    await scene.rounds.work()
    assert [one.said["room"]["id"] for one in browser.got] == ["later"]


async def test_a_start_takes_two_rows_whatever_the_number_of_followers(scene: Scene) -> None:
    for n in range(20):
        await scene.follower(f"b{n}")
        await scene.browser(f"b{n}")
    await scene.starts()
    rows = await scene.store.rounds.take(10**15, 10**15 + 1, 100)
    assert sorted(one.kind for one in rows) == ["mail", PUSH]


async def test_letters_that_are_stuck_keep_no_push_waiting(scene: Scene) -> None:
    await scene.follower("b")
    await scene.browser("b")
    await scene.starts()
    for one in await scene.store.rounds.take(10**15, 10**15 + 1, 100):
        assert await scene.store.rounds.hold(one, 2 if one.kind == PUSH else 1) is not None
    assert [one.kind for one in await scene.store.rounds.take(10, 20, 1)] == [PUSH]
