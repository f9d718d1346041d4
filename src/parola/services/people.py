"""People as others see them, and following."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass, replace
from typing import Literal

from parola.domain import people
from parola.domain.errors import Forbidden, Invalid, NotFound
from parola.domain.moments import milliseconds
from parola.domain.search import fold
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.words import Words
from parola.store import Account, BadCursor, FollowCounts, PeoplePage, Standing, Store

Which = Literal["followers", "following"]


@dataclass(frozen=True, slots=True)
class Profile:
    """`live_room` is an id only where the viewer may enter; `standing` is how the account and the viewer stand."""

    account: Account
    counts: FollowCounts
    live_room: str | None
    standing: Standing
    invited_by: Account | None


class People:
    def __init__(self, store: Store, words: Words, now: Clock) -> None:
        self._store = store
        self._words = words
        self._now = now

    async def find(self, handle: str) -> Account:
        """Whoever has this handle, whatever stands between them and who asks. Raises NotFound."""
        try:
            account = await self._store.accounts.by_handle(people.parse_handle(handle))
        except Invalid:
            account = None
        if account is None:
            raise NotFound()
        return account

    async def visible(self, caller: Caller, handle: str) -> Account:
        """As `find`, and nobody for whom they have blocked. Raises NotFound."""
        try:
            account = await self._store.relations.visible(people.parse_handle(handle), caller.account_id)
        except Invalid:
            account = None
        if account is None:
            raise NotFound()
        return account

    async def reachable(self, caller: Caller, handle: str) -> str:
        """The id of whom the caller can give something: nobody where a block stands, whoever of the two made it.
        Raises NotFound, Forbidden("blocked")."""
        account = await self.visible(caller, handle)
        if caller.account_id is not None and await self._store.relations.is_blocked(
            caller.account_id, account.id
        ):
            raise Forbidden("blocked", "You have blocked this person.")
        return account.id

    async def profile(self, caller: Caller, handle: str) -> Profile:
        """Raises NotFound."""
        account = await self.visible(caller, handle)
        counts = await self._store.relations.counts(account.id)
        live = await self._store.rooms.live_room_of(account.id, caller.account_id)
        viewer = caller.account_id
        standing = Standing()
        if viewer is not None and viewer != account.id:
            standing = await self._store.relations.standing(viewer, account.id)
        return Profile(account, counts, live, standing, await self._inviter(account, viewer))

    async def _inviter(self, account: Account, viewer: str | None) -> Account | None:
        """Nobody where a block stands between them and the viewer: neither finds the other here either."""
        by = account.invited_by
        if by is None or (viewer is not None and await self._store.relations.is_blocked(viewer, by)):
            return None
        found = (await self._store.accounts.by_ids([by])).get(by)
        return found if found is not None and not found.deleted else None

    async def search(self, caller: Caller, words: str, limit: int) -> list[Account]:
        """Nobody for no words."""
        wanted = fold(words)
        return await self._store.accounts.search(wanted, limit, caller.account_id) if wanted else []

    async def live_rooms(self, caller: Caller, accounts: Iterable[Account]) -> dict[str, str]:
        """By account id, the live room of each that has one which the caller may enter."""
        return await self._store.rooms.live_rooms_of({one.id for one in accounts}, caller.account_id)

    async def update(
        self,
        caller: Caller,
        name: str | None,
        bio: str | None,
        listen_unseen: bool | None,
        private: bool | None,
        language: str | None = None,
    ) -> Account:
        """Whoever waits to follow an account that is private no more follows it. Raises NotSignedIn, Invalid."""
        account = caller.signed_in().account
        name = people.parse_name(name) if name is not None else None
        if name is not None and name != account.name:
            await self._words.check(name=name)
        bio = people.parse_bio(bio) if bio is not None else None
        language = people.parse_language(language) if language is not None else None
        after = await self._store.accounts.update(account, name, bio, listen_unseen, language)
        if private is None or private == account.private:
            return after
        await self._store.privacy.set(account.id, private, self._milliseconds())
        return replace(after, private=private)

    async def follow(self, caller: Caller, handle: str) -> bool:
        """False where that is only a wish as yet: a private account says who follows it. Raises NotSignedIn, NotFound,
        Invalid, Forbidden("blocked")."""
        me, account = await self._pair(caller, handle)
        standing = await self._store.relations.standing(me, account.id)
        if standing.blocked:
            raise Forbidden("blocked", "You have blocked this person.")
        if standing.follows:
            return True
        if account.private:
            await self._store.relations.request(me, account.id, self._milliseconds())
            return False
        await self._store.relations.follow(me, account.id, self._milliseconds())
        return True

    async def unfollow(self, caller: Caller, handle: str) -> None:
        """Takes a wish back, too. Raises NotSignedIn, NotFound, Invalid."""
        me, account = await self._pair(caller, handle)
        await self._store.relations.unfollow(me, account.id)

    async def related(
        self, caller: Caller, handle: str, which: Which, cursor: str | None, limit: int
    ) -> PeoplePage:
        """Raises NotFound, Invalid, Forbidden("private_account")."""
        account = await self.visible(caller, handle)
        viewer = caller.account_id
        if account.private and not await self._may_see_lists(viewer, account):
            raise Forbidden("private_account", "Only who follows this person sees this.")
        relations = self._store.relations
        ask = relations.followers if which == "followers" else relations.following
        return await self.page(ask(account.id, viewer, cursor, limit))

    async def requests(self, caller: Caller, cursor: str | None, limit: int) -> PeoplePage:
        """Who wants to follow the caller. Raises NotSignedIn, Invalid."""
        me = caller.signed_in().account.id
        return await self.page(self._store.relations.requests(me, cursor, limit))

    async def answer(self, caller: Caller, handle: str, approved: bool) -> None:
        """Raises NotSignedIn, NotFound where they have not asked."""
        me = caller.signed_in().account.id
        follower = (await self.visible(caller, handle)).id
        if approved:
            done = await self._store.relations.approve(follower, me, self._milliseconds())
        else:
            done = await self._store.relations.refuse(follower, me)
        if not done:
            raise NotFound()

    async def page(self, asked: Awaitable[PeoplePage]) -> PeoplePage:
        """Raises Invalid for a cursor that is not ours."""
        try:
            return await asked
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    async def _may_see_lists(self, viewer: str | None, account: Account) -> bool:
        if viewer is None or viewer == account.id:
            return viewer is not None
        return await self._store.relations.follows(viewer, account.id)

    async def _pair(self, caller: Caller, handle: str) -> tuple[str, Account]:
        me, account = caller.signed_in().account.id, await self.visible(caller, handle)
        if account.id == me:
            raise Invalid.field("handle", "Nobody follows themselves.")
        return me, account

    def _milliseconds(self) -> int:
        return milliseconds(self._now())
