"""The floor: who may do what to whom, and what each call answers."""

from __future__ import annotations

import pytest

from parola.bus.messages import Refused
from parola.services import rooms as rooms_service
from tests.web_process import Person, WebProcess

pytestmark = pytest.mark.any_database

OK = 0
"""Whatever the protocol promises where the call is allowed."""


async def full_room(web: WebProcess) -> tuple[str, dict[str, Person]]:
    """A room with everybody there is: host, two co-hosts (one speaking), two speakers, a hand, an offer, a listener,
    somebody removed."""
    names = (
        "host",
        "cohost",
        "cohost2",
        "speaker",
        "speaker2",
        "hand",
        "offered",
        "listener",
        "removed",
        "stranger",
    )
    people = {name: await web.member(name) for name in names}
    host = people["host"]
    room = await host.opens()
    path = f"/api/rooms/{room}"
    for speaker in ("speaker", "speaker2", "cohost2"):
        await people[speaker].put(f"{path}/hands/me")
        assert (await host.put(f"{path}/floor/{speaker}")).json == {"state": "granted"}
    for cohost in ("cohost", "cohost2"):
        assert (await host.put(f"{path}/cohosts/{cohost}")).status == 204
    await people["hand"].put(f"{path}/hands/me")
    assert (await host.put(f"{path}/floor/offered")).json == {"state": "offered"}
    assert (await host.put(f"{path}/removed/removed")).status == 200
    return path, people


NO_HOST = (403, "host_only")
NO_MODERATOR = (403, "moderator_only")
BELOW = (403, "not_above")
GUEST = (401, "not_signed_in")
REMOVED = (403, "removed")

