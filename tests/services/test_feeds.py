"""Event streams: whoever folds them by the protocol's words alone arrives at what a fresh snapshot says."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from parola.bus import subjects
from parola.bus.messages import Gone, Levels, PresenceChanged, Present
from parola.domain import rooms as r
from parola.domain.errors import Refusal
from parola.domain.rollout import Policies, Stage
from parola.services.caller import GUEST, Caller
from tests.services.house import House, opened

HANDLES = ("ada", "bob", "carla", "dora")
TERMS = r.Terms(1, Stage.TESTERS, Policies(speakers_at_most=3, minutes_at_most=10))
SAYS_ONLY_THAT_IT_HAPPENED = {
    "person.restored", "person.invited", "person.uninvited", "person.shut_out", "person.let_in",
}  # fmt: skip


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


class Stream:
    """One reader, whose events are taken one by one."""

    def __init__(self, house: House, caller: Caller, room: r.Room, last_seq: int | None = None) -> None:
        self._told = house.services.feeds.read(caller, room, last_seq)

    async def next(self) -> tuple[str, Any, int | None]:
        """(kind, data, id); raises StopAsyncIteration at the end of the stream."""
        text = (await asyncio.wait_for(anext(self._told), 5)).decode()
        fields = dict(line.split(": ", 1) for line in text.strip().split("\n"))
        return fields["event"], json.loads(fields["data"]), int(fields["id"]) if "id" in fields else None

    async def until(self, seq: int) -> list[tuple[str, Any]]:
        """All events up to the lasting one with this seq."""
        found = []
        while True:
            kind, data, id = await self.next()
            found.append((kind, data))
            if id is not None and id >= seq:
                return found

    async def close(self) -> None:
        await self._told.aclose()  # type: ignore[attr-defined]


def fold(snapshot: dict[str, Any], events: list[tuple[str, Any]]) -> dict[str, Any]:
    """The protocol's rules for clients, written down a second time."""
    room = json.loads(json.dumps(snapshot))
    for kind, data in events:
        if "seq" not in data:
            continue
        room["seq"] = data["seq"]
        handle = data.get("handle")
        person = {"handle": handle, "name": data.get("name"), "picture": data.get("picture")}
        left = {
            name: [x for x in room[name] if (x if isinstance(x, str) else x["handle"]) != handle]
            for name in ("hands", "offers", "speakers", "cohosts", "visitors")
        }
        if kind == "room.started":
            room |= {"state": "live", "started_at": data["at"], "ends_at": data.get("ends_at")}
            if "capacity" in data:
                room["capacity"] = min(filter(None, (room["capacity"], data["capacity"])))
                room["hands_locked"] = room["hands_locked"] or not data["hands"]
        elif kind == "room.closing":
            room["ends_at"] = data["ends_at"]
        elif kind == "room.ended":
            room |= {"state": "ended", "ended_at": data["at"], "ends_at": None}
            room |= {"hands": [], "offers": [], "offers_until": {}, "visitors": []}
        elif kind == "hand.raised":
            hand = {**person, "raised_at": data["raised_at"], "note": data["note"]}
            room["hands"] = [*room["hands"], hand]
        elif kind == "hand.noted":
            noted = [h | {"note": data["note"]} if h["handle"] == handle else h for h in room["hands"]]
            room["hands"] = noted
        elif kind == "hands.slowed":
            room["hands_pause_s"] = data["pause_s"]
        elif kind == "hands.unslowed":
            room["hands_pause_s"] = None
        elif kind in ("turns.set", "turns.lifted"):
            is_set = kind == "turns.set"
            room["turns"] = {k: data[k] for k in ("soft_s", "hard_s")} if is_set else None
            leads = [room["host"]["handle"], *room["cohosts"]]
            turn = data["turn"] if is_set else None
            room["speakers"] = [s if s["handle"] in leads else {**s, "turn": turn} for s in room["speakers"]]
        elif kind == "stage.sized":
            room["capacity"] = data["capacity"]
        elif kind == "listeners.limited":
            room["listeners_at_most"] = data["listeners_at_most"]
        elif kind == "successor.named":
            room["successor"] = handle
        elif kind == "successor.dropped":
            room["successor"] = None
        elif kind == "host.succeeded":
            room["acting_host"] = handle
        elif kind == "host.returned":
            room["acting_host"] = None
        elif kind == "hand.lowered":
            room["hands"] = left["hands"]
        elif kind in ("hands.locked", "hands.unlocked"):
            room["hands_locked"] = kind == "hands.locked"
        elif kind == "floor.offered":
            room["offers"] = [*left["offers"], handle]
            room["offers_until"][handle] = data["expires_at"]
        elif kind == "floor.declined":
            room["offers"] = left["offers"]
        elif kind == "floor.granted":
            room |= {"hands": left["hands"], "offers": left["offers"]}
            speaker = {**person, "muted": False, "connected": False, "turn": data["turn"]}
            room["speakers"] = [*room["speakers"], speaker]
        elif kind == "floor.revoked":
            room["speakers"] = left["speakers"]
        elif kind in ("speaker.muted", "speaker.unmuted"):
            muted = kind == "speaker.muted"
            room["speakers"] = [
                {**s, "muted": muted} if s["handle"] == handle else s for s in room["speakers"]
            ]
        elif kind == "person.removed":
            room |= left
        elif kind == "cohost.added":
            room["cohosts"] = [*room["cohosts"], handle]
            room["speakers"] = [s | {"turn": None} if s["handle"] == handle else s for s in room["speakers"]]
        elif kind == "cohost.removed":
            room["cohosts"] = left["cohosts"]
            turn = data["turn"]
            room["speakers"] = [s | {"turn": turn} if s["handle"] == handle else s for s in room["speakers"]]
        elif kind == "visit.began":
            room["visitors"] = [*room["visitors"], person]
        elif kind == "visit.ended":
            room["visitors"] = left["visitors"]
        else:
            assert kind in SAYS_ONLY_THAT_IT_HAPPENED, f"no rule for {kind}"
        room["offers_until"] = {k: v for k, v in room["offers_until"].items() if k in room["offers"]}
        for place in ("successor", "acting_host"):
            room[place] = room[place] if room[place] in room["cohosts"] else None
    return room


