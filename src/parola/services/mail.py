"""Sends what lies in the outbox, over SMTP (RFC 5321) or, where no server is named, into the log.

Any number of processes do this side by side. A letter may come twice where one dies between sending and saying so;
none is lost.
"""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from email.utils import formatdate
from urllib.parse import unquote, urlsplit

import structlog

from parola.domain.moments import milliseconds
from parola.services.again import look_again
from parola.services.clock import Clock
from parola.store import Letter, Store

_log = structlog.get_logger(__name__)

Send = Callable[[EmailMessage], None]
"""Raises OSError, of which SMTPException is one."""

AGAIN_AFTER_S = (60, 300, 1800, 7200, 21_600, 43_200, 86_400)
"""After so many failures nobody tries any more."""
_TAKEN_FOR_S = 300
_TIMEOUT_S = 20.0
_EVERY_S = 5.0
_AT_ONCE = 10
_LONGEST_REASON = 300


class Mailer:
    """`sender` is the address that letters come from."""

    def __init__(self, store: Store, now: Clock, send: Send, sender: str) -> None:
        self._store = store
        self._now = now
        self._send = send
        self._sender = sender
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mail")

    async def run(self) -> None:
        await look_again("mail", self._send_all, _EVERY_S)

    async def _send_all(self) -> None:
        while await self.work():
            pass

    async def work(self) -> bool:
        """Sends what is due now, some of it; whether there was anything. Raises StoreUnavailable."""
        now = self._ms()
        taken = await self._store.outbox.take(now, now + _TAKEN_FOR_S * 1000, _AT_ONCE)
        for letter in taken:
            await self._try(letter)
        return bool(taken)

    async def _try(self, letter: Letter) -> None:
        if letter.room_id is not None and not await self._store.rounds.may_read(
            letter.room_id, letter.account_id or ""
        ):
            await self._store.outbox.sent(letter.id)  # the room is over, or it is nothing for them any more
            return
        try:
            message = self._message(letter)
        except ValueError as error:  # what is no header, or no address, does not become one
            _log.exception("mail.not_written", letter=letter.id)
            await self._store.outbox.failed(letter.id, f"{type(error).__name__}: {error}", None)
            return
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._send, message)
        except OSError as error:
            reason = f"{type(error).__name__}: {error}"[:_LONGEST_REASON]
            again_at = None
            if letter.tries <= len(AGAIN_AFTER_S) and not _is_final(error):
                again_at = self._ms() + AGAIN_AFTER_S[letter.tries - 1] * 1000
            _log.warning(
                "mail.failed", letter=letter.id, tries=letter.tries, final=again_at is None, reason=reason
            )
            await self._store.outbox.failed(letter.id, reason, again_at)
            return
        await self._store.outbox.sent(letter.id)

    def _message(self, letter: Letter) -> EmailMessage:
        message = EmailMessage()
        message["From"] = f"Parola <{self._sender}>"
        message["To"] = letter.recipient
        message["Subject"] = letter.subject
        message["Date"] = formatdate(self._now().timestamp())
        # The same each time, so that a letter that comes twice is known as one.
        message["Message-ID"] = f"<{letter.id}@{self._sender.partition('@')[2]}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe is not None:
            message["List-Unsubscribe"] = f"<{letter.unsubscribe}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"  # RFC 8058
        message.set_content(letter.body)
        return message

    def _ms(self) -> int:
        return milliseconds(self._now())


def into_the_log(message: EmailMessage) -> None:
    """For development: whoever reads the log can follow the link."""
    _log.info("mail.written", to=message["To"], subject=message["Subject"], text=message.get_content())


def over_smtp(url: str, context: ssl.SSLContext | None = None) -> Send:
    """`url` as PAROLA_SMTP_URL has it: `smtps://` is TLS from the first byte, `smtp://` goes over to TLS where the
    server can. A password is only ever said within TLS, or to this very machine."""
    parts = urlsplit(url)
    host, secure = parts.hostname or "localhost", parts.scheme == "smtps"
    port = parts.port or (465 if secure else 587 if parts.username else 25)
    trust = context or ssl.create_default_context()

    def send(message: EmailMessage) -> None:
        with (
            smtplib.SMTP_SSL(host, port, timeout=_TIMEOUT_S, context=trust)
            if secure
            else smtplib.SMTP(host, port, timeout=_TIMEOUT_S)
        ) as server:
            server.ehlo()
            private = secure
            if not secure and server.has_extn("starttls"):
                server.starttls(context=trust)
                private = True
            if parts.username is not None:
                if not private and host not in ("localhost", "127.0.0.1", "::1"):
                    raise smtplib.SMTPNotSupportedError("the server offers no TLS, so it is told no password")
                server.login(unquote(parts.username), unquote(parts.password or ""))
            server.send_message(message)

    return send


def _is_final(error: OSError) -> bool:
    """What the server refuses for good (RFC 5321, section 4.2.1)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    is_login = isinstance(error, smtplib.SMTPAuthenticationError)  # the operator can mend that
    return isinstance(error, smtplib.SMTPResponseException) and error.smtp_code >= 500 and not is_login
