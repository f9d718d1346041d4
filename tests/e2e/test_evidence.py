"""Real speech through a real house, sealed for a report, heard by an administrator, and gone in the end; and the same
from a listener's page to an administrator's."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Route

from parola.api.app import Services
from parola.bootstrap.commands import at_the_machine
from parola.client.api import Api, ProtocolError
from parola.client.webrtc import RATE, Clip, Pcm, listening, read_audio, speaking
from parola.services import clock
from parola.services.evidence import Evidence
from parola.services.evidence_keys import EvidenceKeys
from parola.settings import Settings
from parola.store import Blobs
from tests.bus.server import TOKEN, NatsServer
from tests.e2e.browsing import Visitor, browser
from tests.e2e.conftest import as_float
from tests.e2e.hearing import Sound, intelligibility, trace
from tests.e2e.house import (
    House,
    children,
    claim_link,
    eventually,
    give_floor,
    handle_of,
    opened,
    people,
)
from tests.e2e.looking import visiting
from tests.e2e.reporting import administers, measure, open_case, report
from tools.speech import Clip as Speech

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

AFTER_END_S = 8
REASON = {"reason": "Somebody was insulted"}


@pytest.fixture(scope="module")
def bus() -> Iterator[NatsServer]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        server = NatsServer(Path(folder))
        server.start()
        yield server
        server.kill()


@pytest.fixture(scope="module")
def house(bus: NatsServer) -> Iterator[House]:
    environment = {
        "PAROLA_NATS_URL": bus.url,
        "PAROLA_NATS_TOKEN": TOKEN,
        "PAROLA_EVIDENCE_AFTER_S": str(AFTER_END_S),
    }
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), media_processes=2, environment=environment)) as house:
            yield house


@contextlib.asynccontextmanager
async def beside(house: House, bus: NatsServer) -> AsyncIterator[tuple[Services, Settings]]:
    """The services of one more web process of this house."""
    more = {}
    if "PAROLA_DATABASE_URL" in house.environment:
        more["database_url"] = house.environment["PAROLA_DATABASE_URL"]
    settings = Settings.load(data_dir=house.folder / "data", nats_url=bus.url, nats_token=TOKEN, **more)
    async with at_the_machine(settings) as here:
        yield here, settings


def objects(house: House) -> list[Path]:
    return [path for path in (house.folder / "data" / "blobs").rglob("*") if path.is_file()]


async def hear(root: Api, report: str) -> Pcm:
    """As an administrator's page does."""
    hearing = await root.call("POST", f"/api/admin/evidence/{report}/listen", REASON)
    headers = {"Authorization": f"Bearer {root.token}"}
    async with aiohttp.ClientSession() as session:
        async with session.get(root.origin + hearing["url"], headers=headers) as answer:
            assert (answer.status, answer.headers["Cache-Control"]) == (200, "no-store")
            sound = await answer.read()
        async with session.get(root.origin + hearing["url"], headers=headers) as again:
            assert again.status == 404
    return decoded(sound)


def decoded(sound: bytes) -> Pcm:
    """Of an Ogg file."""
    with tempfile.NamedTemporaryFile(suffix=".ogg") as file:
        file.write(sound)
        file.flush()
        return read_audio(Path(file.name))


async def code(work: Any) -> str:
    with pytest.raises(ProtocolError) as refused:
        await work
    return str(refused.value.code)


