"""An account's end: silence first, nothing of the person afterwards, rooms of others as they were, and no way to get
stuck half-way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from parola.bus.messages import SettleOrder
from parola.domain import rooms as r
from parola.domain.errors import Refusal, Unavailable
from parola.domain.moderation import Reason
from parola.domain.moments import milliseconds
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE
from parola.services.caller import Caller
from parola.store import AccountGone, Ceremony, HandleTaken, Identity, Passkey, Subscription, Wanted
from parola.store.deletions import HANDLE_RESTS, PERSONAL
from parola.store.tables import elsewhere_errands, metadata, resting_handles, rooms
from tests.services.house import MEDIA, PASSWORD, House, always, opened, refusal_of
from tests.services.test_images import drawn

MAIL = "bob@mail.example"
KEPT = {
    "deletions": "goes when it is through",
    "rooms": "withdrawn",
}
"""Tables that refer to accounts, and why rows of a deleted one stay."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def speaking(house: House) -> str:
    """A live room of ada's, in which bob has the floor and leads, carla has her hand up."""
    ada, bob = await house.caller("ada"), await house.caller("bob")
    rooms = house.services.rooms
    room = await rooms.open(ada, "A room", "open", None, None)
    await rooms.command(bob, room.id, lambda by: r.RaiseHand(by, "what of me?"))
    target = bob.signed_in().account.id
    await rooms.command(ada, room.id, lambda by: r.Grant(by, target))
    await rooms.command(ada, room.id, lambda by: r.AddCohost(by, target))
    await rooms.command(ada, room.id, lambda by: r.NameSuccessor(by, target))
    await house.media_lives()
    assert await house.store.rooms.claim(room.id, MEDIA, 0) == 1
    return room.id


async def load(house: House, room_id: str) -> r.Room:
    room = await house.store.rooms.load(room_id)
    assert room is not None
    return room


async def deleting(house: House, handle: str) -> None:
    await house.services.deletion.delete(await house.caller(handle), handle)


async def view(house: House, room: r.Room, caller: Caller) -> str:
    return json.dumps(await house.services.views.room(room, caller))


async def test_who_speaks_is_silent_before_the_answer_and_the_room_goes_on(house: House) -> None:
    room_id = await speaking(house)
    bob = (await house.caller("bob")).signed_in().account
    await deleting(house, "bob")
    room = await load(house, room_id)
    assert room.state is r.Lifecycle.LIVE
    assert not room.may_be_heard(bob.id)
    assert (room.cohosts, room.successor, room.hands) == ((), None, ())
    assert SettleOrder(room_id, room.seq) in house.media.settled, "the owner has confirmed it"
    assert room == r.fold(None, await house.store.rooms.events_after(room_id, 0)), "its events fold as ever"
    ada = await house.caller("ada")
    assert "bob" not in (await view(house, room, ada)).lower()
    told = json.dumps(await house.services.views.events(await house.store.rooms.events_after(room_id, 0)))
    assert "bob" not in told.lower()
    assert "Deleted account" in told
    assert (await house.services.sessions.authenticate(house.tokens["bob"])).member is None
    assert await refusal_of(house.services.sessions.sign_in("bob", PASSWORD)) == "wrong_credentials"
    assert await refusal_of(house.services.people.profile(ada, "bob")) == "not_found"


async def test_it_wants_the_handle_and_who_has_lately_shown_who_they_are(house: House) -> None:
    bob = await house.caller("bob")
    deletion = house.services.deletion
    assert await refusal_of(deletion.delete(bob, "b0b")) == "invalid"
    before = milliseconds(clock.now() - timedelta(minutes=11))
    stale = Caller(replace(bob.signed_in(), proved_at=before))
    assert await refusal_of(deletion.delete(stale, "bob")) == "sign_in_again"
    assert (await house.services.people.find("bob")).handle == "bob", "nothing has begun"
    assert await refusal_of(deletion.delete(bob, "bob")) == "yes"


async def test_ones_own_rooms_end_and_are_nowhere(house: House) -> None:
    room_id = await speaking(house)
    ada, bob = await house.caller("ada"), await house.caller("bob")
    rooms = house.services.rooms
    over = await rooms.open(ada, "Over", "open", None, None)
    await rooms.command(ada, over.id, r.End)
    coming = await rooms.open(ada, "To come", "open", None, clock.now() + timedelta(hours=1))
    await deleting(house, "ada")
    assert (await load(house, room_id)).state is r.Lifecycle.ENDED
    assert house.media.settled[-1].room_id == room_id
    for state in r.Lifecycle:
        for viewer in (None, bob.account_id):
            found = await house.store.rooms.page(Wanted(state), viewer, None, 10)
            assert found.rooms == ()
    for id in (room_id, over.id, coming.id):
        assert await refusal_of(house.services.gate.enter(bob, id)) == "not_found"
        assert await refusal_of(rooms.command(bob, id, r.RaiseHand)) == "not_found"


