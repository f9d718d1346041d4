"""Opening, listing, starting, ending and entering rooms, and inviting."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from parola.domain import rooms
from parola.domain.rooms import Access
from tests.web_process import BASE, NOW, Person, WebProcess

pytestmark = pytest.mark.any_database


def soon() -> str:
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


async def test_a_new_room_is_live_and_its_host_has_the_floor(web: WebProcess) -> None:
    ada = await web.member("ada")
    answer = await ada.post("/api/rooms", json={"title": "  A   room "})
    assert answer.status == 201
    room = answer.json
    assert room == {
        "id": room["id"],
        "url": f"{BASE}/r/{room['id']}",
        "title": "A room",
        "access": "open",
        "guests": True,
        "state": "live",
        "host": {"handle": "ada", "name": "Ada", "picture": None},
        "seq": 2,
        "speakers": [
            {
                "handle": "ada",
                "name": "Ada",
                "picture": None,
                "muted": False,
                "connected": False,
                "turn": None,
            }
        ],
        "visitors": [],
        "evidence": {"minutes": 5},
        "hands": [],
        "hands_locked": False,
        "hands_pause_s": None,
        "turns": None,
        "capacity": 50,
        "ends_at": None,
        "listeners_at_most": None,
        "offers": [],
        "offers_until": {},
        "cohosts": [],
        "successor": None,
        "acting_host": None,
        "audience": {"count": 0},
        "starts_at": None,
        "started_at": room["started_at"],
        "ended_at": None,
        "you": {
            "role": "host",
            "may_speak": True,
            "hand": False,
            "muted": False,
            "offered": False,
            "may_grant": True,
            "warning": None,
        },
    }
    assert room["started_at"].endswith("Z")
    assert len(room["id"]) >= 22, "128 random bits"
    shown = (await web.guest.get(f"/api/rooms/{room['id']}")).json
    assert shown["you"]["role"] == "guest"
    assert {**shown, "you": None} == {**room, "you": None}


async def test_a_scheduled_room_is_called_off(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens(starts_at="2999-01-02T03:04:05Z")
    path = f"/api/rooms/{room}"
    async with bob.reads(room) as stream:
        await stream.until("snapshot")
        called_off = (await ada.post(f"{path}/end")).json
        assert (called_off["state"], called_off["started_at"]) == ("ended", None)
        told = (await stream.rest())[-1]
        assert (told.kind, told.data["reason"]) == ("room.ended", "called_off")
    assert (await bob.get("/api/rooms?state=scheduled")).json["rooms"] == []
    assert (await ada.post(f"{path}/start")).said == (409, "not_scheduled")
    assert (await ada.post(f"{path}/end")).said == (409, "not_live")


async def test_a_scheduled_room_starts_and_ends(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens(starts_at="2999-01-02T03:04:05+01:00")
    path = f"/api/rooms/{room}"
    shown = (await ada.get(path)).json
    assert (shown["state"], shown["starts_at"]) == ("scheduled", "2999-01-02T02:04:05.000Z")
    assert (await bob.post(f"{path}/end")).said == (403, "host_only")
    assert (await bob.post(f"{path}/start")).said == (403, "host_only")
    assert (await bob.put(f"{path}/hands/me")).said == (409, "not_live")
    assert (await bob.connects(room)).said == (409, "not_live")
    started = await ada.post(f"{path}/start")
    assert (started.status, started.json["state"]) == (200, "live")
    assert (await ada.post(f"{path}/start")).said == (409, "not_scheduled")
    assert (await bob.post(f"{path}/end")).said == (403, "host_only")
    ended = await ada.post(f"{path}/end")
    assert (ended.status, ended.json["state"]) == (200, "ended")
    assert ended.json["ended_at"] is not None
    assert (await ada.post(f"{path}/end")).said == (409, "not_live")
    assert (await bob.get(path)).json["state"] == "ended"


async def test_guests_come_only_into_open_rooms(web: WebProcess) -> None:
    ada = await web.member("ada")
    closed_door = await ada.opens(guests=False)
    assert (await web.guest.get(f"/api/rooms/{closed_door}")).said == (404, "not_found")
    followers = await ada.opens(access="followers")
    assert (await ada.get(f"/api/rooms/{followers}")).json["guests"] is False
    refused = await ada.post("/api/rooms", json={"title": "T", "access": "invited", "guests": True})
    assert refused.said == (422, "invalid")


async def test_the_list_has_what_one_may_enter(web: WebProcess) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    rooms = {
        "open": await ada.opens(),
        "no guests": await ada.opens(guests=False),
        "followers": await ada.opens(access="followers"),
        "invited": await ada.opens(access="invited"),
    }
    await bob.put("/api/accounts/ada/follow")
    await ada.put(f"/api/rooms/{rooms['invited']}/invited/carla")
    await ada.put(f"/api/rooms/{rooms['open']}/removed/carla")

    async def listed(person: Any, query: str = "") -> set[str]:
        found = (await person.get(f"/api/rooms{query}")).json
        assert found["next"] is None
        names = {id: name for name, id in rooms.items()}
        return {names[room["id"]] for room in found["rooms"]}

    assert await listed(web.guest) == {"open"}
    assert await listed(ada) == set(rooms)
    assert await listed(bob) == {"open", "no guests", "followers"}
    assert await listed(carla) == {"no guests", "invited"}
    await ada.post(f"/api/rooms/{rooms['open']}/end")
    assert await listed(web.guest) == set()
    assert await listed(web.guest, "?state=ended") == {"open"}
    assert await listed(ada, "?state=scheduled") == set()


async def test_pages_of_the_list(web: WebProcess) -> None:
    ada = await web.member("ada")
    rooms = [await ada.opens() for _ in range(5)]
    seen: list[str] = []
    cursor = ""
    for size in (2, 2, 1):
        page = (await ada.get(f"/api/rooms?limit=2{cursor}")).json
        assert len(page["rooms"]) == size
        seen += [room["id"] for room in page["rooms"]]
        cursor = f"&cursor={page['next']}"
    assert page["next"] is None
    assert sorted(seen) == sorted(rooms)
    for bad in ("nonsense", "%00", "%ff", "a" * 199, "MTo", "MToA"):
        assert (await ada.get(f"/api/rooms?cursor={bad}")).said == (422, "invalid"), bad


CALLS = [
    ("GET", ""),
    ("GET", "/events"),
    ("POST", "/start"),
    ("POST", "/end"),
    ("DELETE", "/listeners_at_most"),
    ("PUT", "/invited/ada"),
    ("DELETE", "/invited/ada"),
    ("PUT", "/hands/me"),
    ("DELETE", "/hands/me"),
    ("DELETE", "/hands/ada"),
    ("PUT", "/locks/hands"),
    ("DELETE", "/locks/hands"),
    ("PUT", "/floor/ada"),
    ("POST", "/floor/accept"),
    ("POST", "/floor/decline"),
    ("DELETE", "/floor/ada"),
    ("PUT", "/mutes/ada"),
    ("DELETE", "/mutes/ada"),
    ("PUT", "/mutes"),
    ("PUT", "/removed/ada"),
    ("DELETE", "/removed/ada"),
    ("PUT", "/cohosts/ada"),
    ("DELETE", "/cohosts/ada"),
    ("POST", "/whep"),
    ("POST", "/whip"),
]


def _sdp(path: str) -> dict[str, Any]:
    if path not in ("/whep", "/whip"):
        return {}
    return {"content": b"v=0\r\n", "headers": {"Content-Type": "application/sdp"}}


@pytest.mark.parametrize(("method", "call"), CALLS)
async def test_an_invisible_room_is_answered_like_none(web: WebProcess, method: str, call: str) -> None:
    ada, bob = await web.members("ada", "bob")
    answers = []
    for room in (
        await ada.opens(access="invited"),
        await ada.opens(access="followers"),
        await ada.opens(access="mutuals"),
        "A" * 22,
        "no%00id",
        "x" * 300,
        "%ff",
    ):
        for handle in ("ada", "nobody"):
            path = f"/api/rooms/{room}{call.replace('ada', handle)}"
            answers.append(await bob.call(method, path, **_sdp(call)))
    assert {a.said for a in answers} == {(404, "not_found")}
    assert len({a.content for a in answers}) == 1
    assert len({str(sorted(a.headers.items())) for a in answers}) == 1


@pytest.mark.parametrize("blocker", ["ada", "bob"])
@pytest.mark.parametrize(("method", "call"), CALLS)
async def test_a_room_behind_a_block_is_answered_like_none(
    web: WebProcess, method: str, call: str, blocker: str
) -> None:
    ada, bob = await web.members("ada", "bob")
    before = await ada.opens()
    for person, other in ((ada, "bob"), (bob, "ada")):
        if person.handle == blocker:
            assert (await person.put(f"/api/accounts/{other}/block")).status == 204
    answers = []
    for room in (before, await ada.opens(), await ada.opens(access="link"), "A" * 22):
        for handle in ("ada", "nobody"):
            path = f"/api/rooms/{room}{call.replace('ada', handle)}"
            answers.append(await bob.call(method, path, **_sdp(call)))
    assert {a.said for a in answers} == {(404, "not_found")}
    assert len({a.content for a in answers}) == 1
    assert len({str(sorted(a.headers.items())) for a in answers}) == 1


@pytest.mark.parametrize(("method", "call"), CALLS)
async def test_who_was_removed_hears_so(web: WebProcess, method: str, call: str) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    await ada.put(f"/api/rooms/{room}/removed/bob")
    assert (await bob.call(method, f"/api/rooms/{room}{call}", **_sdp(call))).said == (403, "removed")


@pytest.mark.parametrize(("method", "call"), CALLS)
async def test_guests_see_and_hear_and_nothing_else(web: WebProcess, method: str, call: str) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    if call == "/events":
        await ada.post(f"/api/rooms/{room}/end")
    answer = await web.guest.call(method, f"/api/rooms/{room}{call}", **_sdp(call))
    if method == "GET":
        assert answer.status == 200
    elif call == "/whep":
        assert answer.status == 201
    else:
        assert answer.said == (401, "not_signed_in")


class TestInvitations:
    async def test_let_in_and_take_back(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens(access="invited")
        path = f"/api/rooms/{room}"
        for _ in range(2):
            assert (await ada.put(f"{path}/invited/bob")).status == 204
        assert (await bob.get(path)).status == 200
        await bob.put(f"{path}/hands/me")
        await ada.put(f"{path}/floor/bob")
        for _ in range(2):
            assert (await ada.delete(f"{path}/invited/bob")).status == 204
        assert (await bob.get(path)).said == (404, "not_found")
        assert [s["handle"] for s in (await ada.get(path)).json["speakers"]] == ["ada"]

    async def test_only_the_host_invites(self, web: WebProcess) -> None:
        ada, bob, _carla = await web.members("ada", "bob", "carla")
        room = await ada.opens()
        path = f"/api/rooms/{room}"
        await ada.put(f"{path}/cohosts/bob")
        for method in ("PUT", "DELETE"):
            assert (await bob.call(method, f"{path}/invited/carla")).said == (403, "host_only")
            assert (await ada.call(method, f"{path}/invited/nobody")).said == (404, "not_found")

    async def test_the_host_sees_whom_they_have_invited(self, web: WebProcess) -> None:
        ada, bob, carla, dan = await web.members("ada", "bob", "carla", "dan")
        path = f"/api/rooms/{await ada.opens(access='invited')}/invited"
        for handle in ("dan", "carla", "bob"):
            await ada.put(f"{path}/{handle}")

        async def seen() -> list[str]:
            return [one["handle"] for one in (await ada.get(path)).json["people"]]

        assert await seen() == ["bob", "carla", "dan"]
        await ada.delete(f"{path}/carla")
        await ada.put("/api/accounts/dan/block")
        assert await seen() == ["bob"]
        await ada.delete("/api/accounts/dan/block")
        assert await seen() == ["bob", "dan"]
        assert (await bob.get(path)).said == (403, "host_only")
        assert (await carla.get(path)).said == (404, "not_found")
        assert (await dan.get(path)).said == (403, "host_only")

    async def test_nobody_learns_who_is_invited(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        room = await ada.opens(access="invited")
        await ada.put(f"/api/rooms/{room}/invited/bob")
        await ada.put(f"/api/rooms/{room}/invited/carla")
        await ada.post(f"/api/rooms/{room}/end")
        async with bob.reads(room, "0") as stream:
            told = await stream.rest()
        assert "carla" not in str(told)
        assert carla.id not in str(told)


class TestDoors:
    ROLES = (
        "guest",
        "stranger",
        "follower",
        "followed",
        "mutual",
        "invited",
        "cohost",
        "host",
        "blocked",
        "blocker",
    )
    MEMBERS = frozenset(ROLES) - {"guest", "blocked", "blocker"}
    ENTERS = (
        ({"access": "open"}, MEMBERS | {"guest"}, MEMBERS | {"guest"}),
        ({"access": "open", "guests": False}, MEMBERS, MEMBERS),
        ({"access": "link"}, MEMBERS | {"guest"}, {"host"}),
        ({"access": "link", "guests": False}, MEMBERS, {"host"}),
        ({"access": "followers"}, *[{"follower", "mutual", "invited", "cohost", "host"}] * 2),
        ({"access": "mutuals"}, *[{"mutual", "invited", "cohost", "host"}] * 2),
        ({"access": "invited"}, *[{"invited", "cohost", "host"}] * 2),
    )

    @pytest.mark.parametrize(("opened", "enter", "find"), ENTERS, ids=[str(row[0]) for row in ENTERS])
    async def test_who_enters_and_who_finds(
        self, web: WebProcess, opened: dict[str, Any], enter: set[str], find: set[str]
    ) -> None:
        """Each role, each call by which one can learn of a room."""
        host, *others = await web.members(
            "host", *(role for role in self.ROLES if role not in ("guest", "host"))
        )
        people = {"guest": web.guest, "host": host, **{one.handle: one for one in others}}
        for role in ("follower", "mutual"):
            await people[role].put("/api/accounts/host/follow")
        for role in ("followed", "mutual"):
            await host.put(f"/api/accounts/{role}/follow")
        await host.put("/api/accounts/blocked/block")
        await people["blocker"].put("/api/accounts/host/block")
        room = await host.opens(title="Wanted", **opened)
        await host.put(f"/api/rooms/{room}/invited/invited")
        await host.put(f"/api/rooms/{room}/cohosts/cohost")
        for role, who in people.items():
            path = f"/api/rooms/{room}"
            answers = [
                await who.get(path),
                await who.get(f"{path}/audience"),
                await who.get(f"{path}/qr.svg"),
                await who.connects(room),
            ]
            assert {a.status < 400 for a in answers} == {role in enter}, role
            if role not in enter:
                assert {a.said for a in answers} == {(404, "not_found")}, role
            finds = [
                room in str((await who.get(f"/api/rooms{asked}")).content) for asked in ("", "?q=wanted")
            ]
            theirs = await who.get("/api/accounts/host/rooms?state=live")
            profile = await who.get("/api/accounts/host")
            shown = [*finds, room in str(theirs.content), room in str(profile.content)]
            assert set(shown) == {role in find}, (role, shown)

    async def test_guests_come_only_where_the_address_is_enough(self, web: WebProcess) -> None:
        ada = await web.member("ada")
        for access in ("followers", "mutuals", "invited"):
            answer = await ada.post("/api/rooms", json={"title": "T", "access": access, "guests": True})
            assert answer.said == (422, "invalid")
        assert (await ada.post("/api/rooms", json={"title": "T", "access": "nobody"})).said == (
            422,
            "invalid",
        )


class TestListenersAtMost:
    async def test_no_more_listeners_than_the_host_says(self, web: WebProcess) -> None:
        ada, bob, carla, dan = await web.members("ada", "bob", "carla", "dan")
        room = await ada.opens(listeners_at_most=2)
        path = f"/api/rooms/{room}"
        assert (await ada.get(path)).json["listeners_at_most"] == 2
        await ada.put(f"{path}/cohosts/dan")
        for who in (bob, web.guest):
            assert (await who.connects(room)).status == 201
        await web.media.tell_presence(room)
        for who in (carla, web.guest):
            assert (await who.connects(room)).said == (409, "room_full")
        for who in (ada, dan, bob):
            assert (await who.connects(room)).status == 201, "who leads, and who is there already"
        await carla.put(f"{path}/hands/me")
        await ada.put(f"{path}/floor/carla")
        assert (await carla.connects(room)).status == 201, "who has the floor"
        assert (await ada.delete(f"{path}/listeners_at_most")).status == 204
        assert (await ada.get(path)).json["listeners_at_most"] is None
        assert (await web.guest.connects(room)).status == 201

    async def test_only_the_host_says_so(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        room = await ada.opens()
        path = f"/api/rooms/{room}"
        await ada.put(f"{path}/cohosts/bob")
        for who in (bob, carla):
            assert (await who.put(f"{path}/listeners_at_most", json={"listeners": 5})).said == (
                403,
                "host_only",
            )
            assert (await who.delete(f"{path}/listeners_at_most")).said == (403, "host_only")
        assert (await web.guest.put(f"{path}/listeners_at_most", json={"listeners": 5})).said == (
            401,
            "not_signed_in",
        )
        async with bob.reads(room) as stream:
            await stream.until("snapshot")
            assert (await ada.put(f"{path}/listeners_at_most", json={"listeners": 5})).status == 204
            told = await stream.until("listeners.limited")
            assert (told.id, told.data["listeners_at_most"]) == (4, 5)
        for wrong in (0, -1, 10_000_000, 1.5, "5", None):
            assert (await ada.put(f"{path}/listeners_at_most", json={"listeners": wrong})).said == (
                422,
                "invalid",
            ), wrong
            if wrong is not None:
                answer = await ada.post("/api/rooms", json={"title": "T", "listeners_at_most": wrong})
                assert answer.said == (422, "invalid"), wrong


async def test_a_scheduled_room_is_in_the_future(web: WebProcess) -> None:
    ada = await web.member("ada")
    for bad in ("2020-01-01T00:00:00Z", "2999-01-01T00:00:00", "soon", "", "9999-12-31T23:59:59-12:00"):
        assert (await ada.post("/api/rooms", json={"title": "T", "starts_at": bad})).said == (422, "invalid")
    assert await ada.opens(starts_at=soon())


class TestFinding:
    async def _found(self, who: Person, path: str = "/api/rooms", **asked: object) -> list[str]:
        answer = await who.get(path, params=asked)
        assert answer.status == 200, answer.content
        return [room["title"] for room in answer.json["rooms"]]

    async def test_by_title_or_host_without_case_and_accents(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        await bob.patch("/api/me", json={"name": "Zoë Straße"})
        await ada.opens(title="Perché no? 100 % Università")
        await bob.opens(title="Bread")
        await carla.opens(title="Bread, in private", access="invited")
        assert await self._found(web.guest, q="PERCHE") == ["Perché no? 100 % Università"]
        assert await self._found(web.guest, q="universita\u0300") == ["Perché no? 100 % Università"]
        assert await self._found(web.guest, q="100 %") == ["Perché no? 100 % Università"]
        assert await self._found(web.guest, q="1%a") == []
        assert await self._found(web.guest, q="zoe strasse") == ["Bread"]
        assert await self._found(web.guest, q="bob") == ["Bread"]
        assert await self._found(web.guest, q="bread") == ["Bread"], "what one may not enter is not found"
        assert await self._found(carla, q="bread") == ["Bread, in private", "Bread"]
        assert await self._found(web.guest, q="  ", limit=1) == ["Bread"]
        assert (await web.guest.get("/api/rooms", params={"q": "a" * 101})).said == (422, "invalid")

    async def test_of_those_one_follows(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        await ada.opens(title="Ada's")
        await bob.opens(title="Bob's")
        await carla.put("/api/accounts/ada/follow")
        assert await self._found(carla, following=True) == ["Ada's"]
        assert await self._found(bob, following=True) == []
        assert (await web.guest.get("/api/rooms", params={"following": True})).said == (401, "not_signed_in")

    async def test_those_of_one_account(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        for title, access in (("First", "open"), ("Second", "followers"), ("Third", "open")):
            room = await ada.opens(title=title, access=access)
            await ada.post(f"/api/rooms/{room}/end")
        await ada.opens(title="Now")
        await bob.opens(title="Bob's")
        path = "/api/accounts/ada/rooms"
        assert await self._found(web.guest, path) == ["Third", "First"]
        assert await self._found(ada, path) == ["Third", "Second", "First"]
        assert await self._found(bob, path, state="live") == ["Now"]
        first = (await ada.get(path, params={"limit": 2})).json
        assert await self._found(ada, path, cursor=first["next"]) == ["First"]
        assert (await ada.get("/api/accounts/nobody/rooms")).said == (404, "not_found")

    async def test_what_comes_is_listed_soonest_first_and_what_is_overdue_by_its_host_alone(
        self, web: WebProcess
    ) -> None:
        ada = await web.member("ada")
        for title, hours in (("Later", 30), ("Sooner", 20), ("Last", 40)):
            await ada.opens(title=title, starts_at=(datetime.now(UTC) + timedelta(hours=hours)).isoformat())
        created = rooms.create(
            "old", ada.id, "Overdue", Access.OPEN, True, datetime(2026, 1, 2, tzinfo=UTC), NOW
        )
        await web.store.rooms.create(rooms.fold(None, created), created)
        assert await self._found(web.guest, state="scheduled") == ["Sooner", "Later", "Last"]
        first = (await web.guest.get("/api/rooms", params={"state": "scheduled", "limit": 2})).json
        assert await self._found(web.guest, state="scheduled", cursor=first["next"]) == ["Last"]
        assert (await self._found(ada, "/api/accounts/ada/rooms", state="scheduled"))[0] == "Overdue"


class TestAudience:
    async def test_members_are_seen_who_let_themselves_be_seen(self, web: WebProcess) -> None:
        ada, bob, carla, dan = await web.members("ada", "bob", "carla", "dan")
        room = await ada.opens()
        path = f"/api/rooms/{room}/audience"
        assert (await web.guest.get(path)).json == {"count": 0, "people": []}
        for person in (ada, bob, carla, dan, web.guest):
            await person.connects(room)
        assert (await carla.patch("/api/me", json={"listen_unseen": True})).json["listen_unseen"] is True
        assert (await carla.get("/api/me")).json["listen_unseen"] is True
        await web.media.tell_presence(room)
        bob_and_dan = [
            {"handle": "bob", "name": "Bob", "picture": None},
            {"handle": "dan", "name": "Dan", "picture": None},
        ]
        assert (await web.guest.get(path)).json == {"count": 4, "people": bob_and_dan}
        assert (await web.guest.get(path, params={"limit": 1})).json == {
            "count": 4,
            "people": bob_and_dan[:1],
        }

    async def test_it_is_for_those_who_may_enter(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens(access="invited")
        assert (await bob.get(f"/api/rooms/{room}/audience")).said == (404, "not_found")
        await ada.put(f"/api/rooms/{room}/invited/bob")
        assert (await bob.get(f"/api/rooms/{room}/audience")).status == 200