@pytest.mark.timeout(300)  # what was said is judged again and again, which takes longer than saying it
async def test_from_what_was_said_to_nothing_left(
    house: House, bus: NatsServer, english: Pcm, italian: Pcm
) -> None:
    english, italian = english[: 7 * RATE], italian[: 7 * RATE]
    async with people(house, "root", "ada", "bob", "ear") as (root, ada, bob, ear):
        token = (await claim_link(house)).partition("#")[2]
        await root.call("POST", "/api/admin/claim", {"token": token})
        room = await ada.call("POST", "/api/rooms", {"title": "Said", "access": "link"})
        assert room["evidence"] == {"minutes": 5}
        bobs = await give_floor(ada, bob, room["id"])
        first, second = Clip(np.zeros(24_000, np.int16)), Clip(np.zeros(24_000, np.int16))
        async with (
            beside(house, bus) as (here, settings),
            listening(ear, room["id"]) as audience,
            speaking(ada, room["id"], first),
            speaking(bob, room["id"], second),
        ):
            first.play(english)
            await first.over.wait()
            await asyncio.sleep(1)
            second.play(italian)
            await second.over.wait()
            await asyncio.sleep(0.5)
            assert await here.evidence.seal(room["id"], "live")
            heard = as_float(audience.heard)
            await is_understood(root, "live", bobs, english, italian, heard)
            await nothing_lies_open(house, english)
            await ada.call("POST", f"/api/rooms/{room['id']}/end")
            ended = asyncio.get_running_loop().time()
            await asyncio.sleep(AFTER_END_S * 0.6)
            assert await here.evidence.seal(room["id"], "after")
            await is_understood(root, "after", bobs, english, italian, heard)
            await asyncio.sleep(max(0.0, ended + AFTER_END_S + 3 - asyncio.get_running_loop().time()))
            assert not await here.evidence.seal(room["id"], "late")
            assert await code(root.call("GET", "/api/admin/evidence/late")) == "not_found"
            await here.evidence.let_go("after")
            assert len(objects(house)) == 1
            await in_a_month(here, settings).look()
            assert objects(house) == []
            for report in ("live", "after"):
                assert await code(root.call("GET", f"/api/admin/evidence/{report}")) == "not_found"
                listen = root.call("POST", f"/api/admin/evidence/{report}/listen", REASON)
                assert await code(listen) == "not_found"
                assert await here.store.evidence.of(report) is None


def in_a_month(here: Services, settings: Settings) -> Evidence:
    """As a web process of this house sees it in thirty days."""
    return Evidence(
        here.store,
        Blobs(settings.blob_url),
        here.bus,
        here.projections,
        EvidenceKeys("", settings.evidence_file),
        lambda: clock.now() + timedelta(days=30),
        30,
    )


async def is_understood(root: Api, report: str, bobs: str, english: Pcm, italian: Pcm, heard: Sound) -> None:
    """`heard` is what the audience heard of it: on a busy machine ticks are late for both."""
    about = await root.call("GET", f"/api/admin/evidence/{report}")
    spoke = about["spoke"]
    assert spoke[-1]["handle"] == bobs, "bob was the last"
    assert spoke[0]["handle"].startswith("ada")
    assert about["length_ms"] > (len(english) + len(italian)) / 48
    sound = as_float(await hear(root, report))
    middle = spoke[-1]["from_ms"] * 48
    bob_began = next(span["from_ms"] for span in spoke if span["handle"] == bobs) * 48
    assert middle >= bob_began
    for said in (as_float(english), as_float(italian)):
        there = intelligibility(said, heard)
        assert intelligibility(said, sound) >= max(0.7, min(0.93, there - 0.05))
    assert trace(as_float(italian), sound[: bob_began - 24_000]) < 0.5, "each at their time"
    entries = (await root.call("GET", "/api/admin/audit"))["entries"]
    assert (entries[0]["action"], entries[0]["object"]) == ("listen", report)


async def nothing_lies_open(house: House, english: Pcm) -> None:
    """The media processes have no key that opens anything, and the file of keys is for its owner alone."""
    file = house.folder / "data" / "evidence.key"
    assert file.stat().st_mode & 0o777 == 0o600
    secret = file.read_text().split()[-1]
    for pid in children(house)["media"]:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PAROLA_EVIDENCE_KEY=public:" in environ
        assert secret.encode() not in environ
    async with aiohttp.ClientSession() as session, session.get(house.origin + "/metrics") as answer:
        lines = (await answer.text()).splitlines()
    kept = [float(line.split()[-1]) for line in lines if line.startswith("parola_media_evidence_bytes")]
    assert 10_000 < sum(kept) < 5_000_000


