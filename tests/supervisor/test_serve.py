"""`parola serve` with real processes and real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from parola.bus import Message
from parola.bus.nats import NatsBus
from tests.supervisor.conftest import SmallHouse, free_port, lives

pytestmark = pytest.mark.any_database

MOST_S = 5.0
"""Everything has to end within these."""


def test_ready_is_said_once_and_stdout_holds_nothing_else(house: SmallHouse) -> None:
    house.start().until_ready()
    os.kill(house.pids("web-0")[0], signal.SIGKILL)
    house.until(lambda: len(house.pids("web-0")) == 2)
    house.noted("web", house.pids("web-0")[1])
    house.signal(signal.SIGTERM)
    assert house.ended() == 0
    assert house.out == f"Parola is ready: http://localhost:{house.http_port}\n"


def test_ready_is_said_when_it_is_true(house: SmallHouse) -> None:
    (house.notes / "not-ready").touch()
    house.start()
    house.until(lambda: house.pids("web-0"))
    house.noted("web", house.pids("web-0")[0])
    assert house.ask("/readyz") == "Missing: bus."
    assert house.out == ""
    (house.notes / "not-ready").unlink()
    house.until_ready()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_all_in_time(house: SmallHouse, number: signal.Signals) -> None:
    house.start().until_ready()
    pids = house.all_pids()
    assert len(pids) == 3
    began = time.monotonic()
    house.signal(number)
    assert house.ended() == 0
    assert time.monotonic() - began < MOST_S
    assert not any(lives(pid) for pid in pids)
    assert not list(house.notes.glob("gone-*"))


def test_children_that_will_not_end_are_killed_in_time(house: SmallHouse) -> None:
    (house.notes / "stubborn").touch()
    house.start().until_ready()
    pids = house.all_pids()
    began = time.monotonic()
    house.signal(signal.SIGTERM)
    assert house.ended() == 0
    assert time.monotonic() - began < MOST_S
    assert not any(lives(pid) for pid in pids)
    assert {x["child"] for x in house.log if x["event"] == "child.killed"} == {"media-0", "web-0"}


def test_a_signal_ends_it_before_it_is_ready_too(house: SmallHouse) -> None:
    (house.notes / "slow-database").touch()
    house.start()
    house.until(lambda: len(house.all_pids()) == 3)
    pids = house.all_pids()
    began = time.monotonic()
    house.signal(signal.SIGTERM)
    assert house.ended() == 0
    assert time.monotonic() - began < MOST_S
    assert not any(lives(pid) for pid in pids)
    assert house.out == ""
    assert not (house.notes / "upgraded").exists()


def test_nobody_outlives_a_supervisor_that_is_killed(house: SmallHouse) -> None:
    (house.notes / "stubborn").touch()
    house.start().until_ready()
    pids = house.all_pids()
    house.signal(signal.SIGKILL)
    assert house.ended() == -signal.SIGKILL
    house.until(lambda: not any(lives(pid) for pid in pids))


def test_it_starts_again_at_once_after_it_was_killed(house: SmallHouse) -> None:
    house.start().until_ready()
    house.signal(signal.SIGKILL)
    house.ended()
    house.start().until_ready()


def test_a_media_process_that_dies_is_reported_and_started_with_a_new_id(house: SmallHouse) -> None:
    house.start().until_ready()
    first = house.pids("media-0")[0]
    identity = house.noted("media", first)["PAROLA_PROCESS_ID"]
    os.kill(first, signal.SIGKILL)
    house.until(lambda: len(house.pids("media-0")) == 2)
    house.until((house.notes / f"gone-{identity}").exists)
    second = house.noted("media", house.pids("media-0")[1])["PAROLA_PROCESS_ID"]
    assert second != identity
    assert "." not in identity + second
    died = [x for x in house.log if x["event"] == "child.died"]
    assert [(x["child"], x["how"]) for x in died] == [("media-0", "SIGKILL")]
    assert len(list(house.notes.glob("gone-*"))) == 1


def test_pauses_grow_for_a_child_that_keeps_dying(house: SmallHouse) -> None:
    (house.notes / "short-lived").touch()
    house.start()
    house.until(lambda: len([x for x in house.log if x["event"] == "child.died"]) >= 5)
    died = [x for x in house.log if x["event"] == "child.died"][:5]
    assert [x["again_in_s"] for x in died] == [0.05, 0.1, 0.2, 0.4, 0.4]
    assert {x["how"] for x in died} == {"exit 3"}


def test_the_port_is_not_lost_while_web_starts_again(house: SmallHouse) -> None:
    house.start().until_ready()
    first = house.pids("web-0")[0]
    assert house.ask("/pid") == str(first)
    os.kill(first, signal.SIGKILL)
    house.until(lambda: not lives(first))
    # Whoever comes meanwhile is not refused but served by the next one.
    assert house.ask("/pid") == str(house.pids("web-0")[1])


async def test_the_bus_comes_back_with_its_port_and_secret(house: SmallHouse) -> None:
    house.start().until_ready()
    given = house.noted("media", house.pids("media-0")[0])
    bus = await NatsBus.connect(given["PAROLA_NATS_URL"], given["PAROLA_NATS_TOKEN"])
    back, heard = asyncio.Event(), asyncio.Event()

    async def handle(_message: Message) -> None:
        heard.set()

    async def tell() -> None:
        back.set()

    await bus.subscribe("media.gone", handle)
    bus.on_reconnect(tell)
    os.kill(house.pids("nats-server")[0], signal.SIGKILL)
    async with asyncio.timeout(20):
        await back.wait()
        await bus.publish("media.gone", b"")
        await heard.wait()
    await bus.close()
    assert len(house.pids("nats-server")) == 2
    assert len(house.pids("media-0")) == len(house.pids("web-0")) == 1


def test_the_secret_is_in_no_file_and_on_no_command_line(house: SmallHouse) -> None:
    house.start().until_ready()
    token = house.noted("media", house.pids("media-0")[0])["PAROLA_NATS_TOKEN"].encode()
    assert len(token) > 40
    for path in house.data.rglob("*"):
        assert not path.is_file() or token not in path.read_bytes()
    for pid in house.all_pids():
        assert token not in Path(f"/proc/{pid}/cmdline").read_bytes()
    assert token not in house.err.encode()


def test_the_operators_own_bus_takes_the_embedded_ones_place(house: SmallHouse) -> None:
    house.variables = {"PAROLA_NATS_URL": "nats://127.0.0.1:4222"}
    house.start().until_ready()
    assert house.pids("nats-server") == []
    given = house.noted("media", house.pids("media-0")[0])
    assert given["PAROLA_NATS_URL"] == "nats://127.0.0.1:4222"
    assert "PAROLA_NATS_TOKEN" not in given


def test_roles_say_what_runs(house: SmallHouse) -> None:
    house.variables = {"PAROLA_ROLES": "media"}
    house.start().until_ready()
    assert house.pids("web-0") == []
    assert house.out == f"Parola is ready: media on UDP port {house.udp_port} of 127.0.0.1\n"
    with pytest.raises(ConnectionRefusedError):
        house.ask("/readyz")


def test_web_alone_needs_no_udp_port(house: SmallHouse) -> None:
    house.variables = {"PAROLA_ROLES": "web"}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", house.udp_port))
        house.start().until_ready()
    assert house.pids("media-0") == []


def test_a_folder_in_use_is_named_with_its_holder(house: SmallHouse, neighbour: SmallHouse) -> None:
    house.start().until_ready()
    assert house.process is not None
    neighbour.data = house.data
    neighbour.start()
    assert neighbour.ended() == 2
    assert neighbour.out == ""
    assert neighbour.err.startswith(
        f"The data folder {house.data} is in use by process {house.process.pid} ("
    )
    assert "small_house" in neighbour.err
    assert house.ask("/readyz") == "ready"


def test_ports_in_use_are_named_with_their_holders(house: SmallHouse, neighbour: SmallHouse) -> None:
    house.start().until_ready()
    assert house.process is not None
    neighbour.http_port, neighbour.udp_port = house.http_port, house.udp_port
    neighbour.start()
    assert neighbour.ended() == 2
    http, udp = neighbour.err.splitlines()
    holders = (house.process.pid, house.pids("web-0")[0])
    assert any(
        http.startswith(f"TCP port {house.http_port} of 127.0.0.1 is in use by process {pid} (")
        for pid in holders
    )
    assert udp.startswith(
        f"UDP port {house.udp_port} of 127.0.0.1 is in use by process {house.pids('media-0')[0]} ("
    )
    assert not neighbour.all_pids()


def test_a_folder_is_free_again_when_its_holder_was_killed(house: SmallHouse, neighbour: SmallHouse) -> None:
    house.start().until_ready()
    house.signal(signal.SIGKILL)
    house.ended()
    neighbour.data = house.data
    neighbour.start().until_ready()


def test_a_database_that_cannot_be_prepared_starts_nothing(house: SmallHouse) -> None:
    (house.notes / "no-database").touch()
    house.start()
    assert house.ended() == 2
    assert "The database cannot be prepared: the disk is full" in house.err
    assert not any(lives(pid) for pid in house.all_pids())
    assert not list(house.notes.glob("media-*"))


def test_the_chosen_one_may_need_a_second_life(house: SmallHouse) -> None:
    (house.notes / "slow-database").touch()
    house.start()
    house.until(lambda: len(house.all_pids()) == 3)
    (house.notes / "slow-database").unlink()
    os.kill(house.pids("media-0")[0], signal.SIGKILL)
    house.until_ready()
    assert (house.notes / "upgraded").exists()


def test_an_address_of_another_host_is_refused(house: SmallHouse) -> None:
    house.variables = {"PAROLA_BIND": "192.0.2.1"}
    house.start()
    assert house.ended() == 2
    assert "This host has no address 192.0.2.1. PAROLA_BIND names another." in house.err


def test_a_folder_that_cannot_be_made_is_named(house: SmallHouse) -> None:
    house.data.write_text("a file")
    house.start()
    assert house.ended() == 2
    assert f"The data folder {house.data} cannot be used" in house.err


def test_several_media_processes_take_ports_upward(house: SmallHouse) -> None:
    house.udp_port = free_port(socket.SOCK_DGRAM, 2)
    house.variables = {"PAROLA_MEDIA_PROCESSES": "2", "PAROLA_WEB_PROCESSES": "2"}
    house.start().until_ready()
    house.until(lambda: house.pids("media-1") and house.pids("web-1"))
    house.noted("media", house.pids("media-1")[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="in use"):
        sock.bind(("127.0.0.1", house.udp_port + 1))