def soon() -> datetime:
    return datetime.now(UTC) + timedelta(hours=1)


def lasting(room: dict[str, Any]) -> dict[str, Any]:
    """What folding has to reproduce."""
    kept = {key: value for key, value in room.items() if key not in ("audience", "you")}
    kept["speakers"] = [{k: v for k, v in s.items() if k != "connected"} for s in room["speakers"]]
    kept["visitors"] = sorted(room["visitors"], key=lambda one: str(one["handle"]))
    return kept


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("access", ["open", "invited"])
async def test_snapshot_and_events_give_the_next_snapshot(house: House, seed: int, access: str) -> None:
    dice = random.Random(seed)
    people = {handle: await house.caller(handle) for handle in HANDLES}
    ids = {handle: str(caller.account_id) for handle, caller in people.items()}
    await house.store.accounts.set_picture(ids[HANDLES[-1]], "version")
    room = await house.services.rooms.open(people["ada"], "Converge", access, None, soon())
    stream = Stream(house, people["ada"], room)
    kind, snapshot, _ = await stream.next()
    assert kind == "snapshot"
    await house.services.rooms.come_about(room.id, r.Start(ids["ada"], dice.choice([None, TERMS])))
    kinds = [
        r.RaiseHand, r.LowerHand, r.Accept, r.Decline, r.MuteAll, r.LockHands, r.UnlockHands, r.Next, r.LiftTurns,
        r.UnslowHands, lambda by: r.RaiseHand(by, dice.choice(["why?", ""])), lambda by: r.SizeStage(by, 3),
        lambda by: r.SetTurns(by, 5, dice.choice([10, 20])), lambda by: r.SlowHands(by, 5),
        lambda by: r.LimitListeners(by, dice.choice([None, 9])),
    ]  # fmt: skip
    about = [
        r.Grant, r.Revoke, r.Mute, r.Unmute, r.Remove, r.Restore, r.AddCohost, r.Invite, r.Uninvite, r.NameSuccessor,
        r.DropSuccessor,
    ]  # fmt: skip
    administers = [r.Visit, r.EndVisit, r.Silence, r.PutOut]
    for _ in range(90):
        if dice.random() < 0.2:
            other = ids[dice.choice(HANDLES[1:])]
            for command in (
                dice.choice(administers)(r.ADMINISTRATION, other),
                dice.choice([r.ShutOut, r.LetIn])(dice.choice([ids["ada"], other]), other),
                r.LowerHands(r.HOUSE, frozenset({other})),
            ):
                await house.services.rooms.come_about(room.id, command)
            in_six_minutes = datetime.now(UTC) + timedelta(minutes=6)
            await house.services.rooms.come_about(room.id, r.RunOut(r.HOUSE), in_six_minutes)
        if dice.random() < 0.1:
            now = await house.store.rooms.load(room.id)
            assert now is not None
            if now.successor is not None and now.acting is None:
                away = r.LeaveHost(r.HOUSE, frozenset({now.host}))
                await house.services.rooms.come_about(room.id, away)
            else:
                await house.services.rooms.come_about(room.id, r.ReturnHost(r.HOUSE))
            ahead = datetime.now(UTC) + timedelta(seconds=dice.choice([0, 11, 61]))
            await house.services.rooms.come_about(room.id, r.Sweep(r.HOUSE), ahead)
        by = people["ada"] if dice.random() < 0.6 else people[dice.choice(HANDLES)]
        whom = ids[dice.choice(HANDLES)]
        make: Any = dice.choice(kinds)
        if dice.random() < 0.7:
            targeted: Any = dice.choice(about)
            make = lambda by, targeted=targeted, whom=whom: targeted(by, whom)  # noqa: E731
        try:
            await house.services.rooms.command(by, room.id, make)
        except Refusal:
            continue
    await house.services.rooms.command(people["ada"], room.id, r.End)
    final = await house.store.rooms.load(room.id)
    assert final is not None
    events = await stream.until(final.seq)
    assert [d["seq"] for _, d in events if "seq" in d] == list(range(snapshot["seq"] + 1, final.seq + 1))
    shown = await house.services.views.room(final, people["ada"])
    assert lasting(fold(snapshot, events)) == lasting(shown)
    with pytest.raises(StopAsyncIteration):
        await stream.next()


