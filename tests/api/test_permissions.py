"""Every cell of docs/permissions.md, asked of the server; and that the page is what the routes say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from parola.api.app import ROUTERS
from parola.api.permissions import ROLES, YES, Call, calls
from parola.domain import rooms as r
from parola.domain.audit import COMMAND_LINE, Deed
from parola.domain.moderation import About, Reason
from parola.domain.words import key_of
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE, Actor
from parola.store import Passkey, Store
from tests.api import kept
from tests.push_service import Browser
from tests.services.test_images import drawn
from tests.web_process import NOW, OFFER, Answer, Person, WebProcess
from tools import permissions

CALLS = list(calls(ROUTERS))
SDP = {"content": OFFER, "headers": {"Content-Type": "application/sdp"}}
FRAGMENT = {"content": "", "headers": {"Content-Type": "application/trickle-ice-sdpfrag"}}
NO_PASSKEY: dict[str, Any] = {"ticket": "none", "credential": {}}
REASON = {"json": {"reason": "because"}}
OTHERS = ("sam", "hanna", "cleo", "remo", "lia")
"""A speaker, a hand, a co-host, somebody removed, a listener: those on whom one acts."""

BODIES: dict[str, dict[str, Any]] = {
    "POST /api/accounts": {"json": {"handle": "fresh", "name": "Fresh", "password": "correct horse"}},
    "POST /api/sessions": {"json": {"handle": "lia", "password": "wrong"}},
    "POST /api/ceremonies/sign_up": {"json": {"name": "Fresh"}},
    "PATCH /api/me": {"json": {"bio": "Hello"}},
    "POST /api/accounts/by_passkey": {"json": NO_PASSKEY},
    "POST /api/sessions/by_passkey": {"json": NO_PASSKEY},
    "POST /api/sessions/by_link": {"json": {"token": "none"}},
    "POST /api/sessions/by_code": {"json": {"handle": "lia", "code": "none"}},
    "POST /api/links": {"json": {"email": "somebody@rooms.example"}},
    "POST /api/addresses/confirm": {"json": {"token": "none"}},
    "POST /api/me/proof": {"json": NO_PASSKEY},
    "POST /api/me/passkeys": {"json": {**NO_PASSKEY, "name": "Mine"}},
    "PATCH /api/me/passkeys/{id}": {"json": {"name": "Mine"}},
    "PUT /api/me/password": {"json": {"password": "correct horse"}},
    "PUT /api/me/picture": {"content": drawn("PNG"), "headers": {"Content-Type": "image/png"}},
    "POST /api/elsewhere/{provider}": {"json": {"server": "nowhere"}},
    "POST /api/elsewhere/arrivals/{token}": {"json": {"handle": "fresh", "name": "Fresh"}},
    "DELETE /api/me/identities/{provider}": {"json": {"subject": "none"}},
    "POST /api/rooms": {"json": {"title": "A room"}},
    "PUT /api/rooms/{room_id}/listeners_at_most": {"json": {"listeners": 5}},
    "PUT /api/rooms/{room_id}/turns": {"json": {"soft_s": 90, "hard_s": 120}},
    "PUT /api/rooms/{room_id}/stage": {"json": {"capacity": 5}},
    "PUT /api/rooms/{room_id}/pauses/hands": {"json": {"pause_s": 30}},
    "POST /api/rooms/{room_id}/whep": SDP,
    "POST /api/rooms/{room_id}/whip": SDP,
    "PATCH /api/rooms/{room_id}/{kind}/{connection_id}": FRAGMENT,
    "POST /api/waitlist": {"json": {"email": "somebody@rooms.example"}},
    "POST /api/admin/waitlist/approve": {"json": {"first": 1}},
    "POST /api/admin/waitlist/founders": {"json": {"table": "email\na@rooms.example"}},
    "POST /api/admin/invitations/{which}/revoke": REASON,
    "PUT /api/admin/invitations/policy": {"json": {"expected": 0, "policy": {}, "reason": "because"}},
    "POST /api/admin/people/{handle}/suspend": REASON,
    "POST /api/admin/people/{handle}/restore": REASON,
    "POST /api/admin/people/{handle}/role": {"json": {"role": "administrator", "reason": "because"}},
    "POST /api/admin/rooms/{room_id}/end": REASON,
    "POST /api/reports": {"json": {"about": {"handle": "lia"}, "reason": "spam"}},
    "POST /api/me/notices/{id}/appeal": {"json": {"text": "It was not me."}},
    "POST /api/admin/reports/{id}/resolve": {"json": {"measure": "warn", "reason": "because"}},
    "POST /api/admin/reports/{id}/dismiss": REASON,
    "POST /api/admin/people/{handle}/measures": {"json": {"measure": "warn", "reason": "because"}},
    "POST /api/admin/appeals/{id}/decide": {"json": {"decision": "lifted", "reason": "because"}},
    "POST /api/admin/words": {"json": {"word": "nonsense"}},
    "POST /api/me/words": {"json": {"word": "nonsense"}},
    "POST /api/admin/evidence/{report_id}/listen": REASON,
    "PUT /api/admin/rooms/{room_id}/visit": REASON,
    "POST /api/rooms/{room_id}/heard": {"json": {"connection": "media_1.none", "ms": 300}},
    "POST /api/rooms/{room_id}/survey": {"json": {"good": True}},
    "POST /api/admin/rollout/{feature}/preview": {"json": {}},
    "PATCH /api/me/notice_settings": {"json": {"in_page": False}},
    "POST /api/me/push": {"json": Browser("https://1.1.1.1/x").subscription()},
    "POST /api/admin/rollout/{feature}/change": {"json": {"expected": 0, "plan": {}, "reason": "because"}},
    "POST /api/admin/rollout/{feature}/promote": {"json": {"expected": 0, "reason": "because"}},
    "POST /api/admin/rollout/{feature}/rollback": {"json": {"expected": 0, "to": 0, "reason": "because"}},
}
QUERIES = {
    "DELETE /api/admin/words": "?word=rubbish",
    "DELETE /api/me/words": "?word=rubbish",
    "GET /api/accounts": "?q=lia",
    "GET /api/oembed": "?url=http://localhost:8080/@lia",
}
ABOUT = {
    "DELETE /api/rooms/{room_id}/hands/{handle}": "hanna",
    "PUT /api/rooms/{room_id}/floor/{handle}": "hanna",
    "DELETE /api/rooms/{room_id}/floor/{handle}": "sam",
    "PUT /api/rooms/{room_id}/mutes/{handle}": "sam",
    "DELETE /api/rooms/{room_id}/cohosts/{handle}": "cleo",
    "PUT /api/rooms/{room_id}/successor/{handle}": "cleo",
    "DELETE /api/rooms/{room_id}/successor/{handle}": "cleo",
    "DELETE /api/rooms/{room_id}/removed/{handle}": "remo",
}
"""On whom; else on lia."""
REFUSED_BY_NATURE = {
    "POST /api/sessions": (401, "wrong_credentials"),
    "POST /api/accounts/by_passkey": (409, "ceremony_over"),
    "POST /api/sessions/by_passkey": (409, "ceremony_over"),
    "POST /api/sessions/by_link": (404, "not_found"),
    "POST /api/sessions/by_code": (401, "wrong_credentials"),
    "POST /api/addresses/confirm": (404, "not_found"),
    "POST /api/me/proof": (409, "ceremony_over"),
    "POST /api/me/passkeys": (409, "ceremony_over"),
    "POST /api/elsewhere/{provider}": (422, "invalid"),
    "GET /api/elsewhere/arrivals/{token}": (404, "not_found"),
    "POST /api/elsewhere/arrivals/{token}": (404, "not_found"),
}
"""Whose answer says nothing of who calls."""


@dataclass
class Scene:
    """One room and everybody in it, for one call of one role."""

    web: WebProcess
    people: dict[str, Person]

    async def room(self, role: str, name: str) -> r.Room:
        ids = {handle: person.id for handle, person in self.people.items()}
        host, mine = ids["host"], ids.get(role, "")
        starts_at = NOW if name.endswith("/start") else None
        room = r.fold(None, r.create(f"room_{role}", host, "A room", r.Access.OPEN, True, starts_at, NOW))
        events = list(r.create(f"room_{role}", host, "A room", r.Access.OPEN, True, starts_at, NOW))
        commands: list[r.Command] = [
            r.AddCohost(host, ids["cohost"]),
            r.AddCohost(host, ids["cleo"]),
            r.Remove(host, ids["removed"]),
            r.Remove(host, ids["remo"]),
        ]
        if starts_at is None:
            for speaker in (ids["speaker"], ids["sam"]):
                commands += [r.RaiseHand(speaker), r.Grant(host, speaker)]
            commands.append(r.RaiseHand(ids["hanna"]))
        offered = name.endswith(("/accept", "/decline"))
        if offered and role in ("member", "cohost", "administrator"):
            commands.append(r.Grant(host, mine, offer_s=10**9))  # the server has a clock of its own
        for command in commands:
            decided = r.decide(room, command, NOW)
            room = r.fold(room, decided)
            events += decided
        await self.web.store.rooms.create(
            room, events
        )  # in one go: the side table matters to hidden rooms only
        return room

    async def moderated(self, call: Call, caller: Person) -> dict[str, str]:
        """What calls about reports, notices and appeals are about: the `id` in their paths."""
        here, store = self.web.services, self.web.store
        if call.path.startswith("/api/admin/reports/"):
            about = About("lia", None)
            return {"id": (await store.reports.file(about, "sam", Reason.SPAM, "", None, NOW)).report.id}
        if call.path.startswith("/api/me/notices/") and caller.token:
            warned = Deed(COMMAND_LINE, "warn", "account", caller.id)
            return {"id": await store.measures.warn(warned, None, NOW)}
        if call.path.startswith("/api/admin/appeals/"):
            id = await store.measures.warn(Deed(COMMAND_LINE, "warn", "account", "lia"), None, NOW)
            await store.measures.appeal("lia", id, "no", NOW)
            return {"id": id}
        if call.path == "/api/me/removed/{handle}" and call.method == "DELETE" and caller.token:
            await store.kept_out.add(caller.id, "lia", 10, 1)
        if call.path == "/api/admin/words" and call.method == "DELETE":
            await here.words.add(AT_THE_MACHINE, "rubbish")
        if call.path == "/api/me/words" and call.method == "DELETE" and caller.token:
            await store.host_words.add(caller.id, key_of("rubbish"), "rubbish", 10, 1)
        return {}

    async def call(self, call: Call, role: str) -> Answer:
        name = f"{call.method} {call.path}"
        room_id = (await self.room(role, name)).id if "{room_id}" in call.path else "none"
        caller = self.people.get(role, self.web.guest)
        if name == "DELETE /api/rooms/{room_id}/mutes/{handle}":
            about = role if role in self.people else "sam"
        else:
            about = ABOUT.get(name, "lia")
        connection = "media_1.none"
        if "{connection_id}" in call.path and role != "removed":
            connection = (await caller.connects(room_id)).headers["location"].rpartition("/")[2]
        body = BODIES.get(name, {})
        fill = {
            "feature": "hosting",
            "room_id": room_id,
            "handle": about,
            "kind": "whep",
            "connection_id": connection,
            "provider": "mastodon",
            "place": "oidc",
            "version": "v",
        }
        if "{version}" in call.path:
            await self.web.store.accounts.set_picture("lia", "v")
            await self.web.services.pictures._blobs.put("pictures/lia/v-400.webp", b"RIFF")
        if name == "POST /api/me/deletion" and caller.token:
            mine = (await self.web.store.accounts.by_ids([caller.id]))[caller.id]
            caller.token = (await self.web.services.sessions.begin(mine)).token
            body = {"json": {"handle": mine.handle}}
        if name == "POST /api/admin/rollout/{feature}/promote":
            trials = self.web.services.trials
            plan: dict[str, Any] = {"stage": "testers"}
            version = (await trials.state(AT_THE_MACHINE, "hosting")).version
            await trials.change(AT_THE_MACHINE, "hosting", version, plan, "because", False)
            body = {"json": {"expected": version + 1, "reason": "because"}}
        more = {}
        if call.path == "/api/me/invitations/{id}" and caller.token:
            more["id"] = (await caller.post("/api/me/invitations")).json["id"]
        if call.path == "/api/me/devices/{id}" and caller.token:
            more["id"] = f"other_{role}"
            await self.web.store.sessions.add(more["id"], f"hash_{role}", caller.id, clock.now())
        if call.path in ("/api/me/passkeys/{id}", "/api/me/password") and caller.token:
            more["id"] = f"key_{role}"
            passkey = Passkey(more["id"], more["id"], caller.id, "", 0, "Theirs", (), NOW.isoformat())
            await self.web.store.credentials.add_passkey(passkey)
        if call.path == "/api/invitations/{code}":
            more["code"] = await self.web.services.invitations.of_the_server()
        if call.path == "/api/admin/invitations/{which}/revoke":
            more["which"] = await self.web.services.invitations.of_the_server()
        if call.path == "/api/waitlist/{token}":
            more["token"] = (await self.web.services.waitlist.join("a@rooms.example", None, "en")).token
        more |= await self.moderated(call, caller)
        if "{report_id}" in call.path:
            more["report_id"] = await kept.sealed(self.web)
        if call.path.endswith("/unsubscribe/{token}"):
            url = self.web.services.wishes.unsubscribe_url("lia")
            more["token"] = url.rpartition("/")[2]
        if call.path.endswith("/bell") and caller.token:
            await self.web.store.relations.follow(caller.id, "lia", 1)
        path = call.path.format(**{**fill, "id": "none", "token": "none", **more})
        if call.path.endswith("/sound"):
            ticket = await self.web.services.evidence.listen(Actor(caller.id), more["report_id"], "because")
            path += f"?ticket={ticket.token}"
        if name == "POST /api/admin/claim":
            body = {"json": {"token": (await self.web.services.claims.link()).partition("#")[2]}}
        if name in ("POST /api/accounts", "POST /api/ceremonies/sign_up"):
            code = await self.web.services.invitations.of_the_server()
            body = {"json": {**body["json"], "handle": f"fresh_{role}", "invite": code}}
        if name == "PUT /api/me/email":  # one gets no more than a few letters
            body = {"json": {"email": f"{role}@rooms.example"}}
        if call.path == "/api/me/requests/{handle}" and caller.token:
            await self.web.store.relations.request("lia", caller.id, 1)
        if call.path.endswith("/events"):
            mine = call.path == "/api/me/events"
            async with caller.hears() if mine else caller.reads(room_id) as stream:
                if stream.status == 200:
                    return Answer(200, self.web.client.headers, b"")
        return await caller.call(call.method, path + QUERIES.get(name, ""), **body)


def test_every_call_says_who_may_make_it() -> None:
    assert [f"{call.method} {call.path}" for call in CALLS if call.rule is None] == []


def test_the_page_is_up_to_date() -> None:
    assert permissions.PAGE.read_text() == permissions.text(), "python -m tools.permissions"


@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.method} {call.path}")
async def test_the_server_answers_as_the_table_says(store: Store, tmp_path: Path, call: Call) -> None:
    async with WebProcess.go(store, tmp_path, registration="invite") as web:
        roles = [role for role in ROLES if role != "guest"]
        scene = Scene(web, {handle: await web.member(handle) for handle in roles})
        for handle in OTHERS:
            await store.accounts.add(handle, handle, handle.title(), "-", NOW)
            scene.people[handle] = Person(web, handle, handle.title(), handle)
        made = Deed(COMMAND_LINE, "make_administrator", "account", scene.people["administrator"].id)
        await store.administration.set_role("administrator", made, NOW)
        assert call.rule is not None
        said = {role: _cell(call, await scene.call(call, role)) for role in ROLES}
        assert said == call.rule.cells


def _cell(call: Call, answer: Answer) -> str:
    if answer.status < 400 or answer.said == REFUSED_BY_NATURE.get(f"{call.method} {call.path}"):
        return YES
    return " ".join(map(str, answer.said))
