"""What reports have sealed, as administrators' pages get it; and what a room says of it."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from pathlib import Path

import av
import pytest

from parola.services.actor import Actor
from parola.store import Store
from tests.api.kept import sealed
from tests.api.test_administration import administrator
from tests.web_process import Person, WebProcess

REASON = {"reason": "to judge"}


async def test_an_administrator_sees_what_is_there_and_hears_it_once(web: WebProcess) -> None:
    root, ada = await administrator(web), await web.member("ada")
    report = await sealed(web, ada.id)
    about = (await root.get(f"/api/admin/evidence/{report}")).json
    sealed_at, expires_at = (datetime.fromisoformat(about.pop(name)) for name in ("sealed_at", "expires_at"))
    assert expires_at - sealed_at == timedelta(days=30)
    assert about == {
        "report_id": report,
        "room_id": "room",
        "length_ms": 1000,
        "parts": [{"from_ms": 0, "at": "2023-11-14T22:13:20.000Z"}],
        "spoke": [{"handle": "ada", "name": "Ada", "picture": None, "from_ms": 0, "to_ms": 1000}],
    }
    assert (await root.get("/api/admin/audit")).json["entries"][0]["action"] == "claim", "not heard yet"
    hearing = (await root.post(f"/api/admin/evidence/{report}/listen", json=REASON)).json
    entry = (await root.get("/api/admin/audit")).json["entries"][0]
    said = [entry[name] for name in ("actor", "action", "kind", "object", "reason")]
    assert said == ["root", "listen", "evidence", report, "to judge"]
    answer = await root.get(hearing["url"])
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-type"] == "audio/ogg"
    with av.open(io.BytesIO(answer.content)) as container:
        assert container.streams.audio[0].codec_context.name == "opus"
    assert (await root.get(hearing["url"])).said == (404, "not_found")
    assert (await root.post(f"/api/admin/evidence/{report}/listen", json={})).said == (422, "invalid")


async def test_the_address_of_a_hearing_is_of_no_use_to_others(web: WebProcess) -> None:
    root, ada = await administrator(web), await web.member("ada")
    report = await sealed(web)
    url = (await root.post(f"/api/admin/evidence/{report}/listen", json=REASON)).json["url"]
    for person in (ada, web.guest, Person(web, token="stale")):
        assert (await person.get(url)).said == (404, "not_found")
    change = {"role": "administrator", "reason": "helps"}
    assert (await root.post("/api/admin/people/ada/role", json=change)).status == 204
    assert (await ada.get(url)).said == (404, "not_found"), "another administrator has a reason of their own"
    assert (await root.get(url)).status == 200


async def test_what_is_not_there_or_over_is_as_an_unknown_address(web: WebProcess) -> None:
    root = await administrator(web)
    nowhere = await root.get("/api/nowhere")
    report = await sealed(web)
    await web.services.evidence.let_go(report)
    for id in ("unknown", report, "x" * 500):
        for answer in (
            await root.get(f"/api/admin/evidence/{id}"),
            await root.post(f"/api/admin/evidence/{id}/listen", json=REASON),
            await root.get(f"/api/admin/evidence/{id}/sound?ticket=x"),
        ):
            assert (answer.status, answer.content) == (404, nowhere.content)


async def test_what_was_changed_is_not_played(web: WebProcess, tmp_path: Path) -> None:
    root = await administrator(web)
    report = await sealed(web)
    (stored,) = (tmp_path / "blobs" / "evidence").iterdir()
    stored.write_bytes(stored.read_bytes()[:-1] + b"x")
    about = await root.get(f"/api/admin/evidence/{report}")
    assert (about.status, about.json["length_ms"], about.json["spoke"]) == (200, None, [])
    answer = await root.post(f"/api/admin/evidence/{report}/listen", json=REASON)
    assert answer.said == (409, "damaged")
    ticket = "x" * 200
    answer = await root.get(f"/api/admin/evidence/{report}/sound?ticket={ticket}")
    assert answer.said == (422, "invalid")


async def test_a_private_room_is_sealed_as_any_other_and_stays_unknown_to_others(web: WebProcess) -> None:
    root, ada = await administrator(web), await web.member("ada")
    room = await ada.opens(access="invited")
    report = await sealed(web, ada.id)
    assert (await root.get(f"/api/admin/evidence/{report}")).status == 200
    assert (await root.get(f"/api/rooms/{room}")).said == (404, "not_found")
    assert await web.services.evidence.listen(Actor(root.id), report, "to judge")


@pytest.mark.parametrize(("evidence", "said"), [("on", {"minutes": 5}), ("off", None)])
async def test_a_room_says_whether_it_is_kept(
    store: Store, tmp_path: Path, evidence: str, said: dict[str, int] | None
) -> None:
    async with WebProcess.go(store, tmp_path, evidence=evidence) as web:
        ada = await web.member("ada")
        room = await ada.opens()
        assert (await web.guest.get(f"/api/rooms/{room}")).json["evidence"] == said
        assert (await web.guest.get("/api/rooms")).json["rooms"][0]["evidence"] == said
        async with web.guest.reads(room) as stream:
            snapshot = await stream.next()
            assert snapshot is not None
            assert snapshot.data["evidence"] == said
