"""The waitlist, and inviting by mail: who waits, whose turn it is, and founding members out of a file."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from parola.domain import people
from parola.domain.audit import RULE, Deed
from parola.domain.errors import Conflict, FieldError, Invalid, NotFound
from parola.domain.inviting import InvitingPolicy
from parola.domain.moments import milliseconds
from parola.services import letters
from parola.services.actor import Actor
from parola.services.again import look_again
from parola.services.clock import Clock
from parola.services.invitations import new_invitation
from parola.services.inviting import Inviting
from parola.store import Chosen, Invitation, Letter, Store, Waiting
from parola.store.codes import hash_of

_log = structlog.get_logger(__name__)

MOST_AT_ONCE = 1000
_LOOK_EVERY_S = 60.0
_COLUMNS = frozenset({"email", "language"})


@dataclass(frozen=True, slots=True)
class Place:
    """`position` 1 is whose turn is next; 0: approved. The token is told this once."""

    token: str
    position: int


@dataclass(frozen=True, slots=True)
class Line:
    """`next` is the cursor of those behind these, None at the end."""

    waiting: tuple[Waiting, ...]
    count: int
    next: int | None


class WaitingList:
    """`registration` is open, invite or closed: only where it is by invitation people wait for one. `run` gives those
    their turn whose turn comes by itself, until it is cancelled."""

    def __init__(
        self, store: Store, now: Clock, public_url: str, registration: str, inviting: Inviting
    ) -> None:
        self._store = store
        self._now = now
        self._public_url = public_url
        self._registration = registration
        self._inviting = inviting

    async def run(self) -> None:
        await look_again("waitlist", self.by_rule, _LOOK_EVERY_S)

    async def by_rule(self) -> int:
        """Whose turn it is by the policy: of two processes that look at once one finds nobody left. How many."""
        policy = await self._inviting.policy()
        is_wanted = policy.waitlist_a_day or policy.waitlist_days
        if self._registration != "invite" or not is_wanted or not await self._store.waitlist.count():
            return 0
        now, invited = self._now(), 0
        if policy.waitlist_days:
            since = now - timedelta(days=policy.waitlist_days)
            chosen = Chosen(before=milliseconds(since))
            invited += await self._approve(RULE, chosen, f"waited for {policy.waitlist_days} days", policy)
        if policy.waitlist_a_day:
            since = now - timedelta(days=1)
            chosen = Chosen(a_day=policy.waitlist_a_day, day_began=milliseconds(since))
            invited += await self._approve(RULE, chosen, f"{policy.waitlist_a_day} a day", policy)
        return invited

    async def join(self, email: str, handle: str | None, language: str) -> Place:
        """The answer is the same whether the address waits already or not. Raises Invalid, Conflict("no_waitlist")."""
        email = people.parse_email(email)
        handle = people.parse_handle(handle) if handle else None
        if self._registration != "invite":
            raise Conflict("no_waitlist", "Nobody waits here.")
        token = secrets.token_urlsafe(24)
        language = language if language in letters.LANGUAGES else "en"
        position = await self._store.waitlist.join(email, handle, language, hash_of(token), self._ms())
        return Place(token, position)

    async def position(self, token: str) -> int:
        """Raises NotFound."""
        position = await self._store.waitlist.position(hash_of(token))
        if position is None:
            raise NotFound()
        return position

    async def leave(self, token: str) -> None:
        """Raises NotFound."""
        if not await self._store.waitlist.leave(hash_of(token)):
            raise NotFound()

    async def line(self, _: Actor, after: int, limit: int) -> Line:
        found = await self._store.waitlist.waiting(after, limit + 1)
        more = len(found) > limit
        count = await self._store.waitlist.count()
        return Line(tuple(found[:limit]), count, found[limit - 1].place if more else None)

    async def approve(
        self, actor: Actor, places: list[int] | None, first: int | None, before: datetime | None
    ) -> int:
        """Exactly one of the three says whose turn it is; how many addresses were invited, at most MOST_AT_ONCE."""
        if sum(rule is not None for rule in (places, first, before)) != 1:
            raise Invalid.field("places", "Say one of places, first and before.")
        if places is not None and not 0 < len(places) <= MOST_AT_ONCE:
            raise Invalid.field("places", f"1 to {MOST_AT_ONCE} places are wanted.")
        if first is not None and not 0 < first <= MOST_AT_ONCE:
            raise Invalid.field("first", f"A number from 1 to {MOST_AT_ONCE} is wanted.")
        what = (
            f"places {', '.join(map(str, places))}"
            if places is not None
            else f"the first {first}"
            if first is not None
            else f"before {before.isoformat() if before else ''}"
        )
        chosen = Chosen(tuple(places or ()), first, milliseconds(before) if before else None)
        return await self._approve(actor.id, chosen, what, await self._inviting.policy())

    async def invite_founders(self, actor: Actor, text: str) -> int:
        """Mails an invitation to everybody in a CSV file. Raises Invalid, which names each line that cannot be used;
        nobody is invited then."""
        founders = parse_founders(text)
        deed = Deed(actor.id, "invite", "waitlist", "", f"{len(founders)} by file")
        invite = self._inviter(await self._inviting.policy())
        await self._store.waitlist.invite_all(founders, invite, deed, self._now())
        return len(founders)

    async def _approve(self, by: str, chosen: Chosen, what: str, policy: InvitingPolicy) -> int:
        deed = Deed(by, "approve", "waitlist", "", what[: people.REASON_LENGTH])
        invite = self._inviter(policy)
        return await self._store.waitlist.approve(chosen, MOST_AT_ONCE, invite, deed, self._now())

    def _inviter(self, policy: InvitingPolicy) -> Callable[[str, str], tuple[Invitation, Letter]]:
        def invite(email: str, language: str) -> tuple[Invitation, Letter]:
            invitation = new_invitation(None, self._now, policy)
            assert invitation.code is not None
            days = policy.life_days
            return invitation, letters.invitation(email, language, self._public_url, invitation.code, days)

        return invite

    def _ms(self) -> int:
        return milliseconds(self._now())


def parse_founders(text: str) -> list[tuple[str, str]]:
    """(address, language) of each line below a first one that names the columns: `email`, and `language` where one
    likes. Raises Invalid with every line that cannot be used."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    errors: list[FieldError] = []
    found: dict[str, str] = {}
    try:
        head = [name.strip().lower() for name in next(reader, [])]
        if "email" not in head or not set(head) <= _COLUMNS or len(set(head)) != len(head):
            raise Invalid.field("line 1", "The columns email and, if you like, language are wanted.")
        for cells in reader:
            if any(cell.strip() for cell in cells):
                problem = _take(found, head, cells)
                if problem is not None:
                    errors.append(FieldError(f"line {reader.line_num}", problem))
    except csv.Error as error:
        errors.append(FieldError(f"line {reader.line_num}", f"This is no CSV: {error}."))
    if not found and not errors:
        errors.append(FieldError("line 2", "There is nobody in it."))
    if errors:
        raise Invalid("invalid", "Nobody was invited.", tuple(errors))
    return list(found.items())


def _take(found: dict[str, str], head: list[str], cells: list[str]) -> str | None:
    """What is wrong with a line, in words."""
    if len(cells) != len(head):
        return f"{len(head)} columns are wanted, not {len(cells)}."
    row = {name: cell.strip() for name, cell in zip(head, cells, strict=True)}
    language = row.get("language") or "en"
    if language not in letters.LANGUAGES:
        return f"The language is one of {', '.join(letters.LANGUAGES)}."
    try:
        email = people.parse_email(row["email"])
    except Invalid as error:
        return error.detail
    if email in found:
        return "This address stands here twice."
    found[email] = language
    return None
