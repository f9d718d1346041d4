"""What a scrape gets: series of each process, bounded in number, and never one twice."""

from __future__ import annotations

from collections import Counter

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from parola.bus.messages import Figures
from tests.web_process import FakeMedia, WebProcess


async def scraped(web: WebProcess) -> dict[str, Metric]:
    answer = await web.guest.get("/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {family.name: family for family in text_string_to_metric_families(answer.content.decode())}


def value(families: dict[str, Metric], sample: str, **labels: str) -> float:
    """The sum of those samples that have these labels."""
    found = [
        s.value
        for family in families.values()
        for s in family.samples
        if s.name == sample and labels.items() <= s.labels.items()
    ]
    assert found, f"no {sample} {labels}"
    return sum(found)


def series(families: dict[str, Metric]) -> list[tuple[str, frozenset[tuple[str, str]]]]:
    return [(s.name, frozenset(s.labels.items())) for f in families.values() for s in f.samples]


async def test_calls_are_counted_by_template_and_timed(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    await ada.get(f"/api/rooms/{room}")
    await ada.get("/api/rooms/nothing")
    await web.call("FROBNICATE", "/api/rooms")
    families = await scraped(web)
    route = "/api/rooms/{room_id}"
    assert value(families, "parola_http_answers_total", route=route, method="GET", status="200") == 1
    assert value(families, "parola_http_answers_total", route=route, method="GET", status="404") == 1
    assert value(families, "parola_http_answer_seconds_count", route=route) == 2
    assert value(families, "parola_http_answers_total", method="other") == 1


async def test_a_hundred_rooms_and_people_add_no_series(web: WebProcess) -> None:
    async def some_calls(handle: str) -> None:
        person = await web.member(handle)
        room = await person.opens()
        await person.get(f"/api/rooms/{room}")
        await person.get(f"/api/accounts/{handle}")
        await person.delete(f"/api/rooms/{room}/floor/{handle}")
        await web.guest.get(f"/{handle}/{room}")
        await web.call(handle.upper(), "/api/rooms")
        await person.connects(room)
        await person.post(f"/api/rooms/{room}/end")

    await some_calls("first")
    await scraped(web)
    before = series(await scraped(web))
    for n in range(100):
        await some_calls(f"person_{n}")
    after = series(await scraped(web))
    assert set(after) == set(before)


async def test_every_process_has_its_own_series_and_none_stands_twice(web: WebProcess) -> None:
    other = FakeMedia(web.bus, web.store, "media_2")
    await other.start()
    await web.services.projections.leases.look()
    families = await scraped(web)
    assert max(Counter(series(families)).values()) == 1, "both call themselves media-0"
    rooms = {
        "name": "parola_media_rooms_owned",
        "help": "Rooms",
        "kind": "gauge",
        "samples": [["parola_media_rooms_owned", {}, 41.0]],
    }
    other.replies["figures"] = Figures({}, "there", "media-0", [rooms])
    families = await scraped(web)
    assert value(families, "parola_media_rooms_owned", machine="there", process="media-0") == 41
    assert value(families, "parola_media_rooms_owned", machine="here", process="media-0") == 1
    for family in families.values():
        for sample in family.samples:
            assert {"machine", "process"} <= sample.labels.keys(), sample


async def test_a_media_process_that_says_nothing_is_counted_and_keeps_nothing_back(
    web: WebProcess,
) -> None:
    families = await scraped(web)
    assert value(families, "parola_media_processes_silent") == 0
    web.media.replies["figures"] = None
    families = await scraped(web)
    assert value(families, "parola_media_processes_silent") == 1
    assert value(families, "parola_media_leases", state="alive") == 1
    assert "parola_media_rooms_owned" not in families


async def test_what_is_missing_stands_there_as_in_readyz(web: WebProcess) -> None:
    families = await scraped(web)
    assert value(families, "parola_missing") == 0
    web.bus.away = True
    families = await scraped(web)
    assert value(families, "parola_missing", what="bus") == 1
    assert value(families, "parola_missing") == 1
    assert value(families, "parola_bus_connected", process="web") == 0


async def test_silences_are_timed_and_those_that_nobody_confirms_counted(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    await bob.put(f"/api/rooms/{room}/hands/me")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    assert (await bob.connects(room, "whip")).status == 201
    assert (await ada.put(f"/api/rooms/{room}/mutes/bob")).status == 200
    families = await scraped(web)
    assert value(families, "parola_silence_seconds_count") == 1
    assert value(families, "parola_commands_unconfirmed_total") == 0
    web.media.replies["settle"] = None
    assert (await ada.delete(f"/api/rooms/{room}/floor/bob")).said == (503, "not_confirmed")
    families = await scraped(web)
    assert value(families, "parola_silence_seconds_count") == 1
    assert value(families, "parola_commands_unconfirmed_total") == 1


async def test_a_room_that_gets_another_owner_is_counted(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    assert (await ada.connects(room, "whip")).status == 201
    assert value(await scraped(web), "parola_ownership_takeovers_total") == 0
    other = FakeMedia(web.bus, web.store, "media_2")
    await other.start()
    await web.store.leases.release("media_1")
    await web.services.projections.leases.look()
    assert (await ada.connects(room, "whip")).status == 201
    assert value(await scraped(web), "parola_ownership_takeovers_total") == 1
