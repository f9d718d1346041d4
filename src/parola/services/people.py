"""People as others see them, and following."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain import people
from parola.domain.errors import Invalid, NotFound
from parola.domain.search import fold
from parola.services.caller import Caller
from parola.store import Account, FollowCounts, Store


@dataclass(frozen=True, slots=True)
class Profile:
    """`live_room` is an id only where the viewer may enter; `followed` is whether the viewer follows."""

    account: Account
    counts: FollowCounts
    live_room: str | None
    followed: bool
    invited_by: Account | None


class People:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def find(self, handle: str) -> Account:
        """Raises NotFound."""
        try:
            account = await self._store.accounts.by_handle(people.parse_handle(handle))
        except Invalid:
            account = None
        if account is None:
            raise NotFound()
        return account

    async def profile(self, caller: Caller, handle: str) -> Profile:
        account = await self.find(handle)
        counts = await self._store.accounts.follow_counts(account.id)
        live = await self._store.rooms.live_room_of(account.id, caller.account_id)
        viewer = caller.account_id
        followed = viewer is not None and await self._store.accounts.follows(viewer, account.id)
        inviters = await self._store.accounts.by_ids([account.invited_by] if account.invited_by else [])
        return Profile(account, counts, live, followed, inviters.get(account.invited_by or ""))

    async def search(self, words: str, limit: int) -> list[Account]:
        """Nobody for no words."""
        wanted = fold(words)
        return await self._store.accounts.search(wanted, limit) if wanted else []

    async def update(
        self, caller: Caller, name: str | None, bio: str | None, listen_unseen: bool | None
    ) -> Account:
        member = caller.signed_in()
        name = people.parse_name(name) if name is not None else None
        bio = people.parse_bio(bio) if bio is not None else None
        return await self._store.accounts.update(member.account, name, bio, listen_unseen)

    async def follow(self, caller: Caller, handle: str) -> None:
        member, account = caller.signed_in(), await self.find(handle)
        if account.id == member.account.id:
            raise Invalid.field("handle", "Nobody follows themselves.")
        await self._store.accounts.follow(member.account.id, account.id)

    async def unfollow(self, caller: Caller, handle: str) -> None:
        member, account = caller.signed_in(), await self.find(handle)
        if account.id == member.account.id:
            raise Invalid.field("handle", "Nobody follows themselves.")
        await self._store.accounts.unfollow(member.account.id, account.id)
