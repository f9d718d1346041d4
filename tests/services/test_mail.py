"""Letters go out once, come back later where a server refuses, and end with it where it refuses for good."""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest
import structlog

from parola.services.mail import AGAIN_AFTER_S, Mailer, into_the_log, over_smtp
from parola.store import Letter, Store

LETTER = Letter("letter", "ada@rooms.example", "Come in – ora", "Ciao,\n\n.\nhttp://localhost/i/CODE\n")


class Clock:
    """Virtual time."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 2, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def ms(self) -> int:
        return int(self.now.timestamp() * 1000)


class Post:
    """What was sent; `trouble` is raised in place of sending."""

    def __init__(self) -> None:
        self.sent: list[EmailMessage] = []
        self.trouble: OSError | None = None

    def __call__(self, message: EmailMessage) -> None:
        if self.trouble is not None:
            raise self.trouble
        self.sent.append(message)


async def test_a_letter_goes_once_whoever_looks(store: Store) -> None:
    clock, post = Clock(), Post()
    await store.outbox.put([LETTER, Letter("other", "bob@rooms.example", "S", "B")], clock.ms())
    mailers = [Mailer(store, clock, post, "parola@rooms.example") for _ in range(4)]
    await asyncio.gather(*(mailer.work() for mailer in mailers))
    assert sorted(message["To"] for message in post.sent) == ["ada@rooms.example", "bob@rooms.example"]
    clock.now += timedelta(days=30)
    assert not await mailers[0].work(), "nothing is kept of what was sent"


async def test_it_is_tried_again_later_and_later_and_then_no_more(store: Store) -> None:
    clock, post = Clock(), Post()
    mailer = Mailer(store, clock, post, "parola@rooms.example")
    await store.outbox.put([LETTER], clock.ms())
    post.trouble = ConnectionRefusedError("nobody there")
    for wait in AGAIN_AFTER_S:
        assert await mailer.work()
        clock.now += timedelta(seconds=wait - 1)
        assert not await mailer.work()
        clock.now += timedelta(seconds=1)
    assert await mailer.work()
    clock.now += timedelta(days=30)
    post.trouble = None
    assert not await mailer.work()
    assert post.sent == []


@pytest.mark.parametrize(
    ("trouble", "final"),
    [
        (smtplib.SMTPRecipientsRefused({"ada@rooms.example": (550, b"no such user")}), True),
        (smtplib.SMTPRecipientsRefused({"ada@rooms.example": (450, b"later")}), False),
        (smtplib.SMTPDataError(554, b"spam"), True),
        (smtplib.SMTPAuthenticationError(535, b"wrong"), False),
        (smtplib.SMTPServerDisconnected("gone"), False),
    ],
)
async def test_what_is_refused_for_good(store: Store, trouble: OSError, final: bool) -> None:
    clock, post = Clock(), Post()
    mailer = Mailer(store, clock, post, "parola@rooms.example")
    await store.outbox.put([LETTER], clock.ms())
    post.trouble = trouble
    await mailer.work()
    post.trouble = None
    clock.now += timedelta(hours=1)
    await mailer.work()
    assert (post.sent == []) is final


async def test_a_letter_that_cannot_be_written_keeps_no_other_back(store: Store) -> None:
    now, sent = Clock(), []
    broken = Letter("broken", "ada@rooms.example", "Two\nlines", "Ciao\n")
    await store.outbox.put([broken, LETTER], now.ms())
    mailer = Mailer(store, now, lambda message: sent.append(message["Subject"]), "parola@rooms.example")
    assert await mailer.work()
    assert sent == [LETTER.subject]
    now.now += timedelta(days=3)
    assert not await mailer.work(), "nobody tries it any more"


async def test_who_dies_with_a_letter_leaves_it_to_others(store: Store) -> None:
    clock, post = Clock(), Post()
    await store.outbox.put([LETTER], clock.ms())
    assert len(await store.outbox.take(clock.ms(), clock.ms() + 1000, 10)) == 1
    mailer = Mailer(store, clock, post, "parola@rooms.example")
    assert not await mailer.work()
    clock.now += timedelta(seconds=1)
    assert await mailer.work()
    assert len(post.sent) == 1


async def test_without_a_server_it_stands_in_the_log(store: Store) -> None:
    clock = Clock()
    await store.outbox.put([LETTER], clock.ms())
    with structlog.testing.capture_logs() as said:
        into_the_log(Mailer(store, clock, into_the_log, "parola@rooms.example")._message(LETTER))
    assert said[0]["event"] == "mail.written"
    assert "http://localhost/i/CODE" in said[0]["text"]


@contextlib.asynccontextmanager
async def smtp_server(*extensions: str) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port on which something speaks just enough of SMTP, and what it was told."""
    told: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        in_data = False
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            told.append(line.rstrip(b"\r\n"))
            if in_data:
                in_data = line != b".\r\n"
                answer = b"" if in_data else b"250 kept\r\n"
            elif line.upper().startswith(b"EHLO"):
                offered = b"".join(b"250-%s\r\n" % e.encode() for e in extensions)
                answer = b"250-here\r\n" + offered + b"250 8BITMIME\r\n"
            elif line.upper().startswith(b"QUIT"):
                answer = b"221 bye\r\n"
            elif line.upper().startswith(b"DATA"):
                in_data, answer = True, b"354 go on\r\n"
            else:
                answer = b"235 fine\r\n" if line.upper().startswith(b"AUTH") else b"250 fine\r\n"
            writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], told


async def test_over_smtp(store: Store) -> None:
    clock = Clock()
    async with smtp_server("AUTH PLAIN") as (port, told):
        mailer = Mailer(store, clock, over_smtp(f"smtp://me:s%40y@127.0.0.1:{port}"), "parola@rooms.example")
        await store.outbox.put([LETTER], clock.ms())
        assert await mailer.work()
    assert any(line.lower().startswith(b"mail from:<parola@rooms.example>") for line in told)
    assert any(line.lower() == b"rcpt to:<ada@rooms.example>" for line in told)
    assert any(line.startswith(b"AUTH PLAIN") for line in told)
    assert b"To: ada@rooms.example" in told
    assert b"http://localhost/i/CODE" in told
    assert b".." in told, "a lonely dot is not the end"
    clock.now += timedelta(days=2)
    assert not await mailer.work()
