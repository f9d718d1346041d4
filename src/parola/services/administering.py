"""The administration: who may be let in, and what administrators do to people and rooms.

Invariant: everything here wants an Actor, and the only way to one is `admit`, or to sit at the machine itself.
Nothing is done without an entry in the audit log, in the same transaction or before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from parola.domain import people, rooms
from parola.domain.audit import Deed, Entry, first_break
from parola.domain.errors import Conflict, Invalid, NotFound, Unavailable
from parola.domain.moderation import Measure, check_until
from parola.domain.rooms import ADMINISTRATION, Lifecycle
from parola.domain.search import fold
from parola.services.actor import Actor
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.everywhere import in_each, is_unconfirmed
from parola.services.notifying import Notifying
from parola.services.proving import require_recent
from parola.services.rooms import Rooms
from parola.services.sessions import Sessions
from parola.store import ADMINISTRATOR, MEMBER, Account, BadCursor, LastAdministrator, Page, Store

_MOST_HANDLE = 64
_ENTRIES_AT_ONCE = 500
_ACCOUNTS_AT_ONCE = 20
"""In one transaction: a database cuts off those that take too long, and others wait for them to write."""


@dataclass(frozen=True, slots=True)
class Found:
    """`next` is the cursor of the people after these, None at the end."""

    people: tuple[Account, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class Node:
    """Somebody in the tree of invitations, and how many they invited."""

    account: Account
    invited: int


@dataclass(frozen=True, slots=True)
class Verified:
    """`broken_at` is the number of the first entry that does not follow, None where all do; `seal` is the last that
    does; `holds_seal`, whether one that was kept elsewhere is among them."""

    count: int
    broken_at: int | None
    seal: str
    holds_seal: bool


class Administering:
    def __init__(
        self, store: Store, sessions: Sessions, rooms: Rooms, notifying: Notifying, now: Clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._rooms = rooms
        self._notifying = notifying
        self._now = now

    def admit(self, caller: Caller) -> Actor:
        """The one gate. Raises NotFound: for everybody else there is no administration."""
        if caller.member is None or caller.member.account.role != ADMINISTRATOR:
            raise NotFound()
        return Actor(caller.member.account.id)

    def admit_lately(self, caller: Caller) -> Actor:
        """Who makes others administrators, or hears what was sealed, is more than whoever holds an open session. Raises
        NotFound, Forbidden("sign_in_again")."""
        admitted = self.admit(caller)
        require_recent(caller, self._now())
        return admitted

    async def people(self, _: Actor, words: str, cursor: str | None, limit: int) -> Found:
        """By handle."""
        after = (cursor or "")[:_MOST_HANDLE]
        found = await self._store.administration.people(fold(words), after, limit + 1)
        more = len(found) > limit
        return Found(tuple(found[:limit]), found[limit - 1].handle if more else None)

    async def suspend(
        self,
        actor: Actor,
        handle: str,
        reason: str,
        branch: bool = False,
        until: datetime | None = None,
        kind: Measure = Measure.SUSPEND,
        report_id: str | None = None,
    ) -> int:
        """Ends their sessions and connections, and keeps them out until they are restored; with `branch` also whoever
        came by their invitations, and by those of these, but no administrator among them. `until` is when it ends by
        itself. How many it newly met.

        All are suspended first, and then silenced: else the last of many are free, and invite, for minutes. Where the
        process dies in between, `Moderating.look` silences those; the rest of a branch wants to be asked for again.

        Returns when none of them is heard any more. Raises Unavailable("not_confirmed") where nobody could say so, and
        Unavailable("not_done") where a room stays busy: the suspension stands all the same."""
        reason = people.parse_reason(reason)
        check_until(kind, until, self._now())
        root = await self.find(handle, also_deleted=True)  # whose branch is still there
        if root.id == actor.id:
            raise Conflict("own_account", "Nobody suspends themselves.")
        met: list[str] = []
        changed: list[str] = []
        newly, fresh = 0, [root.id]
        try:
            while fresh:
                for some in _parts(fresh):
                    deeds = [Deed(actor.id, kind.value, "account", id, reason) for id in some]
                    done = await self._store.administration.suspend(
                        deeds, self._now(), kind, until, report_id
                    )
                    newly += len(done.ended)
                    changed += done.changed
                    await self._sessions.tell_ended(id for those in done.ended.values() for id in those)
                met += fresh
                # Whoever came by one of them before it met that one; from now on nobody does.
                fresh = await self._branch_but(root.id, {actor.id, *met}) if branch else []
            # Also those who were suspended before: that they are silent was perhaps never confirmed.
            await self._silence(met)
        except LastAdministrator as error:
            raise Conflict("last_administrator", "Nobody would be left to administer.") from error
        finally:
            for some in _parts(changed):
                await self._notifying.measure(some, kind, reason, until)
        return newly

    async def _branch_but(self, root_id: str, met: set[str]) -> list[str]:
        below = await self._store.administration.branch(root_id)
        return [one.id for one in below if one.role != ADMINISTRATOR and one.id not in met]

    async def _silence(self, ids: Sequence[str]) -> None:
        """All of them, and then the first failure is raised, as `in_each` does."""
        failures: list[Unavailable] = []
        for some in _parts(ids):
            try:
                await self._in_each_room(some, rooms.Silence, rooms.EndVisit)
            except Unavailable as error:
                failures.append(error)
        if failures:
            raise min(failures, key=is_unconfirmed)

    async def restore(self, actor: Actor, handle: str, reason: str) -> bool:
        """Ends whatever holds of them. Whether anything did. Raises NotFound, Conflict("own_account")."""
        account = await self.find(handle)
        if account.id == actor.id and await self._store.measures.another_administrator(actor.id):
            raise Conflict("own_account", "Another administrator decides about oneself.")
        deed = Deed(actor.id, "restore", "account", account.id, people.parse_reason(reason))
        held = await self._store.administration.restore(deed, self._now())
        if held:
            await self._notifying.measure([account.id], Measure.RESTORE, deed.reason)
        return held

    async def set_role(self, actor: Actor, handle: str, role: str, reason: str) -> None:
        """Raises Conflict("last_administrator")."""
        if role not in (MEMBER, ADMINISTRATOR):
            raise Invalid.field("role", "A role is member or administrator.")
        account = await self.find(handle)
        deed = Deed(actor.id, f"make_{role}", "account", account.id, people.parse_reason(reason))
        try:
            await self._store.administration.set_role(role, deed, self._now())
        except LastAdministrator as error:
            raise Conflict("last_administrator", "Nobody would be left to administer.") from error
        if role == MEMBER:
            await self._in_each_room([account.id], rooms.EndVisit)

    async def live_rooms(self, _: Actor, cursor: str | None, limit: int) -> Page:
        """All of them, whoever may enter; the newest first."""
        try:
            return await self._store.rooms.live(cursor, limit)
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    async def end_room(self, actor: Actor, room_id: str, reason: str) -> None:
        """Raises NotFound, Conflict("not_live"), Unavailable("not_confirmed")."""
        reason = people.parse_reason(reason)
        room = await self._store.rooms.load(room_id[:_MOST_HANDLE])
        if room is None:
            raise NotFound()
        if room.state is Lifecycle.LIVE:
            await self._store.audit.add(Deed(actor.id, "end", "room", room.id, reason), self._now())
        await self._rooms.administer(room.id, rooms.Close(ADMINISTRATION))

    async def visit(self, actor: Actor, room_id: str, handle: str | None, reason: str) -> None:
        """Lets an administrator listen to a live room, whoever may enter it, and everybody there sees that they may;
        until the visit is ended, they are removed, or the room is over. `handle` is whom, None for the actor.
        Raises NotFound, Conflict("not_live"), Invalid."""
        deed = Deed(actor.id, "visit", "room", room_id, people.parse_reason(reason))
        who = actor.id if handle is None else (await self.find(handle)).id
        found = (await self._store.accounts.by_ids([who])).get(who)
        if found is None or found.role != ADMINISTRATOR:
            raise Invalid.field("handle", "Name an administrator.")
        room = await self._store.rooms.load(room_id[:_MOST_HANDLE])
        if room is None:
            raise NotFound()
        if room.state is Lifecycle.LIVE and who != room.host and who not in room.visitors:
            await self._store.audit.add(deed, self._now())
        await self._rooms.administer(room.id, rooms.Visit(ADMINISTRATION, who))

    async def end_visit(self, actor: Actor, room_id: str, handle: str | None = None) -> None:
        """`handle` is whose, None for the actor's; answered when they hear nothing more. Raises NotFound,
        Unavailable("not_confirmed")."""
        who = actor.id if handle is None else (await self.find(handle)).id
        await self._rooms.administer(room_id[:_MOST_HANDLE], rooms.EndVisit(ADMINISTRATION, who))

    async def audit(self, _: Actor, before: int | None, limit: int) -> list[Entry]:
        """The newest first."""
        return await self._store.audit.before(before, limit)

    async def verify(self, _: Actor, kept_seal: str | None = None) -> Verified:
        last: Entry | None = None
        holds_seal = False
        while entries := await self._store.audit.after(last.seq if last is not None else 0, _ENTRIES_AT_ONCE):
            broken_at = first_break(entries, last)
            if broken_at is not None:
                return Verified(broken_at - 1, broken_at, last.seal if last is not None else "", holds_seal)
            holds_seal = holds_seal or any(entry.seal == kept_seal for entry in entries)
            last = entries[-1]
        return Verified(last.seq if last else 0, None, last.seal if last else "", holds_seal)

    async def invited(self, _: Actor, handle: str | None) -> list[Node]:
        """Whom somebody invited; for None those at the roots of the tree."""
        account_id = (await self.find(handle, also_deleted=True)).id if handle is not None else None
        found = await self._store.administration.invited_by(account_id)
        counts = await self._store.administration.invited_counts(account.id for account in found)
        return [Node(account, counts.get(account.id, 0)) for account in found]

    async def names(self, ids: set[str]) -> dict[str, Account]:
        return await self._store.accounts.by_ids(ids)

    async def find(self, handle: str, also_deleted: bool = False) -> Account:
        """Whoever it is. Raises NotFound."""
        account = await self._store.accounts.by_handle(handle[:_MOST_HANDLE], also_deleted)
        if account is None:
            raise NotFound()
        return account

    async def _in_each_room(
        self, ids: Sequence[str], *commands: type[rooms.Silence] | type[rooms.EndVisit]
    ) -> None:
        """Of those live in which they are. Raises as `in_each`."""
        work = [
            (room.id, command(ADMINISTRATION, account_id))
            for account_id in ids
            for room in await self._store.rooms.not_over_around(account_id)
            if room.state is Lifecycle.LIVE
            for command in commands
        ]
        await in_each(work, self._rooms.administer)


def _parts(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[at : at + _ACCOUNTS_AT_ONCE] for at in range(0, len(ids), _ACCOUNTS_AT_ONCE))
