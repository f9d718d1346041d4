"""Codes that open one sign-up each: how many there are, who wins them, what they earn, and whose branch it is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parola.domain.errors import Invalid, Unavailable
from parola.domain.inviting import MOST_DAYS, InvitingPolicy
from parola.domain.rooms import Command
from parola.services import administering
from parola.services.actor import AT_THE_MACHINE
from parola.services.caller import Caller
from parola.services.days import Days
from parola.services.invitations import Invitations, new_invitation
from parola.services.inviting import Inviting
from parola.store import InviteSpent, Store
from parola.store.administration import Suspended
from tests.services.house import PASSWORD, House, opened, refusal_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path, registration="invite", invitations=2) as house:
        yield house


class Clock:
    """Now, and what a test adds to it."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


async def founder(house: House, handle: str = "root") -> Caller:
    code = await house.services.invitations.of_the_server()
    return await comes(house, handle, code)


async def comes(house: House, handle: str, code: str) -> Caller:
    signed_in = await house.services.sessions.sign_up(handle, handle.title(), PASSWORD, code)
    house.tokens[handle] = signed_in.token
    return await house.caller(handle)


async def invites(house: House, caller: Caller, handle: str) -> Caller:
    invitation = await house.services.invitations.make(caller)
    assert invitation.code is not None
    return await comes(house, handle, invitation.code)


async def test_each_has_so_many_and_gets_back_what_opened_nothing(house: House) -> None:
    root = await founder(house)
    invitations = house.services.invitations
    first, second = [await invitations.make(root) for _ in range(2)]
    assert await refusal_of(invitations.make(root)) == "none_left"
    await invitations.revoke(root, first.id)
    assert (await invitations.mine(root)).left == 1
    assert first.code is not None
    assert await refusal_of(invitations.inviter(first.code)) == "not_found"
    assert second.code is not None
    await comes(house, "ada", second.code)
    assert await refusal_of(invitations.revoke(root, second.id)) == "not_found", "it was used"
    mine = await invitations.mine(root)
    assert [(one.code, one.used_by and one.used_by.handle) for one in mine.invitations] == [(None, "ada")]
    ada = await house.caller("ada")
    await house.services.blocking.block(ada, "root")
    assert [one.used_by for one in (await invitations.mine(root)).invitations] == [None], (
        "they do not see each other"
    )
    stranger = await founder(house, "stranger")
    third = await invitations.make(root)
    assert await refusal_of(invitations.revoke(stranger, third.id)) == "not_found"


async def test_more_than_there_are_cannot_be_made_at_once(house: House) -> None:
    root = await founder(house)
    made = await asyncio.gather(*(refusal_of(house.services.invitations.make(root)) for _ in range(6)))
    assert sorted(made) == ["none_left"] * 4 + ["yes"] * 2


async def test_of_many_who_use_a_code_at_once_one_has_an_account(house: House) -> None:
    """Each over an engine of its own, as in processes of their own."""
    root = await founder(house)
    code = (await house.services.invitations.make(root)).code
    url = house.store._database.engine.url.render_as_string(hide_password=False)
    stores = [Store.open(url) for _ in range(5)]

    async def use(i: int, store: Store) -> str:
        try:
            account = await store.accounts.add(f"id{i}", f"person{i}", "P", "-", datetime.now(UTC), code)
        except InviteSpent:
            return "spent"
        assert account.invited_by == root.account_id
        return "in"

    assert sorted(await asyncio.gather(*map(use, range(5), stores))) == ["in"] + ["spent"] * 4
    people = await house.store.administration.people("", "", 10)
    assert len(people) == 2
    for store in stores:
        await store.close()


async def test_of_many_who_sign_up_with_a_code_at_once_one_has_an_account(house: House) -> None:
    code = await house.services.invitations.of_the_server()
    sessions = house.services.sessions
    tried = (sessions.sign_up(f"person{i}", f"Person {i}", PASSWORD, code) for i in range(20))
    assert sorted(await asyncio.gather(*map(refusal_of, tried))) == ["invite_required"] * 19 + ["yes"]
    assert len(await house.store.administration.people("", "", 30)) == 1


