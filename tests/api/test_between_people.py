"""Following, private accounts, blocks and hushes: who may do what to whom, and what others see of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web_process import Person, WebProcess


async def people_of(who: Person, path: str) -> list[str]:
    answer = await who.get(path)
    assert answer.status == 200, answer.content
    assert answer.json.keys() == {"people", "next"}
    return [one["handle"] for one in answer.json["people"]]


CALLS = [
    ("GET", "/api/me/requests"),
    ("GET", "/api/me/blocks"),
    ("GET", "/api/me/hushes"),
    ("GET", "/api/me/events"),
    ("PUT", "/api/me/requests/ada"),
    ("DELETE", "/api/me/requests/ada"),
    *[(method, f"/api/accounts/ada/{what}") for method in ("PUT", "DELETE") for what in ("follow", "block", "hush")],
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_a_guest_is_asked_who_they_are(web: WebProcess, method: str, path: str) -> None:
    await web.member("ada")
    assert (await web.guest.call(method, path)).said == (401, "not_signed_in")


@pytest.mark.parametrize(("method", "path"), [(m, p) for m, p in CALLS if p.count("/") > 3 and "ada" in p])
async def test_oneself_and_nobody(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    expected = (404, "not_found") if "requests" in path else (422, "invalid")
    assert (await ada.call(method, path)).said == expected
    for handle in ("nobody", "Not A Handle", "me", "a" * 80):
        assert (await ada.call(method, path.replace("ada", handle))).said == (404, "not_found")


class TestFollowing:
    async def test_lists_and_mutuals(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        for one in (bob, carla):
            await one.put("/api/accounts/ada/follow")
        await ada.put("/api/accounts/bob/follow")
        assert sorted(await people_of(web.guest, "/api/accounts/ada/followers")) == ["bob", "carla"]
        assert await people_of(carla, "/api/accounts/ada/following") == ["bob"]
        assert (await ada.get("/api/accounts/bob")).json["follows_you"] is True
        assert (await ada.get("/api/accounts/carla")).json["follows_you"] is True
        assert (await carla.get("/api/accounts/bob")).json["follows_you"] is False
        assert (await ada.get("/api/accounts/ada")).json["follows_you"] is False
        first = (await ada.get("/api/accounts/ada/followers?limit=1")).json
        second = (await ada.get(f"/api/accounts/ada/followers?limit=1&cursor={first['next']}")).json
        assert second["next"] is None
        assert {one["people"][0]["handle"] for one in (first, second)} == {"bob", "carla"}
        assert (await ada.get("/api/accounts/ada/followers?cursor=nonsense")).said == (422, "invalid")
        assert (await ada.get("/api/accounts/nobody/followers")).said == (404, "not_found")

    async def test_who_is_live_is_marked_for_those_who_may_enter(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        for one in (bob, carla):
            await ada.put(f"/api/accounts/{one.handle}/follow")
        room = await bob.opens(access="followers")
        await carla.opens(access="link")

        async def marks(who: Person, path: str) -> dict[str, str | None]:
            return {one["handle"]: one["live_room"] for one in (await who.get(path)).json["people"]}

        for who, live in ((ada, None), (bob, room), (web.guest, None)):
            if who is ada:
                await ada.delete("/api/accounts/bob/follow")
                assert (await marks(ada, "/api/accounts?q=bob"))["bob"] is None
                await ada.put("/api/accounts/bob/follow")
                live = room
            assert await marks(who, "/api/accounts/ada/following") == {"bob": live, "carla": None}
            assert await marks(who, "/api/accounts?q=bob") == {"bob": live}


class TestPrivate:
    async def test_who_follows_is_asked_for_first(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        await carla.put("/api/accounts/ada/follow")
        assert (await ada.patch("/api/me", json={"private": True})).json["private"] is True
        assert (await ada.get("/api/me")).json["private"] is True
        for _ in range(2):
            asked = await bob.put("/api/accounts/ada/follow")
            assert (asked.status, asked.json) == (202, {"state": "requested"})
        assert (await carla.put("/api/accounts/ada/follow")).status == 204, "who follows already goes on"
        profile = (await bob.get("/api/accounts/ada")).json
        assert (profile["private"], profile["requested"], profile["followed"]) == (True, True, False)
        assert await people_of(ada, "/api/me/requests") == ["bob"]
        assert await people_of(bob, "/api/me/requests") == []
        assert (await bob.put("/api/me/requests/bob")).said == (404, "not_found"), (
            "nobody approves themselves"
        )
        assert (await carla.put("/api/me/requests/bob")).said == (404, "not_found")
        assert (await ada.put("/api/me/requests/bob")).status == 204
        assert (await ada.put("/api/me/requests/bob")).said == (404, "not_found")
        assert (await bob.get("/api/accounts/ada")).json["followed"] is True
        assert await people_of(ada, "/api/me/requests") == []

    async def test_a_request_is_refused_or_taken_back(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        await ada.patch("/api/me", json={"private": True})
        for who, path in ((ada, "/api/me/requests/bob"), (bob, "/api/accounts/ada/follow")):
            await bob.put("/api/accounts/ada/follow")
            assert (await who.delete(path)).status == 204
            assert await people_of(ada, "/api/me/requests") == []
            assert (await bob.get("/api/accounts/ada")).json["requested"] is False
        assert (await ada.delete("/api/me/requests/bob")).said == (404, "not_found")

    async def test_who_waits_when_it_opens_follows(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        await ada.patch("/api/me", json={"private": True})
        await bob.put("/api/accounts/ada/follow")
        await ada.patch("/api/me", json={"private": False, "name": "Ada L"})
        profile = (await bob.get("/api/accounts/ada")).json
        assert (profile["followed"], profile["requested"], profile["name"]) == (True, False, "Ada L")

    @pytest.mark.parametrize(
        ("role", "sees"), [("guest", False), ("stranger", False), ("asked", False), ("follower", True), ("ada", True)]
    )  # fmt: skip
    async def test_lists_and_past_rooms_are_for_followers(
        self, web: WebProcess, role: str, sees: bool
    ) -> None:
        ada, *others = await web.members("ada", "stranger", "asked", "follower")
        people: dict[str, Person] = {"guest": web.guest, **{one.handle: one for one in (ada, *others)}}
        past = await ada.opens(title="Past")
        await ada.post(f"/api/rooms/{past}/end")
        live = await ada.opens(title="Live")
        await people["follower"].put("/api/accounts/ada/follow")
        await ada.patch("/api/me", json={"private": True})
        await people["asked"].put("/api/accounts/ada/follow")
        who = people[role]
        for which in ("followers", "following"):
            answer = await who.get(f"/api/accounts/ada/{which}")
            assert (answer.status == 200) is sees
            assert sees or answer.said == (403, "private_account")
        for path in ("/api/accounts/ada/rooms?state=ended", "/api/rooms?state=ended"):
            assert (past in str((await who.get(path)).content)) is sees
        for call in ("", "/audience", "/qr.svg"):
            answer = await who.get(f"/api/rooms/{past}{call}")
            assert (answer.status == 200) is sees
            assert sees or answer.said == (404, "not_found")
        assert (await who.get(f"/api/rooms/{live}")).status == 200, "a live room is as its host has opened it"
        profile = await who.get("/api/accounts/ada")
        assert (profile.status, profile.json["private"]) == (200, True)


class TestBlocks:
    async def test_neither_sees_the_other(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        for one, other in ((ada, "bob"), (bob, "ada"), (bob, "carla"), (ada, "carla")):
            await one.put(f"/api/accounts/{other}/follow")
        for _ in range(2):
            assert (await ada.put("/api/accounts/bob/block")).status == 204
        assert await people_of(ada, "/api/me/blocks") == ["bob"]
        assert await people_of(bob, "/api/me/blocks") == []
        nobody = (await bob.get("/api/accounts/nobody")).content
        for method, path in (
            ("GET", ""), ("GET", "/followers"), ("GET", "/following"), ("GET", "/rooms"), ("PUT", "/follow"),
            ("DELETE", "/follow"), ("PUT", "/block"), ("DELETE", "/block"), ("PUT", "/hush"), ("DELETE", "/hush"),
        ):  # fmt: skip
            answer = await bob.call(method, f"/api/accounts/ada{path}")
            assert (answer.said, answer.content) == ((404, "not_found"), nobody), path
        profile = (await ada.get("/api/accounts/bob")).json
        assert (profile["blocked"], profile["followed"], profile["follows_you"]) == (True, False, False)
        assert (await ada.put("/api/accounts/bob/follow")).said == (403, "blocked")
        for one, other in ((ada, "bob"), (bob, "ada")):
            found = await one.get("/api/accounts", params={"q": other})
            assert found.json["people"] == []
            assert await people_of(one, "/api/accounts/carla/followers") == [one.handle]
        assert sorted(await people_of(carla, "/api/accounts/carla/followers")) == ["ada", "bob"]

    async def test_taking_it_back(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens()
        await ada.put("/api/accounts/bob/block")
        await bob.delete("/api/accounts/ada/block")
        assert (await bob.get("/api/accounts/ada")).said == (404, "not_found"), "that was another's"
        for _ in range(2):
            assert (await ada.delete("/api/accounts/bob/block")).status == 204
        assert (await bob.get("/api/accounts/ada")).status == 200
        assert (await bob.get(f"/api/rooms/{room}")).status == 200
        assert (await bob.connects(room)).status == 201
        assert (await ada.get("/api/accounts/bob")).json["followed"] is False

    async def test_both_have_blocked(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens()
        await web.store.relations.block(bob.id, ada.id, 1)
        await web.store.relations.block(ada.id, bob.id, 1)
        assert (await ada.get("/api/accounts/bob")).said == (404, "not_found")
        assert await people_of(ada, "/api/me/blocks") == ["bob"]
        assert (await ada.delete("/api/accounts/bob/block")).status == 204
        assert (await bob.get(f"/api/rooms/{room}")).said == (404, "not_found"), "the other one still stands"
        assert (await bob.delete("/api/accounts/ada/block")).status == 204
        assert (await bob.get(f"/api/rooms/{room}")).status == 200

    @pytest.mark.parametrize("blocker", ["host", "other"])
    async def test_it_ends_presence_in_a_live_room_before_it_is_answered(
        self, web: WebProcess, blocker: str
    ) -> None:
        host, other, carla = await web.members("host", "other", "carla")
        room = await host.opens()
        path = f"/api/rooms/{room}"
        await other.put(f"{path}/hands/me")
        await host.put(f"{path}/floor/other")
        await host.put(f"{path}/cohosts/other")
        assert (await other.connects(room, "whip")).status == 201
        async with other.reads(room) as theirs, carla.reads(room) as hers:
            await theirs.until("snapshot")
            await hers.until("snapshot")
            before = len(web.media.settled())
            one, whom = (host, "other") if blocker == "host" else (other, "host")
            assert (await one.put(f"/api/accounts/{whom}/block")).status == 204
            assert web.media.settled()[before:] == [8], "silence was confirmed up to the last event"
            assert [told.kind for told in await theirs.rest() if told.id][-1] == "person.shut_out"
            told = await hers.lasting_until(8)
        assert [one.kind for one in told] == ["floor.revoked", "cohost.removed", "person.shut_out"]
        assert told[-1].data.keys() == {"seq", "at", "by"}
        assert told[-1].data["by"] == "", "who listens does not learn who has blocked whom"
        shown = (await carla.get(path)).json
        assert [s["handle"] for s in shown["speakers"]] == ["host"]
        assert shown["cohosts"] == []
        assert (await other.get(path)).said == (404, "not_found")
        for call in ("floor/other", "cohosts/other", "invited/other"):
            expected = (403, "blocked") if blocker == "host" else (404, "not_found")
            assert (await host.put(f"{path}/{call}")).said == expected

    async def test_what_is_to_come_and_what_is_over(self, web: WebProcess) -> None:
        ada, bob = await web.members("ada", "bob")
        later = await ada.opens(starts_at="2999-01-02T03:04:05Z")
        over = await ada.opens()
        for room in (later, over):
            await ada.put(f"/api/rooms/{room}/cohosts/bob")
        await ada.post(f"/api/rooms/{over}/end")
        assert (await ada.put("/api/accounts/bob/block")).status == 204
        assert (await ada.get(f"/api/rooms/{later}")).json["cohosts"] == []
        await ada.post(f"/api/rooms/{later}/start")
        for room in (later, over):
            assert (await bob.get(f"/api/rooms/{room}")).said == (404, "not_found")

    async def test_where_nobody_confirms_the_silence_the_block_stands(
        self, web: WebProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("parola.services.rooms.SETTLE_TIMEOUT_S", 0.01)
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens()
        assert (await ada.connects(room, "whip")).status == 201
        web.media.replies["settle"] = None
        assert (await ada.put("/api/accounts/bob/block")).said == (503, "not_confirmed")
        assert (await bob.get(f"/api/rooms/{room}")).said == (404, "not_found")

    async def test_a_cohost_whom_a_speaker_has_blocked_still_takes_the_floor_away(
        self, web: WebProcess
    ) -> None:
        host, cora, sam = await web.members("host", "cora", "sam")
        path = f"/api/rooms/{await host.opens()}"
        await host.put(f"{path}/cohosts/cora")
        await sam.put(f"{path}/hands/me")
        await host.put(f"{path}/floor/sam")
        await sam.put("/api/accounts/cora/block")
        assert (await cora.put(f"{path}/mutes/sam")).status == 200
        assert (await cora.put(f"{path}/removed/sam")).status == 200

    async def test_a_warning_where_somebody_blocked_is_on_stage(self, web: WebProcess) -> None:
        host, bob, carla, dan = await web.members("host", "bob", "carla", "dan")
        room = await host.opens()
        path = f"/api/rooms/{room}"

        async def warned(who: Person) -> set[Any]:
            async with who.reads(room) as stream:
                snapshot = (await stream.until("snapshot")).data
            listed = (await who.get("/api/rooms")).json["rooms"][0]
            return {view["you"]["warning"] for view in (snapshot, listed, (await who.get(path)).json)}

        await carla.put("/api/accounts/bob/block")
        assert await warned(carla) == {None}
        await bob.put(f"{path}/hands/me")
        await host.put(f"{path}/floor/bob")
        assert await warned(carla) == {"blocked_on_stage"}
        for who in (host, bob, dan, web.guest):
            assert await warned(who) == {None}, "nobody else, and least of all the one who is blocked"

    async def test_faces_in_an_audience(self, web: WebProcess) -> None:
        host, bob, carla, dan = await web.members("host", "bob", "carla", "dan")
        room = await host.opens()
        for who in (bob, carla, dan):
            await who.connects(room)
        await web.media.tell_presence(room)
        await bob.put("/api/accounts/carla/block")
        await dan.put("/api/accounts/bob/hush")

        async def faces(who: Person) -> list[str]:
            answer = (await who.get(f"/api/rooms/{room}/audience")).json
            assert answer["count"] == 3, "a count hides nobody"
            return [one["handle"] for one in answer["people"]]

        assert await faces(bob) == ["bob", "dan"]
        assert await faces(carla) == ["carla", "dan"]
        assert await faces(dan) == ["carla", "dan"]
        assert await faces(host) == ["bob", "carla", "dan"]


class TestNotices:
    async def test_followers_are_told_that_a_room_has_started(self, web: WebProcess) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        await bob.put("/api/accounts/ada/follow")
        async with bob.hears() as one, bob.hears() as other, carla.hears() as stranger:
            room = await ada.opens(title="Talk")
            later = await ada.opens(title="Later", starts_at="2999-01-02T03:04:05Z")
            for stream in (one, other):
                told = (await stream.until("room.started")).data
                assert told["host"] == {"handle": "ada", "name": "Ada", "picture": None}
                assert told["room"].keys() == {"id", "url", "title", "access", "started_at"}
                assert (told["room"]["id"], told["room"]["title"]) == (room, "Talk")
                assert told["room"]["url"].endswith(f"/r/{room}")
            await ada.post(f"/api/rooms/{later}/start")
            assert (await one.until("room.started")).data["room"]["title"] == "Later"
            await carla.put("/api/accounts/ada/follow")
            again = await ada.opens(title="Third")
            assert (await stranger.until("room.started")).data["room"]["id"] == again

    @pytest.mark.parametrize("how", ["hushed", "link", "invited", "blocked", "unfollowed"])
    async def test_who_is_not(self, web: WebProcess, how: str) -> None:
        ada, bob, carla = await web.members("ada", "bob", "carla")
        for one in (bob, carla):
            await one.put("/api/accounts/ada/follow")
        if how == "hushed":
            assert (await bob.put("/api/accounts/ada/hush")).status == 204
            assert (await bob.get("/api/accounts/ada")).json["hushed"] is True
            assert await people_of(bob, "/api/me/hushes") == ["ada"]
        if how == "blocked":
            await ada.put("/api/accounts/bob/block")
        if how == "unfollowed":
            await bob.delete("/api/accounts/ada/follow")
        async with bob.hears() as stream, carla.hears() as hers:
            if how in ("link", "invited"):
                await ada.opens(title="Not for all", access=how)
            else:
                await ada.opens(title="First")
                await hers.until("room.started")
            if how == "hushed":
                assert (await bob.delete("/api/accounts/ada/hush")).status == 204
            elif how in ("blocked", "unfollowed"):
                await ada.delete("/api/accounts/bob/block")
                await bob.put("/api/accounts/ada/follow")
            await ada.opens(title="Second")
            assert (await stream.until("room.started")).data["room"]["title"] == "Second"

    async def test_it_ends_with_the_session_and_leaves_nothing(self, web: WebProcess) -> None:
        ada = await web.member("ada")
        async with ada.hears() as stream:
            await ada.delete("/api/sessions/current")
            assert await stream.rest() == []
        assert not web.services.notices._readers
        assert len(web.services.feeds.streams.comments) == 0