ROLES = ("host", "cohost", "speaker", "listener", "removed", "guest")
TABLE: list[tuple[str, str, int, tuple[object, ...]]] = [
    # call, target, promised status, and then what host, co-host, speaker, listener, removed, guest are told
    ("PUT", "/hands/me", 204, ((409, "has_floor"), OK, (409, "has_floor"), OK, REMOVED, GUEST)),
    ("DELETE", "/hands/me", 204, (OK, OK, OK, OK, REMOVED, GUEST)),
    ("DELETE", "/hands/hand", 204, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/hands/cohost2", 204, (OK, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/locks/hands", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/locks/hands", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/pauses/hands", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/turns", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("POST", "/floor/next", 200, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/successor/cohost2", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/successor/listener", 0, ((409, "not_cohost"), NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/successor/cohost2", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/hand", 200, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/listener", 202, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/offered", 202, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/speaker2", 200, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/host", 0, ((409, "host_floor"), NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/removed", 0, ((409, "is_removed"), NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/floor/nobody", 0, ((404, "not_found"),) * 4 + (REMOVED, GUEST)),
    ("POST", "/floor/accept", 0, ((409, "nothing_offered"),) * 4 + (REMOVED, GUEST)),
    ("POST", "/floor/decline", 0, ((409, "nothing_offered"),) * 4 + (REMOVED, GUEST)),
    ("DELETE", "/floor/speaker2", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/floor/speaker", 200, (OK, OK, OK, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/floor/offered", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/floor/cohost2", 200, (OK, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/floor/host", 0, ((409, "host_floor"), BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/mutes/speaker2", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/mutes/speaker", 200, (OK, OK, OK, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/mutes/host", 200, (OK, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/mutes/cohost2", 200, (OK, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/mutes/hand", 0, ((409, "not_speaking"),) * 2 + (NO_MODERATOR,) * 2 + (REMOVED, GUEST)),
    ("DELETE", "/mutes/speaker", 204, ((403, "speaker_only"),) * 2 + (OK, (403, "speaker_only"), REMOVED, GUEST)),
    ("PUT", "/mutes", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/removed/listener", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/removed/stranger", 200, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/removed/cohost2", 200, (OK, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("PUT", "/removed/host", 0, (BELOW, BELOW, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/removed/removed", 204, (OK, OK, NO_MODERATOR, NO_MODERATOR, REMOVED, GUEST)),
    ("DELETE", "/removed/nobody", 0, ((404, "not_found"),) * 4 + (REMOVED, GUEST)),
    ("PUT", "/cohosts/listener", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/cohosts/removed", 0, ((409, "is_removed"), NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/cohosts/cohost2", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("GET", "/invited", 200, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("PUT", "/invited/listener", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("DELETE", "/invited/listener", 204, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("POST", "/start", 0, ((409, "not_scheduled"), NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
    ("POST", "/end", 200, (OK, NO_HOST, NO_HOST, NO_HOST, REMOVED, GUEST)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "call", "promised", "told"), TABLE, ids=[f"{m} {c}" for m, c, *_ in TABLE]
)
async def test_who_may(
    web: WebProcess, method: str, call: str, promised: int, told: tuple[object, ...]
) -> None:
    """Refusals first, since they change nothing; the allowed ones may add an event each, or hold already."""
    path, people = await full_room(web)
    people["guest"] = web.guest
    seq = (await people["host"].get(path)).json["seq"]
    for role, expected in zip(ROLES, told, strict=True):
        if expected != OK:
            assert (await people[role].call(method, path + call)).said == expected, role
    assert (await people["host"].get(path)).json["seq"] == seq, "a refusal changes nothing"
    for role, expected in reversed(list(zip(ROLES, told, strict=True))):
        if expected == OK:
            answer = await people[role].call(method, path + call)
            if call == "/end" or (method, call) == ("DELETE", "/floor/speaker"):
                assert answer.status == promised, role
            else:
                assert answer.status == promised, (role, answer.content)
            if answer.status == 204:
                assert answer.content == b""


async def test_granted_by_a_raised_hand(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    path = f"/api/rooms/{await ada.opens()}"
    assert (await bob.put(f"{path}/hands/me")).status == 204
    shown = (await bob.get(path)).json
    assert [h["handle"] for h in shown["hands"]] == ["bob"]
    assert shown["you"]["hand"] is True
    answer = await ada.put(f"{path}/floor/bob")
    assert (answer.status, answer.json) == (200, {"state": "granted"})
    shown = (await bob.get(path)).json
    assert shown["hands"] == []
    assert shown["you"] == {
        "role": "speaker",
        "may_speak": True,
        "hand": False,
        "muted": False,
        "offered": False,
        "may_grant": False,
        "warning": None,
    }


async def test_locked_hands(web: WebProcess) -> None:
    path, people = await full_room(web)
    host, hand, listener = people["host"], people["hand"], people["listener"]
    async with listener.reads(path.rpartition("/")[2]) as stream:
        assert (await stream.until("snapshot")).data["hands_locked"] is False
        assert (await host.put(f"{path}/locks/hands")).status == 204
        told = await stream.until("hands.locked")
        assert told.data.keys() == {"seq", "at", "by"}
        shown = (await listener.get(path)).json
        assert shown["hands_locked"] is True
        assert [h["handle"] for h in shown["hands"]] == ["hand"]
        assert (await listener.put(f"{path}/hands/me")).said == (409, "hands_locked")
        assert (await hand.put(f"{path}/hands/me")).status == 204
        assert (await host.put(f"{path}/floor/hand")).json == {"state": "granted"}
        assert (await host.delete(f"{path}/locks/hands")).status == 204
        assert (await listener.put(f"{path}/hands/me")).status == 204
        assert [t.kind for t in await stream.lasting_until(told.id + 3)] == [
            "floor.granted", "hands.unlocked", "hand.raised",
        ]  # fmt: skip


async def test_offered_accepted_declined_withdrawn(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    path = f"/api/rooms/{await ada.opens()}"
    answer = await ada.put(f"{path}/floor/bob")
    assert (answer.status, answer.json) == (202, {"state": "offered"})
    assert (await bob.get(path)).json["you"]["offered"] is True
    assert (await bob.get(path)).json["you"]["may_speak"] is False
    assert (await bob.post(f"{path}/floor/decline")).status == 204
    assert (await bob.post(f"{path}/floor/accept")).said == (409, "nothing_offered")
    await ada.put(f"{path}/floor/bob")
    assert (await ada.delete(f"{path}/floor/bob")).json == {"silent": True}
    assert (await bob.post(f"{path}/floor/accept")).said == (409, "nothing_offered")
    await ada.put(f"{path}/floor/bob")
    assert (await bob.post(f"{path}/floor/accept")).status == 204
    assert (await bob.get(path)).json["you"]["may_speak"] is True


async def test_a_repeated_command_adds_no_event(web: WebProcess) -> None:
    path, people = await full_room(web)
    host = people["host"]
    for who, method, call in (
        ("hand", "PUT", "/hands/me"),
        ("listener", "DELETE", "/hands/me"),
        ("host", "PUT", "/locks/hands"),
        ("host", "DELETE", "/locks/hands"),
        ("host", "PUT", "/floor/speaker"),
        ("host", "PUT", "/floor/offered"),
        ("host", "DELETE", "/floor/listener"),
        ("host", "PUT", "/mutes/speaker"),
        ("speaker", "DELETE", "/mutes/speaker"),
        ("host", "PUT", "/mutes"),
        ("host", "PUT", "/removed/removed"),
        ("host", "DELETE", "/removed/listener"),
        ("host", "PUT", "/cohosts/cohost"),
        ("host", "DELETE", "/cohosts/listener"),
        ("host", "PUT", "/invited/listener"),
        ("host", "DELETE", "/invited/hand"),
    ):
        first = await people[who].call(method, path + call)
        seq = (await host.get(path)).json["seq"]
        again = await people[who].call(method, path + call)
        assert (again.status, again.content) == (first.status, first.content)
        assert (await host.get(path)).json["seq"] == seq


async def test_removed_and_restored(web: WebProcess) -> None:
    path, people = await full_room(web)
    for name in ("speaker", "hand", "offered", "cohost2"):
        assert (await people["host"].put(f"{path}/removed/{name}")).status == 200
    shown = (await people["host"].get(path)).json
    assert [s["handle"] for s in shown["speakers"]] == ["host", "speaker2"]
    assert (shown["hands"], shown["offers"], shown["cohosts"]) == ([], [], ["cohost"])
    assert (await people["speaker"].get(path)).said == (403, "removed")
    assert (await people["cohost"].delete(f"{path}/removed/speaker")).status == 204
    assert (await people["speaker"].get(path)).json["you"]["role"] == "listener"


async def test_mute_all_spares_moderators(web: WebProcess) -> None:
    path, people = await full_room(web)
    answer = await people["cohost"].put(f"{path}/mutes")
    assert answer.status == 200
    shown = (await people["host"].get(path)).json
    assert {s["handle"] for s in shown["speakers"] if s["muted"]} == {"speaker", "speaker2"}


SILENCING = [
    ("DELETE", "/floor/speaker"),
    ("PUT", "/mutes/speaker"),
    ("PUT", "/mutes"),
    ("PUT", "/removed/speaker"),
    ("POST", "/end"),
]


class TestSilence:
    """The event first, then the cut, then the answer."""

    async def _heard(self, web: WebProcess) -> tuple[str, dict[str, Person]]:
        path, people = await full_room(web)
        assert (await people["speaker"].connects(path.rpartition("/")[2], "whip")).status == 201
        return path, people

    @pytest.mark.parametrize(("method", "call"), SILENCING)
    async def test_is_confirmed_by_the_owner(self, web: WebProcess, method: str, call: str) -> None:
        path, people = await self._heard(web)
        assert (await people["host"].call(method, path + call)).status == 200
        assert web.media.settled() == [(await people["host"].get(path)).json["seq"]]

    @pytest.mark.parametrize(("method", "call"), SILENCING)
    async def test_that_a_living_owner_does_not_confirm(
        self, web: WebProcess, method: str, call: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rooms_service, "SETTLE_TIMEOUT_S", 0.01)
        path, people = await self._heard(web)
        seq = (await people["host"].get(path)).json["seq"]
        web.media.replies["settle"] = None
        answer = await people["host"].call(method, path + call)
        assert answer.said == (503, "not_confirmed")
        assert answer.headers["retry-after"].isdigit()
        assert (await people["host"].get(path)).json["seq"] > seq, "the event stands"

    async def test_asked_again_has_to_be_true_again(
        self, web: WebProcess, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rooms_service, "SETTLE_TIMEOUT_S", 0.01)
        path, people = await self._heard(web)
        web.media.replies["settle"] = Refused(503, "not_confirmed", "Not every edge has answered.")
        assert (await people["host"].put(f"{path}/mutes/speaker")).said == (503, "not_confirmed")
        assert (await people["host"].put(f"{path}/mutes/speaker")).said == (503, "not_confirmed")
        del web.media.replies["settle"]
        assert (await people["host"].put(f"{path}/mutes/speaker")).json == {"silent": True}

    @pytest.mark.parametrize(("method", "call"), SILENCING)
    async def test_where_nobody_mixes_nothing_sounds(self, web: WebProcess, method: str, call: str) -> None:
        path, people = await full_room(web)
        web.media.replies["settle"] = None
        assert (await people["host"].call(method, path + call)).status == 200
        assert web.media.settled() == []
