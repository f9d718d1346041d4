"""Alive, ready, figures, what the server says of itself, and that a bug tells nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from parola.store import Store, StoreFull, StoreUnavailable
from tests.web_process import WebProcess


async def test_alive_and_ready(web: WebProcess) -> None:
    for path in ("/healthz", "/readyz"):
        assert (await web.guest.get(path)).status == 200


@pytest.mark.parametrize("missing", ["bus", "database", "disk", "media process", "media overloaded"])
async def test_what_is_missing_is_named(
    web: WebProcess, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise StoreUnavailable("away")

    async def full(_: str) -> None:
        raise StoreFull("database or disk is full")

    if missing == "bus":
        web.bus.away = True
    elif missing == "database":
        monkeypatch.setattr(web.store, "ping", away)
    elif missing == "disk":
        web.store._database.wrote_at = float("-inf")
        monkeypatch.setattr(web.store.leases, "touch", full)
    elif missing == "media overloaded":
        await web.store.leases.beat(web.media.process_id, "here", 1.0)
    else:
        await web.store.leases.release(web.media.process_id)
    answer = await web.guest.get("/readyz")
    assert answer.said == (503, "not_ready")
    assert answer.json["missing"] == [missing]
    assert answer.headers["retry-after"].isdigit()
    assert (await web.guest.get("/healthz")).status == 200


async def test_figures_name_no_room_and_nobody(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    for path in (f"/api/rooms/{room}", "/api/accounts/ada", "/unheard/of/somewhere"):
        await web.guest.get(path)
    text = (await web.guest.get("/metrics")).content.decode()
    assert 'method="GET",process="web",route="/api/rooms/{room_id}",status="200"} 1.0' in text
    assert 'parola_media_rooms_owned{machine="here",process="media-0"} 1.0' in text
    for secret in (room, "/ada", '"ada"', "somewhere", ada.id):
        assert secret not in text


async def test_without_a_database_there_is_a_word_when_to_come_back(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise StoreUnavailable("secret address")

    monkeypatch.setattr(web.store.rooms, "load_for", away)
    answer = await web.guest.get("/api/rooms/A")
    assert answer.said == (503, "store_away")
    assert answer.headers["retry-after"].isdigit()
    assert b"secret" not in answer.content


async def test_a_readiness_that_is_asked_often_writes_seldom(web: WebProcess) -> None:
    written = []
    touch = web.store.leases.touch

    async def counted(process_id: str) -> None:
        written.append(process_id)
        await touch(process_id)

    web.store.leases.touch = counted  # type: ignore[method-assign]
    web.store._database.wrote_at = float("-inf")
    for _ in range(10):
        assert (await web.guest.get("/readyz")).status == 200
    assert len(written) == 1
    assert written[0] not in {lease.process_id for lease in await web.store.leases.all()}


async def test_one_that_is_calm_is_enough(web: WebProcess) -> None:
    await web.store.leases.beat(web.media.process_id, "here", 1.2)
    await web.store.leases.beat("another", "here", 0.9)
    assert (await web.guest.get("/readyz")).status == 200


async def test_a_full_disk_is_named_to_whoever_wants_to_change_something(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object) -> None:
        raise StoreFull("/secret/path: database or disk is full")

    ada = await web.member("ada")
    monkeypatch.setattr(web.store.rooms, "create", full)
    answer = await ada.post("/api/rooms", json={"title": "A room"})
    assert answer.said == (503, "store_full")
    assert answer.headers["retry-after"].isdigit()
    assert "disk" in answer.json["detail"]
    assert b"secret" not in answer.content


async def test_a_bug_tells_nothing(web: WebProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a secret inside")

    monkeypatch.setattr(web.store.rooms, "load_for", broken)
    answer = await web.guest.get("/api/rooms/A")
    assert answer.said == (500, "bug")
    assert b"secret" not in answer.content


async def test_the_server_describes_itself(web: WebProcess) -> None:
    described = (await web.guest.get("/api/openapi.json")).json
    for path in ("/api/rooms/{room_id}/floor/{handle}", "/api/rooms/{room_id}/whip", "/api/me"):
        assert path in described["paths"]


async def test_sixty_sign_ins_a_minute(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        body = {"handle": "Nobody!", "password": "wrong"}
        answers = [await web.call("POST", "/api/sessions", json=body) for _ in range(61)]
        assert [a.status for a in answers] == [401] * 60 + [429]
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
