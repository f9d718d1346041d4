"""Who is connected: told as it changes, counted as it changes, and whole again after any message was lost."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from parola.bus import subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import Gone, PresenceChanged
from parola.domain import rooms as r
from parola.media.presence import PAGE, PresenceBook
from parola.services.audience import Audience
from parola.services.presence import SMALL, Lost

ROOM = "room"
ACCOUNTS = [None, None, "ada", "bob", "carla"]
NOW = datetime(2026, 1, 2, tzinfo=UTC)


class Media:
    """A media process's book on a bus, and what is true."""

    def __init__(self, bus: MemoryBus, process_id: str = "p") -> None:
        self.book = PresenceBook(process_id)
        self.bus = bus
        self.process_id = process_id
        self.listeners: dict[str, str | None] = {}
        self.asked = 0

    async def start(self) -> None:
        from parola.bus import Message
        from parola.bus.messages import PresenceOrder

        async def order(message: Message) -> None:
            self.asked += 1
            wanted = PresenceOrder.from_bytes(message.data)
            for room_id in wanted.rooms:
                for page in self.book.pages(room_id):
                    await self.bus.publish(wanted.reply_to, page.to_bytes())

        await self.bus.subscribe(subjects.media(self.process_id, "presence"), order)

    def came(self, name: str, account: str | None) -> None:
        self.listeners[name] = account
        self.book.came(ROOM, f"{self.process_id}.{name}", account, speaks=False)

    def went(self, name: str) -> None:
        del self.listeners[name]
        self.book.went(ROOM, f"{self.process_id}.{name}")

    async def tell(self) -> None:
        for changed in self.book.changes():
            await self.bus.publish(subjects.PRESENCE, changed.to_bytes())
        await self.bus.drained()

    async def tell_heads(self) -> None:
        await self.bus.publish(subjects.PRESENCE, self.book.heads().to_bytes())
        await self.bus.drained()


def room() -> r.Room:
    return r.fold(None, r.create(ROOM, "ada", "A room", r.Access.OPEN, True, None, NOW))


def counted(*processes: Media) -> int:
    """The protocol's words: an account once, each guest's connection once, and nobody with the floor."""
    everybody = [account for media in processes for account in media.listeners.values()]
    return everybody.count(None) + len({a for a in everybody if a is not None} - {"ada"})


async def a_house() -> tuple[MemoryBus, Audience, Media, list[float]]:
    bus, now = MemoryBus(), [0.0]
    audience, media = Audience(bus, lambda: now[0]), Media(bus)
    await audience.start()
    await media.start()
    return bus, audience, media, now


@pytest.mark.parametrize("seed", range(8))
async def test_whatever_is_lost_the_count_is_right_after_the_next_numbers(seed: int) -> None:
    bus, audience, media, now = await a_house()
    other = Media(bus, "q")
    await other.start()
    dice = random.Random(seed)
    for step in range(200):
        for process in (media, other):
            for _ in range(dice.randrange(4)):
                if process.listeners and dice.random() < 0.5:
                    process.went(dice.choice(sorted(process.listeners)))
                else:
                    process.came(str(step * 10 + len(process.listeners)), dice.choice(ACCOUNTS))
            if dice.random() < 0.2:
                bus.lose.add(subjects.PRESENCE)
            await process.tell()
            bus.lose.discard(subjects.PRESENCE)
        if step % 10 == 9:
            now[0] += 5.0
            await media.tell_heads()
            await other.tell_heads()
            await bus.drained()
            assert audience.count(room()) == counted(media, other)
    await bus.close()


async def test_without_losses_nobody_asks_and_each_change_is_told_once() -> None:
    bus, audience, media, _ = await a_house()
    said: list[PresenceChanged] = []
    for i in range(300):
        media.came(str(i), None)
        for changed in list(media.book.changes()):
            said.append(changed)
            await bus.publish(subjects.PRESENCE, changed.to_bytes())
    await bus.drained()
    await media.tell_heads()
    assert audience.count(room()) == 300
    assert media.asked == 0
    assert [len(changed.listeners) for changed in said] == [1] * 300
    assert len(media.book.heads().to_bytes()) < 100
    await bus.close()


async def test_coming_and_going_between_two_words_is_not_worth_one() -> None:
    book = PresenceBook("p")
    book.came(ROOM, "p.1", None, speaks=False)
    book.went(ROOM, "p.1")
    book.went(ROOM, "p.never")
    assert list(book.changes()) == []
    assert book.heads().rooms == {}


async def test_a_web_process_that_begins_late_asks_for_all_in_pages() -> None:
    bus, _, media, _ = await a_house()
    for i in range(2 * PAGE + 1):
        media.came(str(i), None)
    media.book.came(ROOM, "p.s", "ada", speaks=True)
    await media.tell()
    late = Audience(bus, lambda: 0.0)
    await late.start()
    await media.tell_heads()
    await bus.drained()
    assert late.count(room()) == 2 * PAGE + 1
    assert late.connected_speakers(ROOM) == {"ada"}
    await bus.close()


async def test_what_changes_while_pages_are_told_waits_for_their_end() -> None:
    book = PresenceBook("p")
    for i in range(PAGE + 1):
        book.came(ROOM, f"p.{i}", None, speaks=False)
    assert len(list(book.changes())) == 1
    pages = book.pages(ROOM)
    next(pages)
    book.came(ROOM, "p.new", None, speaks=False)
    assert list(book.changes()) == []
    assert [page.is_last for page in pages] == [True]
    assert [changed.listeners for changed in book.changes()] == [[("new", None)]]


async def test_a_room_that_emptied_unheard_is_forgotten() -> None:
    bus, audience, media, now = await a_house()
    media.came("1", None)
    await media.tell()
    bus.lose.add(subjects.PRESENCE)
    media.went("1")
    await media.tell()
    bus.lose.clear()
    assert audience.count(room()) == 1
    now[0] += 5
    await media.tell_heads()
    assert audience.count(room()) == 0
    await bus.close()


async def test_many_who_are_lost_are_not_named_one_by_one() -> None:
    bus, audience, media, _ = await a_house()
    gone: list[Lost] = []
    audience.on_gone(lambda _, lost: gone.append(lost))
    for i in range(SMALL):
        media.came(str(i), None)
    media.came("bobs", "bob")
    await media.tell()
    await bus.publish(subjects.MEDIA_GONE, Gone("p").to_bytes())
    await bus.drained()
    (lost,) = gone
    assert len(lost) == SMALL + 1
    assert lost.named_to(None) == "all"
    assert lost.named_to("bob") == ["p.bobs"]
    assert lost.named_to("carla") == []
    assert audience.count(room()) == 0
    assert audience.lost(ROOM) == [lost]
    await bus.close()
