"""What any bus must do: the same suite over a real nats-server and over the one in memory."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from parola.bus import Bus, BusUnavailable, Message, NoResponders, RequestTimeout
from parola.bus.memory import MemoryBus
from parola.bus.nats import NatsBus
from tests.bus.server import TOKEN, NatsServer


@dataclass
class Pair:
    """Two users of one bus, which can be taken away."""

    here: Bus
    there: Bus
    server: NatsServer | None

    async def lose(self) -> None:
        if self.server is not None:
            self.server.kill()
            await self._until(connected=False)
        else:
            assert isinstance(self.here, MemoryBus)
            self.here.away = True

    async def bring_back(self) -> None:
        if self.server is not None:
            self.server.start()
            await self._until(connected=True)
        else:
            assert isinstance(self.here, MemoryBus)
            await self.here.reconnect()

    async def _until(self, connected: bool) -> None:
        async with asyncio.timeout(10):
            while self.here.connected != connected or self.there.connected != connected:  # noqa: ASYNC110
                await asyncio.sleep(0.005)  # the other side's view of it has no callback


@pytest.fixture(params=["memory", "nats"])
async def pair(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Pair]:
    if request.param == "memory":
        bus = MemoryBus()
        yield Pair(bus, bus, None)
        await bus.close()
        return
    server = NatsServer(tmp_path)
    server.start()
    here = await NatsBus.connect(server.url, TOKEN)
    there = await NatsBus.connect(server.url, TOKEN)
    yield Pair(here, there, server)
    await here.close()
    await there.close()
    server.kill()


class Inbox:
    """A handler that keeps what it hears, and says `answer` to whoever asks."""

    def __init__(self, answer: bytes | None = None) -> None:
        self.messages: asyncio.Queue[Message] = asyncio.Queue()
        self._answer = answer

    async def __call__(self, message: Message) -> None:
        self.messages.put_nowait(message)
        if self._answer is not None:
            await message.respond(self._answer)

    async def next(self) -> bytes:
        async with asyncio.timeout(5):
            return (await self.messages.get()).data


async def test_everyone_who_listens_hears_it_in_order(pair: Pair) -> None:
    inboxes = [Inbox(), Inbox()]
    await pair.here.subscribe("room.a.events", inboxes[0])
    await pair.there.subscribe("room.a.events", inboxes[1])
    for i in range(100):
        await pair.here.publish("room.a.events", str(i).encode())
    for inbox in inboxes:
        assert [await inbox.next() for _ in range(100)] == [str(i).encode() for i in range(100)]


async def test_wildcards_reach_as_far_as_in_nats(pair: Pair) -> None:
    star, rest, exact = Inbox(), Inbox(), Inbox()
    await pair.there.subscribe("room.*.events", star)
    await pair.there.subscribe("room.>", rest)
    await pair.there.subscribe("room.b.out.main", exact)
    for subject in ("room.a.events", "room.b.out.main", "rooms.a.events", "room"):
        await pair.here.publish(subject, subject.encode())
    assert await star.next() == b"room.a.events"
    assert [await rest.next(), await rest.next()] == [b"room.a.events", b"room.b.out.main"]
    assert await exact.next() == b"room.b.out.main"
    assert star.messages.empty()
    assert rest.messages.empty()


async def test_a_request_is_answered(pair: Pair) -> None:
    inbox = Inbox(answer=b"yes")
    await pair.there.subscribe("media.p.settle", inbox)
    assert await pair.here.request("media.p.settle", b"?", 2.0) == b"yes"
    assert await inbox.next() == b"?"


async def test_requests_that_nobody_hears_fail_at_once(pair: Pair) -> None:
    began = time.monotonic()
    with pytest.raises(NoResponders):
        await pair.here.request("media.none.settle", b"", 30.0)
    assert time.monotonic() - began < 10


async def test_requests_that_nobody_answers_time_out(pair: Pair) -> None:
    await pair.there.subscribe("media.p.settle", Inbox())
    with pytest.raises(RequestTimeout):
        await pair.here.request("media.p.settle", b"", 0.05)


async def test_a_cancelled_request_is_cancelled(pair: Pair) -> None:
    inbox = Inbox()
    await pair.there.subscribe("media.p.settle", inbox)
    request = asyncio.create_task(pair.here.request("media.p.settle", b"", 30.0))
    await inbox.next()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request


async def test_answering_a_message_that_asked_nothing_does_nothing(pair: Pair) -> None:
    inbox = Inbox(answer=b"unasked")
    await pair.there.subscribe("media.gone", inbox)
    await pair.here.publish("media.gone", b"1")
    await pair.here.publish("media.gone", b"2")
    assert [await inbox.next(), await inbox.next()] == [b"1", b"2"]


@pytest.mark.parametrize("failure", [ValueError("a bug"), asyncio.CancelledError()])
async def test_a_handler_that_fails_hears_the_next_message(pair: Pair, failure: BaseException) -> None:
    inbox = Inbox()

    async def handle(message: Message) -> None:
        if message.data == b"bad":
            raise failure
        await inbox(message)

    await pair.there.subscribe("media.gone", handle)
    await pair.here.publish("media.gone", b"bad")
    await pair.here.publish("media.gone", b"good")
    assert await inbox.next() == b"good"


async def test_one_subscription_handles_one_message_after_the_other(pair: Pair) -> None:
    inbox, inside = Inbox(), 0

    async def handle(message: Message) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        for _ in range(3):
            await asyncio.sleep(0)
        inside -= 1
        await inbox(message)

    await pair.there.subscribe("media.gone", handle)
    for i in range(10):
        await pair.here.publish("media.gone", bytes([i]))
    assert [await inbox.next() for _ in range(10)] == [bytes([i]) for i in range(10)]


async def test_two_subscriptions_do_not_wait_for_each_other(pair: Pair) -> None:
    never, inbox = asyncio.Event(), Inbox()

    async def stuck(_message: Message) -> None:
        await never.wait()

    await pair.there.subscribe("media.gone", stuck)
    await pair.there.subscribe("media.gone", inbox)
    await pair.here.publish("media.gone", b"1")
    assert await inbox.next() == b"1"


async def test_a_slow_handler_keeps_the_oldest_and_loses_the_rest(pair: Pair) -> None:
    go, slow, last = asyncio.Event(), Inbox(), Inbox()

    async def handle(message: Message) -> None:
        await go.wait()
        await slow(message)

    await pair.there.subscribe("media.gone", handle, pending=3)
    await pair.there.subscribe("media.last", last)
    await pair.here.publish("media.gone", b"0")
    await pair.here.publish("media.last", b"")
    await last.next()
    await asyncio.sleep(0)
    for i in range(1, 50):
        await pair.here.publish("media.gone", str(i).encode())
    await pair.here.publish("media.last", b"")
    await last.next()
    go.set()
    heard = [await slow.next() for _ in range(4)]
    await pair.here.publish("media.gone", b"new")
    assert heard == [b"0", b"1", b"2", b"3"]
    assert await slow.next() == b"new"


async def test_nothing_more_is_heard_after_unsubscribing(pair: Pair) -> None:
    inbox, other = Inbox(), Inbox()
    subscription = await pair.there.subscribe("media.gone", inbox)
    await pair.there.subscribe("media.gone", other)
    await subscription.unsubscribe()
    await subscription.unsubscribe()
    await pair.here.publish("media.gone", b"1")
    assert await other.next() == b"1"
    assert inbox.messages.empty()


async def test_a_handler_may_end_its_own_subscription(pair: Pair) -> None:
    ended = asyncio.Event()

    async def handle(_message: Message) -> None:
        await subscription.unsubscribe()
        await asyncio.sleep(0)
        ended.set()

    subscription = await pair.there.subscribe("media.gone", handle)
    await pair.here.publish("media.gone", b"1")
    async with asyncio.timeout(5):
        await ended.wait()


async def test_meanwhile_everything_is_refused_at_once(pair: Pair) -> None:
    await pair.there.subscribe("media.p.settle", Inbox(answer=b"yes"))
    await pair.lose()
    began = time.monotonic()
    with pytest.raises(BusUnavailable):
        await pair.here.request("media.p.settle", b"", 30.0)
    with pytest.raises(BusUnavailable):
        await pair.here.publish("media.gone", b"")
    assert time.monotonic() - began < 5


async def test_a_request_in_flight_does_not_wait_for_its_timeout(pair: Pair) -> None:
    inbox = Inbox()
    await pair.there.subscribe("media.p.settle", inbox)
    request = asyncio.create_task(pair.here.request("media.p.settle", b"", 30.0))
    await inbox.next()
    await pair.lose()
    async with asyncio.timeout(10):
        with pytest.raises(BusUnavailable):
            await request


async def test_everything_works_again_afterwards(pair: Pair) -> None:
    before, during, ended, told = Inbox(answer=b"yes"), Inbox(), Inbox(), asyncio.Event()

    async def failing() -> None:
        raise ValueError("a bug in someone else's callback")

    async def tell() -> None:
        assert await pair.here.request("media.p.settle", b"from the callback", 5.0) == b"yes"
        told.set()

    pair.here.on_reconnect(failing)
    pair.here.on_reconnect(tell)
    await pair.here.subscribe("media.p.settle", before)
    subscription = await pair.there.subscribe("media.gone", ended)
    for _ in range(2):
        told.clear()
        await pair.lose()
        late = await pair.there.subscribe("media.gone", during)
        await subscription.unsubscribe()
        await pair.bring_back()
        async with asyncio.timeout(10):
            await told.wait()
        assert await before.next() == b"from the callback"
        await pair.here.publish("media.gone", b"after")
        assert await during.next() == b"after"
        await late.unsubscribe()
    assert ended.messages.empty()


async def test_a_bus_that_is_away_is_closed_though_its_client_takes_a_cancellation_for_its_own(
    tmp_path: Path,
) -> None:
    server = NatsServer(tmp_path)
    server.start()
    bus = await NatsBus.connect(server.url, TOKEN)
    server.kill()
    abandon, abandoning = bus._abandon, asyncio.Event()

    async def deaf() -> None:
        abandoning.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0.5)
        await abandon()

    bus._abandon = deaf  # type: ignore[method-assign]
    await abandoning.wait()
    async with asyncio.timeout(10):
        await bus.close()