async def test_every_kind_of_event_leads_to_the_next_snapshot(house: House) -> None:
    """Of a new kind this asks for a command that leads to it, and for a rule above."""
    ada, *others = [await house.caller(handle) for handle in HANDLES]
    a, b, c, d = [str(one.account_id) for one in (ada, *others)]
    rooms, admin = house.services.rooms, r.ADMINISTRATION
    room = await rooms.open(ada, "Every kind", "open", None, soon())
    stream = Stream(house, ada, room)
    _, folded, _ = await stream.next()
    kinds = set[type[r.Event]]()
    begin = datetime.now(UTC)
    for command in (
        r.LockHands(a), r.UnlockHands(a), r.SlowHands(a, 5), r.UnslowHands(a), r.SetTurns(a, 5, 10),
        r.LimitListeners(a, 9), r.Invite(a, b), r.Uninvite(a, b), r.Start(a, TERMS),
        r.RaiseHand(b, "why?"), r.RaiseHand(b, "how?"), r.LowerHands(r.HOUSE, frozenset({b})),
        r.RaiseHand(c), r.Grant(a, c), r.Mute(c, c), r.Unmute(c, c), r.Revoke(a, c), r.Grant(a, b), r.Decline(b),
        r.LiftTurns(a), r.SizeStage(a, 2),
        r.AddCohost(a, b), r.NameSuccessor(a, b), r.LeaveHost(r.HOUSE, frozenset({a})), r.ReturnHost(r.HOUSE),
        r.DropSuccessor(a, b), r.RemoveCohost(a, b),
        r.Visit(admin, d), r.EndVisit(admin, d), r.Visit(admin, d), r.ShutOut(a, d), r.LetIn(a, d),
        r.Visit(admin, d), r.PutOut(admin, d), r.Restore(a, d),
        r.RunOut(r.HOUSE), r.RunOut(r.HOUSE),
    ):  # fmt: skip
        at = begin + timedelta(minutes=11 if r.RoomClosing in kinds else 6)
        carried = await rooms.come_about(room.id, command, at if isinstance(command, r.RunOut) else None)
        assert carried.events, command
        events = await stream.until(carried.room.seq)
        folded = fold(folded, events)
        shown = await house.services.views.room(carried.room, ada)
        assert lasting(folded) == lasting(shown), command
        kinds |= {type(event) for event in carried.events}
    assert kinds == r.EVENT_TYPES - {r.RoomCreated}


async def test_coming_back_brings_exactly_what_was_missed(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "Back", "open", True, None)
    for _ in range(3):
        await house.services.rooms.command(bob, room.id, r.RaiseHand)
        await house.services.rooms.command(bob, room.id, r.LowerHand)
    now = await house.services.gate.enter(ada, room.id)
    stream = Stream(house, ada, now, last_seq=room.seq + 2)
    events = await stream.until(now.seq)
    assert [d["seq"] for _, d in events] == list(range(room.seq + 3, now.seq + 1))
    await house.services.rooms.command(bob, room.id, r.RaiseHand)
    assert [d["seq"] for _, d in await stream.until(now.seq + 1) if "seq" in d] == [now.seq + 1]
    await stream.close()


