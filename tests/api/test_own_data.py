"""A picture of one's own, a copy of everything, a language, and the end of it, over HTTP."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import timedelta

import pytest

from parola.api.bodies import LARGEST_BODY
from parola.domain import rooms as r
from parola.services import clock
from tests.services.test_images import drawn, png_of
from tests.web_process import Person, WebProcess

PNG = {"content": drawn("PNG"), "headers": {"Content-Type": "image/png"}}


async def pictured(web: WebProcess, handle: str) -> tuple[Person, str]:
    person = await web.member(handle)
    answer = await person.put("/api/me/picture", content=PNG["content"], headers=PNG["headers"])
    assert answer.status == 200
    return person, answer.json["picture"]


async def test_a_picture_is_shown_wherever_the_person_is(web: WebProcess) -> None:
    ada, at = await pictured(web, "ada")
    lia = await web.member("lia")
    room = await ada.opens()
    await lia.put("/api/accounts/ada/follow")
    assert at.startswith("/api/accounts/ada/picture/")
    assert (await lia.get("/api/accounts/ada")).json["picture"] == at
    assert (await lia.get("/api/accounts?q=ada")).json["people"][0]["picture"] == at
    assert (await lia.get("/api/accounts/lia/following")).json["people"][0]["picture"] == at
    shown = (await lia.get(f"/api/rooms/{room}")).json
    assert (shown["host"]["picture"], shown["speakers"][0]["picture"]) == (at, at)
    assert (await lia.get("/api/me")).json["picture"] is None
    for size, edge in (("", b"400"), ("?size=96", b"96")):
        answer = await web.guest.get(at + size)
        assert answer.status == 200
        assert answer.content[8:12] == b"WEBP"
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in answer.headers["cache-control"], edge
        assert "sandbox" in answer.headers["content-security-policy"]


async def test_a_picture_is_gone_with_another_one_a_block_and_the_account(web: WebProcess) -> None:
    ada, first = await pictured(web, "ada")
    lia = await web.member("lia")
    second = (await ada.put("/api/me/picture", content=PNG["content"], headers=PNG["headers"])).json[
        "picture"
    ]
    assert second != first
    assert (await lia.get(first)).said == (404, "not_found")
    assert (await lia.get(second)).status == 200
    await ada.put("/api/accounts/lia/block")
    assert (await lia.get(second)).said == (404, "not_found")
    await ada.delete("/api/accounts/lia/block")
    assert (await ada.delete("/api/me/picture")).status == 204
    assert (await lia.get(second)).said == (404, "not_found")
    third = (await ada.put("/api/me/picture", content=PNG["content"], headers=PNG["headers"])).json["picture"]
    await web.store.sessions.add("fresh", "-", ada.id, clock.now())
    assert len([key async for key in web.services.pictures._blobs.below("pictures")]) == 2
    await web.services.deletion._go_on(ada.id)
    assert [key async for key in web.services.pictures._blobs.below("pictures")] == []
    await web.store.deletions.begin(ada.id, clock.now())
    assert (await lia.get(third)).said == (404, "not_found")


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        (drawn("PNG"), "application/json", (415, "unsupported_media_type")),
        (b"<svg/>", "image/svg+xml", (415, "unsupported_media_type")),
        (b"<svg/>", "image/png", (415, "unsupported_media_type")),
        (b"x" * (5 << 20) + b"x", "image/png", (413, "too_large")),
        (png_of(60_000, 60_000), "image/png", (413, "too_large")),
        (png_of(100, 100), "image/png", (422, "invalid")),
    ],
    ids=["type", "svg", "lies", "bytes", "bomb", "broken"],
)
async def test_what_is_no_picture(web: WebProcess, content: bytes, kind: str, said: tuple[int, str]) -> None:
    ada = await web.member("ada")
    answer = await ada.put("/api/me/picture", content=content, headers={"Content-Type": kind})
    assert answer.said == said
    assert (await ada.get("/api/me")).json["picture"] is None


async def test_only_a_picture_may_be_large(web: WebProcess) -> None:
    ada = await web.member("ada")
    noise = drawn("PNG", (400, 400)) + b"\0" * LARGEST_BODY
    assert (await ada.put("/api/me/picture", content=noise, headers=PNG["headers"])).status == 200
    assert (await web.guest.put("/api/me/picture", content=noise, headers=PNG["headers"])).said[0] == 401
    assert (await ada.post("/api/rooms", json={"title": "x" * LARGEST_BODY})).said == (413, "too_large")


@pytest.mark.parametrize("version", ["..%2f..%2fparola.db", "%00", "none", "x" * 200, "a/b"])
async def test_what_is_no_version_is_nothing(web: WebProcess, version: str) -> None:
    await pictured(web, "ada")
    assert (await web.guest.get(f"/api/accounts/ada/picture/{version}")).status == 404


async def test_a_language_is_kept(web: WebProcess) -> None:
    ada = await web.member("ada")
    assert (await ada.get("/api/me")).json["language"] is None
    assert (await ada.patch("/api/me", json={"language": "it"})).json["language"] == "it"
    assert (await ada.get("/api/me")).json["language"] == "it"
    assert (await ada.patch("/api/me", json={"language": "tlh"})).said == (422, "invalid")


async def test_deleting_oneself_over_http(web: WebProcess) -> None:
    ada, lia = await web.member("ada"), await web.member("lia")
    room = await lia.opens()
    await lia.connects(room, "whip")
    await ada.put(f"/api/rooms/{room}/hands/me")
    await lia.put(f"/api/rooms/{room}/floor/ada")
    long_ago = clock.now() - timedelta(minutes=11)
    session = await web.services.sessions.authenticate(str(ada.token))
    await web.store.sessions.prove(session.signed_in().session_id, long_ago)
    assert (await ada.post("/api/me/deletion", json={"handle": "ada"})).said == (403, "sign_in_again")
    ada.token = await fresh_token(web, ada)
    answer = await ada.post("/api/me/deletion", json={"handle": "ada"})
    assert (answer.status, answer.json) == (200, {"silent": True})
    assert web.media.settled(), "the owner was asked"
    assert (await ada.get("/api/me")).said == (401, "not_signed_in")
    assert [s["handle"] for s in (await lia.get(f"/api/rooms/{room}")).json["speakers"]] == ["lia"]
    taken = {"handle": "ada", "name": "Another", "password": "correct horse"}
    assert (await web.guest.post("/api/accounts", json=taken)).said == (409, "handle_taken")


async def fresh_token(web: WebProcess, person: Person) -> str:
    account = (await web.store.accounts.by_ids([person.id]))[person.id]
    return (await web.services.sessions.begin(account)).token


async def test_a_copy_of_everything_has_nothing_of_others_but_handles(web: WebProcess) -> None:
    ada, _ = await pictured(web, "ada")
    lia = await web.member("lia")
    await web.store.accounts.update(
        (await web.store.accounts.by_ids([lia.id]))[lia.id], "Lia Secretname", "Secret bio", None
    )
    await lia.put("/api/accounts/ada/follow")
    await ada.put("/api/accounts/lia/hush")
    await ada.post("/api/me/words", json={"word": "Idiot"})
    await lia.post("/api/me/words", json={"word": "Secret"})
    room = await ada.opens(title="Mine")
    theirs = await lia.opens(title="Theirs")
    await lia.put(f"/api/rooms/{room}/hands/me", json={"note": "Secret note"})
    await ada.put(f"/api/rooms/{theirs}/hands/me", json={"note": "to hers"})
    answer = await ada.get("/api/me/export")
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].startswith('attachment; filename="parola-ada-')
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        read = {name: archive.read(name) for name in archive.namelist()}
    found = {name: json.loads(data) for name, data in read.items() if name.endswith(".json")}
    assert found["profile.json"]["handle"] == "ada"
    assert (found["followers.json"], found["hushes.json"], found["following.json"]) == (["lia"], ["lia"], [])
    assert [one["word"] for one in found["blocked_words.json"]] == ["Idiot"]
    assert read["picture.webp"][8:12] == b"WEBP"
    assert [name for name in found if name.startswith("rooms/")] == [f"rooms/{room}.json"]
    events = found[f"rooms/{room}.json"]["events"]
    assert [event["type"] for event in events] == ["room.created", "room.started", "hand.raised"]
    assert events[-1]["handle"] == "lia"
    whole = b"".join(read.values())
    assert found["sign_in.json"]["password"] is True
    assert [one["browser"] for one in found["devices.json"]] == [None]
    assert found["notice_settings.json"] == {"in_page": True, "email": False, "browsers": []}
    assert (found["reports.json"], found["notices.json"]) == ([], [])
    for secret in (b"Secret", b"argon2", b'-"', str(ada.token).encode()):
        assert secret not in whole
    assert (await web.guest.get("/api/me/export")).said == (401, "not_signed_in")


async def test_a_long_copy_holds_nobody_up(web: WebProcess) -> None:
    ada = await web.member("ada")
    for i in range(30):
        room = r.fold(None, r.create(f"room{i}", ada.id, "A room", r.Access.OPEN, True, None, clock.now()))
        events = r.create(f"room{i}", ada.id, "A room", r.Access.OPEN, True, None, clock.now())
        await web.store.rooms.create(room, events)
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    assert (await ada.get("/api/me/export")).status == 200
    beside.cancel()
    assert turns > 30, "others had their turn between the rooms"
