"""What Parola writes to people, in their language."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from parola.store import Letter, Reader

_INVITATION = {
    "en": (
        "Your invitation to {host}",
        "Hello,\n\n"
        "it is your turn: with this link you can make an account at {host}, open live rooms and speak in them.\n\n"
        "    {link}\n\n"
        "It is for one account, and holds for 14 days. If you did not ask for it, there is nothing to do.\n",
    ),
    "it": (
        "Il tuo invito a {host}",
        "Ciao,\n\n"
        "è il tuo turno: con questo link puoi creare un account su {host}, aprire stanze dal vivo e parlarci.\n\n"
        "    {link}\n\n"
        "Vale per un solo account e per 14 giorni. Se non l’hai chiesto, non devi fare nulla.\n",
    ),
}
_STARTED = {
    "en": (
        "{name} is live: {title}",
        "Hello,\n\n"
        "{name} (@{handle}) has started a room at {host}:\n\n"
        "    {title}\n"
        "    {link}\n\n"
        "You follow them and asked for mail about it. No more of these: {unsubscribe}\n",
    ),
    "it": (
        "{name} è dal vivo: {title}",
        "Ciao,\n\n"
        "{name} (@{handle}) ha aperto una stanza su {host}:\n\n"
        "    {title}\n"
        "    {link}\n\n"
        "Segui questa persona e hai chiesto di saperlo per posta. Per non riceverne più: {unsubscribe}\n",
    ),
}
LANGUAGES = tuple(_INVITATION)


def invitation(recipient: str, language: str, public_url: str, code: str) -> Letter:
    subject, body = _INVITATION.get(language, _INVITATION["en"])
    words = {"host": public_url.partition("://")[2], "link": f"{public_url}/i/{code}"}
    return Letter(secrets.token_urlsafe(16), recipient, subject.format(**words), body.format(**words))


@dataclass(frozen=True, slots=True)
class Start:
    """What is told of a room that has started."""

    room_id: str
    title: str
    handle: str
    name: str


def started(start: Start, to: Reader, recipient: str, public_url: str, unsubscribe: str) -> Letter:
    """`unsubscribe` is the address that ends such letters to this reader."""
    subject, body = _STARTED.get(to.language, _STARTED["en"])
    words = {
        "name": start.name,
        "handle": start.handle,
        "title": start.title,
        "host": public_url.partition("://")[2],
        "link": f"{public_url}/r/{start.room_id}",
        "unsubscribe": unsubscribe,
    }
    return Letter(
        secrets.token_urlsafe(16),
        recipient,
        subject.format(**words),
        body.format(**words),
        room_id=start.room_id,
        account_id=to.account_id,
        unsubscribe=unsubscribe,
    )