async def test_an_ended_room_of_somebody_else_shows_a_deleted_account(house: House) -> None:
    room_id = await speaking(house)
    ada = await house.caller("ada")
    await house.services.rooms.command(ada, room_id, r.End)
    await deleting(house, "bob")
    room = await house.services.gate.enter(ada, room_id)
    shown = await house.services.views.room(room, ada)
    speaker = shown["speakers"][1]
    assert speaker["name"] == "Deleted account"
    assert speaker["handle"].startswith("deleted-")
    assert shown["cohosts"] == [speaker["handle"]], "the same in all of it, so that it folds"
    assert await refusal_of(house.services.people.profile(ada, speaker["handle"])) == "not_found"


async def test_what_stood_between_them_and_others_is_gone(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    people, blocking = house.services.people, house.services.blocking
    for one, other in ((ada, "bob"), (bob, "ada")):
        await people.follow(one, other)
        await blocking.hush(one, other)
    await deleting(house, "bob")
    assert (await people.related(ada, "ada", "followers", None, 10)).people == ()
    assert (await people.related(ada, "ada", "following", None, 10)).people == ()
    assert (await blocking.hushed(ada, None, 10)).people == ()
    assert await people.search(ada, "bob", 10) == []
    assert await people.search(ada, "deleted", 10) == []
    found = await house.services.administering.people(AT_THE_MACHINE, "", None, 10)
    assert [one.handle for one in found.people] == ["ada"]


async def test_what_they_signed_in_by_chose_and_were_told_is_gone_and_what_they_reported_stays(
    house: House,
) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    me, now, store = bob.signed_in(), clock.now(), house.store
    id = me.account.id
    await store.credentials.set_address(id, MAIL, now)
    await store.credentials.add_passkey(Passkey("key", "key", id, "", 0, "Phone", (), now.isoformat()))
    await store.credentials.set_codes(id, ["code"])
    await store.ceremonies.add("ticket", Ceremony("add", "challenge", id, me.session_id), 1 << 60)
    await store.elsewhere.link(Identity("oidc", "issuer subject", "Bob"), id, now)
    await house.services.mailing.set_address(bob, "new-" + MAIL, "en")
    await store.notices.choose(id, {"email": True})
    subscription = Subscription("browser", id, me.session_id, "https://1.1.1.1/x", "p", "a", 1)
    await store.notices.subscribe(subscription, None)
    await store.host_words.add(id, "idiot", "idiot", 10, 1)
    await store.kept_out.add(id, ada.signed_in().account.id, 10, 1)
    await store.kept_out.add(ada.signed_in().account.id, id, 10, 1)
    await house.services.reports.file(bob, "ada", None, None, Reason.SPAM, "again and again", always)
    await deleting(house, "bob")
    kept = {}
    async with store._database.read() as connection:
        for table in metadata.sorted_tables:
            rows = [str(tuple(row)) for row in await connection.execute(sa.select(table))]
            assert not any(MAIL in row for row in rows), table.name
            kept[table.name] = [row for row in rows if f"'{id}'" in row]
    assert {name for name, rows in kept.items() if rows} == {"accounts", "report_voices"}
    assert "again and again" in kept["report_voices"][0]
    assert "bob" not in kept["accounts"][0].lower()


async def test_every_table_that_names_accounts_is_thought_of() -> None:
    refer = {
        table.name
        for table in metadata.sorted_tables
        if any(key.column.table.name == "accounts" for column in table.columns for key in column.foreign_keys)
    }
    assert refer - {table.name for table in PERSONAL} == set(KEPT)


async def test_nobody_gets_the_handle_for_ninety_days_nor_one_that_looks_like_it(house: House) -> None:
    await house.caller("paolo")
    await deleting(house, "paolo")
    for handle in ("paolo", "pao1o"):
        with pytest.raises(HandleTaken):
            await house.store.accounts.add("new", handle, "Another", "-", clock.now() + timedelta(days=89))
    later = clock.now() + HANDLE_RESTS + timedelta(minutes=1)
    assert (await house.store.accounts.add("new", "paolo", "Another", "-", later)).handle == "paolo"


async def test_what_rested_or_was_on_its_way_elsewhere_is_forgotten_when_it_is_over(house: House) -> None:
    await house.caller("bob")
    await deleting(house, "bob")
    now = milliseconds(clock.now())
    await house.store.elsewhere.send("sign_in", "state", "browser", {}, now, now + 1000)
    tidying, left = house.services.tidying, []
    for ahead in (timedelta(), HANDLE_RESTS + timedelta(days=1)):
        tidying._forget_at = 0.0
        tidying._now = lambda ahead=ahead: clock.now() + ahead  # type: ignore[misc]
        await tidying.tidy()
        async with house.store._database.read() as connection:
            counts = [sa.select(sa.func.count()).select_from(t) for t in (resting_handles, elsewhere_errands)]
            left.append([(await connection.execute(count)).scalar() for count in counts])
    assert left == [[1, 1], [0, 0]]


async def test_the_last_administrator_stays(house: House) -> None:
    for handle in ("root", "other"):
        await house.caller(handle)
        await house.services.administering.set_role(AT_THE_MACHINE, handle, "administrator", "begins")
    work = [deleting(house, handle) for handle in ("root", "other")]
    assert sorted([await refusal_of(one) for one in asyncio.as_completed(work)]) == [
        "last_administrator",
        "yes",
    ]
    left = (await house.services.administering.people(AT_THE_MACHINE, "", None, 10)).people
    assert len(left) == 1
    assert (await house.services.sessions.sign_in(left[0].handle, PASSWORD)).account.role == "administrator"


async def test_a_silence_that_nobody_confirms_is_said_and_the_account_is_gone(house: House) -> None:
    room_id = await speaking(house)
    bob = (await house.caller("bob")).signed_in().account
    house.media.deaf = True
    with pytest.raises(Unavailable) as refused:
        await deleting(house, "bob")
    assert refused.value.code == "not_confirmed"
    assert not (await load(house, room_id)).may_be_heard(bob.id)
    assert await refusal_of(house.services.people.find("bob")) == "not_found"


@pytest.mark.parametrize("step", ["erase", "finish"])
async def test_what_a_dead_process_left_undone_is_gone_on_with(
    house: House, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    room_id = await speaking(house)
    bob = (await house.caller("bob")).signed_in().account

    async def dies(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(house.store.deletions, step, dies)
        with pytest.raises(RuntimeError):
            await deleting(house, "bob")
    assert await house.services.deletion.finish_what_is_overdue() == 0, "its own process may be at it"
    assert await refusal_of(house.services.sessions.sign_in("bob", PASSWORD)) == "wrong_credentials"
    monkeypatch.setattr(house.services.deletion, "_now", lambda: clock.now() + timedelta(minutes=1))
    assert await house.services.deletion.finish_what_is_overdue() == 1
    assert await house.services.deletion.finish_what_is_overdue() == 0
    named = (await house.store.accounts.by_ids([bob.id]))[bob.id]
    assert (named.name, named.bio, named.picture, named.deleted) == ("Deleted account", "", None, True)
    assert not (await load(house, room_id)).has_floor(bob.id)


async def test_a_start_on_its_way_does_not_bring_a_room_back(house: House) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "To come", "open", None, clock.now() + timedelta(hours=1))
    host = ada.signed_in().account.id
    await house.store.deletions.begin(host, clock.now())
    await house.store.deletions.erase(host, "deleted-x", clock.now())
    assert await refusal_of(house.services.rooms.come_about(room.id, r.Start(host))) == "no_floor"
    await house.services.deletion._go_on(host)
    async with house.store._database.read() as connection:
        state = (await connection.execute(sa.select(rooms.c.state).where(rooms.c.id == room.id))).scalar()
    assert state == "withdrawn"
    assert (await load(house, room.id)).state is not r.Lifecycle.LIVE


async def test_nothing_is_given_to_who_is_going(house: House) -> None:
    bob = (await house.caller("bob")).signed_in().account
    await house.store.deletions.begin(bob.id, clock.now())
    for asks in (
        house.services.people.find("bob"),
        house.services.people.reachable(await house.caller("ada"), "bob"),
    ):
        with pytest.raises(Refusal):
            await asks
    with pytest.raises(HandleTaken):
        await house.store.accounts.add("new", "bob", "Another", "-", clock.now())


async def test_a_picture_that_is_drawn_while_they_go_does_not_stay(house: House) -> None:
    bob, pictures = await house.caller("bob"), house.services.pictures
    await deleting(house, "bob")  # who calls was signed in before
    assert await refusal_of(pictures.put(bob, drawn("PNG"))) == "not_signed_in"
    assert [blob async for blob in pictures._blobs.below("pictures")] == []


async def test_no_way_of_signing_in_is_given_to_who_is_going(house: House) -> None:
    bob, store, now = await house.caller("bob"), house.store, clock.now()
    id, keyring = bob.signed_in().account.id, house.services.keyring
    await store.deletions.begin(id, now)
    passkey = Passkey("key", "credential", id, "public", 0, "A key", (), now.isoformat())
    for asks in (
        store.credentials.set_address(id, MAIL, now),
        store.credentials.add_passkey(passkey),
        store.elsewhere.link(Identity("oidc", "https://there bob", "bob"), id, now),
        keyring.make_codes(bob),
        keyring.set_password(bob, "a new secret", None),
        house.services.mailing.set_address(bob, MAIL, "en"),
    ):
        with pytest.raises(AccountGone):
            await asks
    assert await store.credentials.passkeys_of(id) == await store.elsewhere.identities_of(id) == []
    assert await store.credentials.address(id) is await store.mail_links.pending(id, 0) is None
    assert await store.credentials.count_codes(id) == 0