async def test_a_code_runs_out(house: House) -> None:
    root = await founder(house)
    clock = Clock()
    late = Invitations(house.store, clock, "invite", Inviting(house.store, clock, InvitingPolicy(2)))
    code = (await late.make(root)).code
    assert code is not None
    clock.ahead = timedelta(days=14, minutes=-1)
    assert (await late.inviter(code)) is not None
    clock.ahead = timedelta(days=14)
    assert await refusal_of(late.inviter(code)) == "not_found"
    assert (await late.mine(root)).left == 2
    with pytest.raises(InviteSpent):
        await house.store.accounts.add("late", "late", "Late", "-", clock(), code)


async def test_who_came_and_stayed_earns_one_more(house: House) -> None:
    root = await founder(house)
    ada = await invites(house, root, "ada")
    clock = Clock()
    days = Days(house.store, clock)
    for day in range(InvitingPolicy().days):
        assert (await house.services.invitations.mine(root)).earned == 0
        clock.ahead = timedelta(days=day)
        for _ in range(3):
            days.note(ada)
            days.note(root)  # whom nobody invited
            await days.write()
        await Days(house.store, clock).write()
    mine = await house.services.invitations.mine(root)
    assert (mine.earned, mine.left) == (1, 2)
    for day in range(50, 50 + MOST_DAYS):
        clock.ahead = timedelta(days=day)
        days.note(ada)
        await days.write()
    assert await house.store.invites.earned(str(root.account_id), MOST_DAYS + 1) == 0, "no more is kept"


async def test_the_policy_changes_for_everybody_at_once(house: House) -> None:
    root, inviting = await founder(house), house.services.inviting
    ada = await invites(house, root, "ada")
    days = Days(house.store, house.services.days._now)
    days.note(ada)
    await days.write()
    assert (await inviting.kept(AT_THE_MACHINE)).version == 0
    change = {"each": 1, "more": 3, "days": 1, "more_at_most": 2, "life_days": 1}
    kept = await inviting.change(AT_THE_MACHINE, 0, change, "a small group")
    assert (kept.version, kept.policy.waitlist_a_day) == (1, 0), "what is not named stays"
    mine = await house.services.invitations.mine(root)
    assert (mine.earned, mine.left) == (2, 2)
    made = await house.services.invitations.make(root)
    assert made.expires_at is not None
    assert made.expires_at / 1000 - datetime.now(UTC).timestamp() < 86_401
    both = [inviting.change(AT_THE_MACHINE, 1, {"each": n}, "at once") for n in (3, 4)]
    done = await asyncio.gather(*(refusal_of(one) for one in both))
    assert sorted(done) == ["changed_meanwhile", "yes"]
    last = (await house.store.audit.before(None, 1))[0].deed
    assert (last.kind, last.reason) == ("policy", "at once")
    assert last.object.startswith("invitations 2: each ")


@pytest.mark.parametrize(
    "given",
    [{"each": -1}, {"each": True}, {"days": 0}, {"days": 31}, {"life_days": 1.5}, {"mor": 1}],
    ids=str,
)
async def test_a_policy_that_is_not_acceptable(house: House, given: dict[str, object]) -> None:
    with pytest.raises(Invalid) as refused:
        await house.services.inviting.change(AT_THE_MACHINE, 0, given, "x")
    assert [error.field for error in refused.value.errors] == list(given)


async def test_a_listener_is_noted(house: House) -> None:
    root = await founder(house)
    ada = await invites(house, root, "ada")
    room = await house.services.rooms.open(root, "A room", "open", None, None)
    await house.media_lives()
    await house.services.signalling.listen(ada, room.id, "v=0\r\n", "main", "192.0.2.1")
    await house.services.days.write()
    assert await house.store.invites.earned(str(root.account_id), 1) == 1


