"""What Parola writes to people, in their language."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime

from parola.store import Letter, Reader

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
_SIGN_IN = {
    "en": (
        "Sign in to {host}",
        "Hello @{handle},\n\n"
        "with this link you sign in to {host}. It holds once, and for 15 minutes.\n\n"
        "    {link}\n\n"
        "There you can set a new password, too, or add a passkey. If you did not ask for it, there is nothing to do: "
        "nobody has got in.\n",
    ),
    "it": (
        "Accedi a {host}",
        "Ciao @{handle},\n\n"
        "con questo link accedi a {host}. Vale una volta sola e per 15 minuti.\n\n"
        "    {link}\n\n"
        "Lì puoi anche scegliere una nuova password o aggiungere una passkey. Se non l’hai chiesto, non devi fare "
        "nulla: non è entrato nessuno.\n",
    ),
}
_CONFIRM = {
    "en": (
        "Your address at {host}",
        "Hello,\n\n"
        "the account @{handle} at {host} wants to use this address for signing in. If that is you, confirm it here "
        "within a day:\n\n"
        "    {link}\n\n"
        "If it is not, there is nothing to do.\n",
    ),
    "it": (
        "Il tuo indirizzo su {host}",
        "Ciao,\n\n"
        "l’account @{handle} su {host} vuole usare questo indirizzo per accedere. Se sei tu, confermalo qui entro un "
        "giorno:\n\n"
        "    {link}\n\n"
        "Altrimenti non devi fare nulla.\n",
    ),
}
_ADDRESS_GONE = {
    "en": (
        "This is no longer your address at {host}",
        "Hello @{handle},\n\n"
        "your account at {host} does not use this address any more: it was replaced or removed. If that was you, "
        "there is nothing to do.\n\n"
        "If it was not, sign in, set a new password and sign out all other devices:\n\n"
        "    {link}\n",
    ),
    "it": (
        "Questo non è più il tuo indirizzo su {host}",
        "Ciao @{handle},\n\n"
        "il tuo account su {host} non usa più questo indirizzo: è stato sostituito o rimosso. È opera tua? "
        "Allora non devi fare nulla.\n\n"
        "Altrimenti accedi, scegli una nuova password e disconnetti tutti gli altri dispositivi:\n\n"
        "    {link}\n",
    ),
}
_WHAT = {
    "en": {
        "warn": "You were warned by the administration of {host}.",
        "remove": "The administration of {host} has removed you from all live rooms. You can listen, but not speak.",
        "suspend": "The administration of {host} has suspended your account.",
        "ban": "The administration of {host} has banned your account.",
        "restore": "The administration of {host} has restored your account: nothing of what was decided holds.",
        "upheld": "Your appeal at {host} was decided: it stays as it is.",
        "lifted": "Your appeal at {host} was decided in your favour: what was decided before is lifted.",
        "subject": "From the administration of {host}",
        "reason": "Why:",
        "until": "Until: {until} (UTC)",
        "appeal": "If you think that this is wrong, sign in and appeal, once, in your own words:",
    },
    "it": {
        "warn": "L’amministrazione di {host} ti ha richiamato.",
        "remove": "L’amministrazione di {host} ti ha rimosso da tutte le stanze dal vivo. Puoi ascoltare, non parlare.",
        "suspend": "L’amministrazione di {host} ha sospeso il tuo account.",
        "ban": "L’amministrazione di {host} ha bandito il tuo account.",
        "restore": "L’amministrazione di {host} ha ripristinato il tuo account: nulla di quanto deciso vale più.",
        "upheld": "Il tuo ricorso su {host} è stato deciso: resta tutto com’è.",
        "lifted": "Il tuo ricorso su {host} è stato accolto: quanto deciso prima è revocato.",
        "subject": "Dall’amministrazione di {host}",
        "reason": "Perché:",
        "until": "Fino a: {until} (UTC)",
        "appeal": "Se pensi che sia un errore, accedi e presenta ricorso, una volta, con parole tue:",
    },
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
_DAYS = {"en": ("one day", "{} days"), "it": ("un giorno", "{} giorni")}
LANGUAGES = tuple(_INVITATION)


def written_in(language: str | None) -> str:
    """The language of an account, where it has said one that there is."""
    return language if language in LANGUAGES else LANGUAGES[0]


def invitation(recipient: str, language: str, public_url: str, code: str, days: int) -> Letter:
    """`days`: for how long it holds."""
    one, many = _DAYS.get(language, _DAYS["en"])
    said = one if days == 1 else many.format(days)
    return _letter(_INVITATION, language, recipient, public_url, link=f"{public_url}/i/{code}", days=said)


def sign_in(recipient: str, language: str, public_url: str, handle: str, token: str) -> Letter:
    # Behind the #, so that it stands in no log of any proxy, and whoever only fetches it uses nothing up.
    link = f"{public_url}/link#{token}"
    return _letter(_SIGN_IN, language, recipient, public_url, link=link, handle=handle)


def confirm_address(recipient: str, language: str, public_url: str, handle: str, token: str) -> Letter:
    link = f"{public_url}/confirm#{token}"
    return _letter(_CONFIRM, language, recipient, public_url, link=link, handle=handle)


def address_gone(recipient: str, language: str | None, public_url: str, handle: str) -> Letter:
    link = f"{public_url}/settings"
    return _letter(_ADDRESS_GONE, written_in(language), recipient, public_url, link=link, handle=handle)


def _letter(
    texts: dict[str, tuple[str, str]], language: str, recipient: str, public_url: str, **words: str
) -> Letter:
    subject, body = texts.get(language, texts["en"])
    words["host"] = public_url.partition("://")[2]
    return Letter(secrets.token_urlsafe(16), recipient, subject.format(**words), body.format(**words))


def measure(
    recipient: str, language: str, public_url: str, kind: str, reason: str, until: datetime | None
) -> Letter:
    """What was decided about them, why, until when, and how to appeal; never who reported anything."""
    words, host = _WHAT.get(language, _WHAT["en"]), public_url.partition("://")[2]
    parts = [words[kind].format(host=host), f"{words['reason']} {reason}"]
    if until is not None:
        parts.append(words["until"].format(until=until.strftime("%Y-%m-%d %H:%M")))
    if kind != "restore":
        parts.append(f"{words['appeal']}\n\n    {public_url}/")
    return _written(recipient, words["subject"].format(host=host), parts)


def decision(recipient: str, language: str, public_url: str, decided: str, reason: str) -> Letter:
    words, host = _WHAT.get(language, _WHAT["en"]), public_url.partition("://")[2]
    parts = [words[decided].format(host=host), f"{words['reason']} {reason}"]
    return _written(recipient, words["subject"].format(host=host), parts)


def _written(recipient: str, subject: str, parts: list[str]) -> Letter:
    return Letter(secrets.token_urlsafe(16), recipient, subject, "\n\n".join(parts) + "\n")


@dataclass(frozen=True, slots=True)
class Start:
    """What is told of a room that has started."""

    room_id: str
    title: str
    handle: str
    name: str


def started(start: Start, to: Reader, recipient: str, public_url: str, unsubscribe: str) -> Letter:
    """`unsubscribe` is the address that ends such letters to this reader."""
    subject, body = _STARTED[written_in(to.language)]
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