async def test_from_a_listeners_report_to_what_is_decided_and_forgotten(
    house: House, bus: NatsServer, speech: dict[str, Speech], english: Pcm
) -> None:
    """On pages alone. A report that is decided takes its sound with it; where it stays open, thirty days do."""
    said = english[: 6 * RATE]
    async with (
        people(house, "root", "ada", "bob", "lia") as (root, ada, bob, lia),
        beside(house, bus) as (here, settings),
        browser(speech["italian-1"].microphone) as chrome,
        visiting(house, chrome, lia) as listener,
        visiting(house, chrome, root) as hers,
        visiting(house, chrome, bob) as his,
    ):
        await administers(house, root)
        room = await ada.call("POST", "/api/rooms", {"title": "Overheard"})
        bobs, adas = await give_floor(ada, bob, room["id"]), await handle_of(ada)
        await listener.open(f"/r/{room['id']}")
        await listener.tap("listen")
        await listener.listening()
        clip = Clip(np.zeros(24_000, np.int16))
        async with speaking(bob, room["id"], clip):
            clip.play(said)
            await clip.over.wait()
            await asyncio.sleep(0.5)
            await report(listener, "hate", bobs)
            await report(listener, "harassment")
        assert len(objects(house)) == 2

        sound = await heard_on_the_page(hers, bobs)
        assert intelligibility(as_float(said), as_float(sound)) >= 0.7
        decided, open_one = [await report_about(root, handle) for handle in (bobs, adas)]
        await measure(hers, "warn", "mind your words")
        await hers.tap("measure-do")
        await hers.sees_no("case")
        await his.open("/")
        await his.sees("decision-warn")
        assert await his.page.get_by_test_id("decision-reason").inner_text() == "mind your words"
        assert await codes_of(root, decided) == {"not_found"}
        assert len(objects(house)) == 1, "the sound went with the report"

        await open_case(hers, adas)
        await hers.sees("evidence-listen")
        await in_a_month(here, settings).look()
        assert objects(house) == []
        assert await codes_of(root, open_one) == {"not_found"}
        await open_case(hers, adas)
        await hers.sees("evidence-none")
        assert (await root.call("GET", f"/api/admin/reports/{open_one}"))["report"]["state"] == "open"
        assert listener.problems == hers.problems == his.problems == []


async def heard_on_the_page(root: Visitor, handle: str) -> Pcm:
    """What an administrator who opens the report about somebody gets to hear, and whether the page can play it."""
    got: list[bytes] = []

    async def keep(route: Route) -> None:
        answer = await route.fetch()
        assert (answer.status, answer.headers["content-type"]) == (200, "audio/ogg")
        got.append(await answer.body())
        await route.fulfill(response=answer)

    await root.page.route("**/sound?ticket=*", keep)
    await open_case(root, handle)
    await root.tap("evidence-listen")
    await root.page.get_by_test_id("reason").fill(REASON["reason"])
    await root.tap("do-it")
    await root.sees("evidence-player")
    (ogg,) = got
    sound = decoded(ogg)
    await root.page.wait_for_function(
        "seconds => document.querySelector('[data-testid=evidence-player]')?.duration >= seconds",
        arg=len(sound) / RATE - 0.5,
    )
    return sound


async def report_about(root: Api, handle: str) -> str:
    """The open one's id."""
    found = (await root.call("GET", "/api/admin/reports"))["reports"]
    (id,) = [one["id"] for one in found if one["about"]["handle"] == handle]
    return str(id)


async def codes_of(root: Api, report_id: str) -> set[str]:
    """What both calls about its sound are refused with."""
    path = f"/api/admin/evidence/{report_id}"
    return {await code(root.call("GET", path)), await code(root.call("POST", f"{path}/listen", REASON))}


async def test_what_is_switched_off_keeps_nothing_and_says_so(bus: NatsServer, english: Pcm) -> None:
    environment = {"PAROLA_EVIDENCE": "off", "PAROLA_NATS_URL": bus.url, "PAROLA_NATS_TOKEN": TOKEN}
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment=environment)) as house:
            async with people(house, "ada", "ear") as (ada, ear):
                room = await ada.call("POST", "/api/rooms", {"title": "Said"})
                assert room["evidence"] is None
                clip = Clip(np.zeros(4800, np.int16))
                async with (
                    beside(house, bus) as (here, _),
                    listening(ear, room["id"]) as heard,
                    speaking(ada, room["id"], clip),
                ):
                    clip.play(english)
                    await eventually(lambda: len(heard.heard) > 3 * 48_000)
                    assert not await here.evidence.seal(room["id"], "live")
                assert not (house.folder / "data" / "evidence.key").exists()