@pytest.mark.parametrize("last_seq", [None, 10_000])
async def test_a_number_that_cannot_be_gets_a_snapshot(house: House, last_seq: int | None) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "Snapshot", "open", True, None)
    stream = Stream(house, GUEST, room, last_seq)
    kind, data, id = await stream.next()
    assert (kind, data["id"], id) == ("snapshot", room.id, room.seq)
    assert data["you"]["role"] == "guest"
    await stream.close()


async def test_a_removed_readers_stream_ends_and_others_go_on(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "Removed", "open", True, None)
    bobs, guests = Stream(house, bob, room), Stream(house, GUEST, room)
    await bobs.next(), await guests.next()
    bob_id = str(bob.account_id)
    carried = await house.services.rooms.command(ada, room.id, lambda by: r.Remove(by, bob_id))
    assert (await bobs.until(carried.room.seq))[-1][0] == "person.removed"
    with pytest.raises(StopAsyncIteration):
        await bobs.next()
    await guests.until(carried.room.seq)
    await house.services.rooms.command(ada, room.id, lambda by: r.Restore(by, bob_id))
    assert (await guests.until(carried.room.seq + 1))[-1][0] == "person.restored"
    await guests.close()


async def test_a_lost_message_is_healed_by_the_comparison(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "Lost", "open", True, None)
    stream = Stream(house, ada, room)
    await stream.next()
    house.bus.lose.add(subjects.room_events(room.id))
    await house.services.rooms.command(bob, room.id, r.RaiseHand)
    await house.services.projections.compare()
    assert (await stream.until(room.seq + 1))[-1][0] == "hand.raised"
    await stream.close()


async def test_passing_things_are_told_by_handle_and_the_dead_by_name_of_connection(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "Passing", "open", True, None)
    stream = Stream(house, ada, room)
    await stream.next()
    listeners: list[Present] = [
        ("1", str(bob.account_id)),
        ("2", str(bob.account_id)),
        ("3", None),
        ("4", None),
    ]
    presence = PresenceChanged("p", room.id, 0, 1, listeners, [("5", str(ada.account_id))], [])
    await house.bus.publish(subjects.PRESENCE, presence.to_bytes())
    assert (await stream.next())[:2] == ("audience", {"count": 3})
    assert (await stream.next())[:2] == ("presence", {"handle": "ada", "connected": True})
    levels = Levels(room.id, {str(ada.account_id): 0.5, "nobody": 0.9})
    await house.bus.publish(subjects.room_passing(room.id), levels.to_bytes())
    assert (await stream.next())[:2] == ("levels", {"ada": 0.5})
    await house.bus.publish(subjects.MEDIA_GONE, Gone("p").to_bytes())
    kind, data, id = await stream.next()
    assert (kind, id) == ("reconnect", None)
    assert sorted(data["connections"]) == ["p.1", "p.2", "p.3", "p.4", "p.5"]
    assert (await stream.next())[:2] == ("audience", {"count": 0})
    await stream.close()


async def test_whoever_comes_back_after_the_word_is_told_of_it_for_a_while(house: House) -> None:
    """Their stream died with the machine that their connection was on."""
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "Late word", "open", True, None)
    presence = PresenceChanged("p", room.id, 0, 1, [("1", None)], [], [])
    await house.bus.publish(subjects.PRESENCE, presence.to_bytes())
    await house.bus.publish(subjects.MEDIA_GONE, Gone("p").to_bytes())
    await house.bus.drained()
    stream = Stream(house, GUEST, room)
    assert (await stream.next())[0] == "snapshot"
    kind, data, id = await stream.next()
    assert (kind, id, data["connections"]) == ("reconnect", None, ["p.1"])
    await stream.close()
    house.services.audience._monotonic = lambda: 1e9
    later = Stream(house, GUEST, room)
    assert (await later.next())[0] == "snapshot"
    await house.services.rooms.command(ada, room.id, lambda by: r.Mute(by, by))
    assert (await later.next())[0] == "speaker.muted"
    await later.close()


async def test_who_does_not_read_is_let_go_and_nobody_else_notices(house: House) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "Slow reader", "open", True, None)
    slow, quick = Stream(house, ada, room), Stream(house, GUEST, room)
    await slow.next(), await quick.next()
    for i in range(150):
        await house.services.rooms.command(bob, room.id, r.RaiseHand)
        await house.services.rooms.command(bob, room.id, r.LowerHand)
        await quick.until(room.seq + 2 * i + 2)
    told = 0
    try:
        while True:
            await slow.next()
            told += 1
    except StopAsyncIteration:
        pass
    assert told < 300
    await quick.close()
