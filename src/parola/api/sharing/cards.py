"""What there is to say of a link in a few words, to whoever it is sent to.

Those who ask for it are other people's servers: they see what a guest sees. A room that guests may not know of has no
card, just as one that does not exist, and the answer takes as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from parola.domain.errors import Refusal
from parola.domain.rooms import Lifecycle, Room
from parola.services.access import Gate
from parola.services.audience import Audience
from parola.services.caller import GUEST
from parola.services.people import People
from parola.store import Account, Store, StoreUnavailable

MOST_FACES = 6
_SAID = {
    "en": {
        "live": "Live now. Everyone can listen, without an account.",
        "scheduled": "Begins {at}.",
        "ended": "This room has ended.",
        "host": "{host} is the host.",
        "with": "{host} is the host. With {others}.",
        "listening": "{count} listening.",
        "profile": "Live audio rooms by {name}.",
    },
    "it": {
        "live": "In diretta adesso. Tutti possono ascoltare, senza account.",
        "scheduled": "Comincia il {at}.",
        "ended": "Questa stanza è finita.",
        "host": "{host} conduce.",
        "with": "{host} conduce. Con {others}.",
        "listening": "In ascolto: {count}.",
        "profile": "Stanze audio dal vivo di {name}.",
    },
}


@dataclass(frozen=True, slots=True)
class Face:
    handle: str
    name: str


@dataclass(frozen=True, slots=True)
class Card:
    """`url` and `picture` are whole addresses; `kind` is Open Graph's type."""

    kind: str
    title: str
    text: str
    url: str
    picture: str
    by: Face
    faces: tuple[Face, ...]
    live: bool
    version: str


class Cards:
    """`public_url` is the origin that people see, without a slash at its end."""

    def __init__(self, store: Store, gate: Gate, audience: Audience, people: People, public_url: str) -> None:
        self._store = store
        self._gate = gate
        self._audience = audience
        self._people = people
        self._public_url = public_url

    async def of(self, path: str, language: str = "en") -> Card | None:
        """The card of a page of ours; None where there is nothing to say, and where the database is away."""
        try:
            if path.startswith("/r/"):
                return await self._room(
                    await self._gate.admit(GUEST, path.removeprefix("/r/")), _SAID[language]
                )
            if path.startswith("/@"):
                return self._profile(await self._people.find(path.removeprefix("/@")), _SAID[language])
        except (Refusal, StoreUnavailable):
            return None
        return None

    async def _room(self, room: Room, said: dict[str, str]) -> Card:
        ids = [room.host, *(s.account for s in room.speakers if s.account != room.host)][:MOST_FACES]
        accounts = await self._store.accounts.by_ids(ids)
        faces = tuple(_face(accounts[id]) for id in ids if id in accounts)
        host, *others = (face.name for face in faces)
        words = [said[room.state.value].format(at=_instant(room.starts_at))]
        words.append(said["with" if others else "host"].format(host=host, others=", ".join(others)))
        listening = self._audience.count(room)
        if room.state is Lifecycle.LIVE and listening:
            words.append(said["listening"].format(count=listening))
        return Card(
            kind="website",
            title=room.title,
            text=" ".join(words),
            url=f"{self._public_url}/r/{room.id}",
            picture=f"{self._public_url}/api/rooms/{room.id}/card.png?seq={room.seq}",
            by=faces[0],
            faces=faces,
            live=room.state is Lifecycle.LIVE,
            version=str(room.seq),
        )

    def _profile(self, account: Account, said: dict[str, str]) -> Card:
        return Card(
            kind="profile",
            title=f"{account.name} (@{account.handle})",
            text=account.bio or said["profile"].format(name=account.name),
            url=f"{self._public_url}/@{account.handle}",
            picture=f"{self._public_url}/api/accounts/{account.handle}/card.png",
            by=_face(account),
            faces=(_face(account),),
            live=False,
            version=account.name,
        )


def language_of(accept_language: str) -> str:
    """Of those that a card can be said in."""
    return "it" if accept_language.strip().lower().startswith("it") else "en"


def _face(account: Account) -> Face:
    return Face(account.handle, account.name)


def _instant(at: datetime | None) -> str:
    """Where the reader is nobody knows."""
    return f"{at.astimezone(UTC):%Y-%m-%d, %H:%M} UTC" if at is not None else ""
