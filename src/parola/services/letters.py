"""What Parola writes to people, in their language."""

from __future__ import annotations

import secrets

from parola.store import Letter

_INVITATION = {
    "en": (
        "Your invitation to {host}",
        "Hello,\n\n"
        "it is your turn: with this link you can make an account at {host}, open live rooms and speak in them.\n\n"
        "    {link}\n\n"
        "It is for one account, and holds for {days}. If you did not ask for it, there is nothing to do.\n",
    ),
    "it": (
        "Il tuo invito a {host}",
        "Ciao,\n\n"
        "è il tuo turno: con questo link puoi creare un account su {host}, aprire stanze dal vivo e parlarci.\n\n"
        "    {link}\n\n"
        "Vale per un solo account e per {days}. Se non l’hai chiesto, non devi fare nulla.\n",
    ),
}
_DAYS = {"en": ("one day", "{} days"), "it": ("un giorno", "{} giorni")}
LANGUAGES = tuple(_INVITATION)


def invitation(recipient: str, language: str, public_url: str, code: str, days: int) -> Letter:
    """`days`: for how long it holds."""
    subject, body = _INVITATION.get(language, _INVITATION["en"])
    one, many = _DAYS.get(language, _DAYS["en"])
    words = {
        "host": public_url.partition("://")[2],
        "link": f"{public_url}/i/{code}",
        "days": one if days == 1 else many.format(days),
    }
    return Letter(secrets.token_urlsafe(16), recipient, subject.format(**words), body.format(**words))