async def test_the_tree_and_a_branch_of_it(house: House) -> None:
    root = await founder(house)
    ada = await invites(house, root, "ada")
    await invites(house, root, "bob")
    await invites(house, ada, "carla")
    dora = await invites(house, ada, "dora")
    admin = house.services.administering
    roots = await admin.invited(AT_THE_MACHINE, None)
    assert [(node.account.handle, node.invited) for node in roots] == [("root", 2)]
    below = await admin.invited(AT_THE_MACHINE, "root")
    assert [(node.account.handle, node.invited) for node in below] == [("ada", 2), ("bob", 0)]
    profile = await house.services.people.profile(root, "carla")
    assert profile.invited_by is not None
    assert profile.invited_by.handle == "ada"
    open_code = (await house.services.invitations.make(dora)).code
    assert open_code is not None
    await admin.set_role(AT_THE_MACHINE, "carla", "administrator", "helps")
    assert await admin.suspend(AT_THE_MACHINE, "ada", "spam", branch=True) == 2
    people = await house.store.administration.people("", "", 10)
    assert {one.handle for one in people if one.suspended} == {"ada", "dora"}, "no administrator with them"
    assert await refusal_of(house.services.invitations.inviter(open_code)) == "not_found"
    assert await refusal_of(comes(house, "eve", open_code)) == "invite_required"
    await admin.restore(AT_THE_MACHINE, "dora", "was not part of it")
    assert (await comes(house, "eve", open_code)).account_id is not None


async def test_a_branch_larger_than_one_transaction(house: House) -> None:
    root, store, now = await founder(house), house.store, Clock()
    for number in range(45):
        invitation = new_invitation(root.account_id, now, InvitingPolicy(100))
        await store.invites.add(invitation)
        await store.accounts.add(f"id{number}", f"n{number}", "N", None, now(), invitation.code)
    assert await house.services.administering.suspend(AT_THE_MACHINE, "root", "spam", branch=True) == 46
    assert all(one.suspended for one in await store.administration.people("", "", 100))
    assert len(await store.audit.after(0, 100)) == 46


async def test_who_comes_while_a_branch_is_suspended_is_part_of_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, administration = await founder(house), house.store.administration
    ada = await invites(house, root, "ada")
    code = (await house.services.invitations.make(ada)).code or ""
    suspend = administration.suspend

    async def just_before(*given: Any) -> Suspended:
        if not house.tokens.get("eve"):
            await comes(house, "eve", code)
        return await suspend(*given)

    monkeypatch.setattr(administration, "suspend", just_before)
    assert await house.services.administering.suspend(AT_THE_MACHINE, "root", "spam", branch=True) == 3
    assert {one.handle for one in await administration.people("", "", 10) if not one.suspended} == set()


async def test_all_of_a_branch_is_suspended_before_any_room_is_waited_for(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(administering, "_ACCOUNTS_AT_ONCE", 1)
    root = await founder(house)
    await house.services.rooms.open(root, "A room", "open", None, None)
    await invites(house, root, "ada")
    free: list[str] = []

    async def administer(room_id: str, command: Command) -> None:
        free.extend(
            one.handle for one in await house.store.administration.people("", "", 9) if not one.suspended
        )
        raise Unavailable("not_confirmed", "", 1)

    monkeypatch.setattr(house.services.administering._rooms, "administer", administer)
    suspending = house.services.administering.suspend(AT_THE_MACHINE, "root", "spam", branch=True)
    assert await refusal_of(suspending) == "not_confirmed"
    assert free == []


async def test_a_link_for_the_first_administrator_opens_the_door(house: House) -> None:
    link = await house.services.claims.first_link()
    token = str(link).partition("#")[2]
    root = await comes(house, "root", token)
    await house.services.claims.claim(root, token)
    other = (await house.services.claims.link()).partition("#")[2]
    last = (await house.services.claims.link()).partition("#")[2]
    await house.services.claims.claim(root, last)
    assert await refusal_of(comes(house, "late", other)) == "invite_required", "it ended with the others"


async def test_where_nobody_needs_one_a_code_says_who_invited(tmp_path: Path) -> None:
    async with opened(tmp_path, registration="open") as house:
        root = await house.caller("root")
        assert await refusal_of(house.services.invitations.make(root)) == "not_needed"
        inviting = Inviting(house.store, Clock(), InvitingPolicy(1))
        code = (await Invitations(house.store, Clock(), "invite", inviting).make(root)).code
        assert code is not None
        ada = await comes(house, "ada", code)
        bob = await comes(house, "bob", code)
        assert ada.signed_in().account.invited_by == root.account_id
        assert bob.signed_in().account.invited_by is None, "it was used"
