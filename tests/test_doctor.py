"""`parola doctor`: what it says of machines that are not this one, and of real set-ups that work and that do not."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from parola.doctor import Finding, Level, machine, neighbours, network, report
from parola.store import Store, StoreUnavailable, upgrade
from parola.store.examine import Examined, examine, shown
from tests.database import DATABASES
from tests.e2e.house import House, free_port, opened

OK, WARNING, PROBLEM = Level.OK, Level.WARNING, Level.PROBLEM


def said(finding: Finding) -> Level:
    """Its level; what to do has to be said where something is wrong, and nowhere else."""
    assert bool(finding.remedy) is (finding.level is not OK), finding
    return finding.level


def levels(findings: list[Finding]) -> list[Level]:
    return [said(finding) for finding in findings]


@pytest.mark.parametrize(
    ("version", "level"), [((3, 10, 9), PROBLEM), ((3, 11, 0), OK), ((3, 14, 1), OK), ((4, 0, 0), OK)]
)
def test_python(version: tuple[int, int, int], level: Level) -> None:
    assert said(machine.python(version)) == level


def test_libraries() -> None:
    found = machine.libraries({"libopus": "libopus 1.6.1", "pylibsrtp": ImportError("no libsrtp.so")})
    assert levels(found) == [OK, PROBLEM]
    assert "no libsrtp.so" in found[1].words


@pytest.mark.parametrize(("heard", "level"), [(0.35, OK), (0.0, PROBLEM), (OSError("broken"), PROBLEM)])
def test_codec(heard: float | Exception, level: Level) -> None:
    assert said(machine.codec(heard)) == level


@pytest.mark.parametrize(
    ("trouble", "free", "level"),
    [
        ("", 50 << 30, OK),
        ("", 500 << 20, WARNING),
        ("", 50 << 20, PROBLEM),
        ("Permission denied", 50 << 30, PROBLEM),
    ],
)
def test_data_folder(trouble: str, free: int, level: Level) -> None:
    (finding,) = machine.data_folder(Path("/var/lib/parola"), trouble, free)
    assert said(finding) == level
    assert "/var/lib/parola" in finding.words


@pytest.mark.parametrize(
    ("unix", "drift", "ahead", "expected"),
    [
        (1.8e9, 0.0, None, [OK]),
        (1.8e9, 0.0, 0.5, [OK]),
        (1.8e9, 0.0, 3600.0, [OK, WARNING]),
        (1.8e9, -3.0, -3600.0, [WARNING, WARNING]),
        (0.0, 0.0, None, [PROBLEM]),
    ],
)
def test_clock(unix: float, drift: float, ahead: float | None, expected: list[Level]) -> None:
    assert levels(machine.clock(unix, drift, ahead)) == expected


@pytest.mark.parametrize(("hard", "level"), [(100, PROBLEM), (1024, WARNING), (4096, OK), (1 << 30, OK)])
def test_descriptors(hard: int, level: Level) -> None:
    assert said(machine.descriptors(hard, 4096)) == level


def test_udp_buffers() -> None:
    small, large = (
        {"net.core.rmem_max": 212_992, "net.core.wmem_max": 8 << 20},
        {"net.core.rmem_max": 8 << 20},
    )
    finding = machine.udp_buffers(small, is_root=False)
    assert said(finding) == WARNING
    assert "sysctl -w net.core.rmem_max=4194304," in finding.remedy
    assert said(machine.udp_buffers(small, is_root=True)) == OK
    assert said(machine.udp_buffers(large, is_root=False)) == OK
    assert said(machine.udp_buffers({"net.core.rmem_max": None}, is_root=False)) == OK


@pytest.mark.parametrize(("cores", "media", "level"), [(2, 1, OK), (1, 1, OK), (2, 8, WARNING)])
def test_cores(cores: int, media: int, level: Level) -> None:
    assert said(machine.cores(cores, media, 1)) == level


def test_page() -> None:
    assert levels(machine.page(True, is_web=True)) == [OK]
    assert levels(machine.page(False, is_web=True)) == [WARNING]
    assert machine.page(False, is_web=False) == []


def test_ports() -> None:
    taken = "TCP port 8080 of 127.0.0.1 is in use by process 7 (nginx). PAROLA_HTTP_PORT names another."
    assert said(network.port("http", "", "8080", is_ours=False)) == OK
    assert said(network.port("http", taken, "8080", is_ours=True)) == OK
    finding = network.port("http", taken, "8080", is_ours=False)
    assert said(finding) == PROBLEM
    assert finding.words.endswith("of 127.0.0.1 is in use by process 7 (nginx)")
    assert finding.remedy == "PAROLA_HTTP_PORT names another."


@pytest.mark.parametrize(
    ("address", "proxies", "level"),
    [("127.0.0.1", (), WARNING), ("::1", ("::1",), WARNING), ("0.0.0.0", (), OK), ("192.168.1.5", (), OK)],
)
def test_bind(address: str, proxies: tuple[str, ...], level: Level) -> None:
    assert said(network.bind(address, proxies)) == level


@pytest.mark.parametrize(
    ("told", "is_set", "bind", "level"),
    [
        (["127.0.0.1"], False, "127.0.0.1", OK),
        (["8.8.8.8"], True, "127.0.0.1", PROBLEM),
        (["8.8.8.8"], True, "0.0.0.0", OK),
        (["10.0.0.5", "127.0.0.1"], False, "0.0.0.0", WARNING),
        (["10.0.0.5", "2a00:1450::1"], False, "::", OK),
        (["127.0.0.1"], False, "0.0.0.0", PROBLEM),
    ],
)
def test_public_addresses(told: list[str], is_set: bool, bind: str, level: Level) -> None:
    assert said(network.public_addresses(told, is_set, bind)) == level


@pytest.mark.parametrize(
    ("url", "bind", "level"),
    [
        ("http://localhost:8080", "127.0.0.1", OK),
        ("http://[::1]:8080", "127.0.0.1", OK),
        ("http://localhost:8080", "0.0.0.0", WARNING),
        ("http://rooms.example", "0.0.0.0", WARNING),
        ("http://192.168.1.5:8080", "192.168.1.5", WARNING),
        ("https://rooms.example", "0.0.0.0", OK),
        ("https://rooms.example", "127.0.0.1", OK),
    ],
)
def test_public_url(url: str, bind: str, level: Level) -> None:
    assert said(network.public_url(url, bind)) == level


def test_round_trip() -> None:
    assert said(network.round_trip("127.0.0.1", 0.0002)) == OK
    assert said(network.round_trip("192.0.2.1", TimeoutError())) == PROBLEM


KNOWN = ("v0002", "v0001")


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        (None, OK, "first start"),
        (Examined("SQLite 3", "v0002", KNOWN, 0.001, None), OK, "v0002"),
        (Examined("SQLite 3", "v0001", KNOWN, 0.001, None), OK, "will become v0002"),
        (Examined("SQLite 3", None, KNOWN, 0.001, None), OK, "will be made"),
        (Examined("PostgreSQL 18", "v0002", KNOWN, 0.2, 0.0), WARNING, "200.0 ms"),
        (Examined("PostgreSQL 18", "v0003", KNOWN, 0.001, 0.0), PROBLEM, "newer"),
        (StoreUnavailable("refused\nand much more"), PROBLEM, "cannot be used: refused"),
        (TimeoutError(), PROBLEM, "TimeoutError"),
    ],
)
def test_database(found: Examined | Exception | None, level: Level, word: str) -> None:
    finding = neighbours.database("postgresql://db/parola", found)
    assert said(finding) == level
    assert word in finding.words
    assert "\n" not in finding.words


def test_bus() -> None:
    assert said(neighbours.bus("our own nats-server", "v2.15.1")) == OK
    assert said(neighbours.bus("PAROLA_NATS_URL", ConnectionError("no answer"))) == PROBLEM


def test_a_machine_with_one_role_needs_what_the_others_have() -> None:
    assert neighbours.shared_database(True, True, ("web", "media")) == []
    assert neighbours.shared_database(False, False, ("media",)) == []
    assert levels(neighbours.shared_database(True, False, ("media",))) == [PROBLEM]
    assert levels(neighbours.shared_database(False, True, ("web",))) == [PROBLEM]


@pytest.mark.parametrize(
    ("found", "level", "word"),
    [
        ((False, "", True, False), OK, "nothing"),
        ((True, "", False, True), OK, "first start"),
        ((True, "0a1b", False, True), OK, "0a1b"),
        ((True, OSError("Permission denied"), False, True), PROBLEM, "Permission denied"),
        ((True, "0a1b", True, True), WARNING, "own"),
        ((True, "", True, False), WARNING, "keeps nothing"),
        ((True, "0a1b", False, False), OK, "0a1b"),
    ],
)
def test_the_key_of_evidence(
    found: tuple[bool, str | Exception, bool, bool], level: Level, word: str
) -> None:
    finding = neighbours.evidence(*found)
    assert said(finding) == level
    assert word in finding.words


def test_a_running_server() -> None:
    url, holder = "http://127.0.0.1:8080", "process 7 (parola serve)"
    assert said(neighbours.running(url, "", None)) == OK
    assert said(neighbours.running(url, holder, (200, b"ready\n"))) == OK
    assert said(neighbours.running(url, holder, ConnectionRefusedError("refused"))) == PROBLEM
    finding = neighbours.running(url, holder, (503, b'{"missing": ["database", "bus"]}'))
    assert said(finding) == PROBLEM
    assert finding.words.endswith("not ready: database, bus")
    assert said(neighbours.running(url, holder, (502, b"<html>"))) == PROBLEM


def test_figures_of_a_running_server() -> None:
    calm = (
        'parola_media_listeners{process="media-0"} 2.0\nparola_media_listeners{process="media-1"} 3.0\n'
        'parola_media_load_ratio{process="media-0"} 0.2\nparola_commands_unconfirmed_total 0.0\n'
    )
    assert neighbours.figures(None) == []
    (finding,) = neighbours.figures(calm)
    assert said(finding) == OK
    assert "5 listeners" in finding.words
    ill = calm.replace("0.2", "1.5").replace("total 0.0", "total 3.0")
    ill += 'parola_media_dropped_datagrams_total{process="media-0",reason="bug"} 1.0\n'
    found = neighbours.figures(ill)
    assert levels(found) == [WARNING] * 3
    words = " ".join(f.words for f in found)
    assert "3 silences that nobody confirmed" in words
    assert "1 datagrams that met a bug" in words
    assert "full: media-0" in words
    assert levels(neighbours.figures(ConnectionRefusedError())) == [PROBLEM]


def test_the_report_is_to_be_read() -> None:
    text = report(
        [Finding(OK, "page", "it is built"), Finding(PROBLEM, "database", "it is away", "Start it. " * 20)]
    )
    lines = text.splitlines()
    assert lines[0] == "ok       page      it is built"
    assert lines[1] == "problem  database  it is away"
    assert lines[2].startswith("                   → Start it.")
    assert max(map(len, lines)) <= 100
    assert lines[-1] == "1 problem, 0 warnings"


async def test_a_look_at_a_database_makes_none_and_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "parola.db"
    url = f"sqlite+aiosqlite:///{file}"
    assert await examine(url) is None
    assert not file.exists()
    await upgrade(url)
    found = await examine(url)
    assert found is not None
    assert found.revision == found.known[0]
    assert found.server.startswith("SQLite 3.")
    assert found.ahead_s is None


async def test_a_look_at_whatever_database_the_tests_use(store: Store) -> None:
    url = store._database.engine.url.render_as_string(hide_password=False)
    found = await examine(url)
    assert found is not None
    assert found.seconds > 0
    assert found.revision == found.known[0]


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql+asyncpg://ada:secret@db:5432/parola") == "postgresql://ada:***@db:5432/parola"


def doctor(folder: Path, *arguments: str, **changes: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """Exit code, findings by what they are about, and all that was said."""
    ports = {"HTTP_PORT": str(free_port(socket.SOCK_STREAM)), "UDP_PORT": str(free_port(socket.SOCK_DGRAM))}
    chosen = {**ports, "MEDIA_PROCESSES": "1", "DATA_DIR": str(folder / "data"), **changes}
    done = subprocess.run(
        [sys.executable, "-m", "parola", "doctor", "--json", *arguments],
        env={**os.environ, **{f"PAROLA_{name}": value for name, value in chosen.items()}},
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert done.stderr == ""
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["ok"] is (done.returncode == 0)
    return done.returncode, {f["about"]: f for f in told["findings"]}, done.stdout


@pytest.mark.any_database
@pytest.mark.e2e
def test_a_good_set_up(tmp_path: Path) -> None:
    code, found, _ = doctor(tmp_path)
    assert code == 0
    bad = {about for about, finding in found.items() if finding["level"] != "ok"}
    assert bad <= {"bind", "page", "udp buffers", "cores"}, "only what depends on the machine"
    assert found["libopus"]["words"].startswith("libopus 1.")
    assert "with DTLS" in found["openssl"]["words"]
    assert found["running server"]["words"] == "none for this data folder"
    assert not (tmp_path / "data").exists(), "a look makes no folder"


@pytest.mark.any_database
@pytest.mark.e2e
def test_ports_that_another_process_has_are_named_with_their_holder(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as http, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        ports = {"HTTP_PORT": str(http.getsockname()[1]), "UDP_PORT": str(udp.getsockname()[1])}
        code, found, _ = doctor(tmp_path, **ports)
    assert code == 1
    for about, kind in (("http port", "HTTP"), ("udp ports", "UDP")):
        assert found[about]["level"] == "problem"
        assert f"process {os.getpid()} (" in found[about]["words"]
        assert found[about]["remedy"] == f"PAROLA_{kind}_PORT names another."


@pytest.mark.any_database
@pytest.mark.e2e
def test_what_cannot_be_reached_or_written_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file and no folder")
    nowhere = free_port(socket.SOCK_STREAM)
    code, found, text = doctor(
        tmp_path,
        DATABASE_URL=f"postgresql://ada:very-secret@127.0.0.1:{nowhere}/parola",
        NATS_URL=f"nats://127.0.0.1:{nowhere}",
        BIND="192.0.2.1",
        PUBLIC_URL="http://rooms.example",
    )
    assert code == 1
    for about in ("database", "bus", "data folder", "http port", "udp ports", "udp"):
        assert found[about]["level"] == "problem", found[about]
        assert found[about]["remedy"]
    assert found["public url"]["level"] == "warning"
    assert "very-secret" not in text


@pytest.mark.any_database
@pytest.mark.e2e
def test_a_running_server_is_known_by_its_folder_and_asked(tmp_path: Path) -> None:
    house = House(tmp_path)
    with opened(house):
        ports = {"HTTP_PORT": str(house.http_port), "UDP_PORT": str(house.udp_port)}
        ports |= {name.removeprefix("PAROLA_"): value for name, value in house.environment.items()}
        code, found, text = doctor(tmp_path, **ports)
        assert code == 0, text
        assert house.process is not None
        assert f"process {house.process.pid} (" in found["running server"]["words"]
        assert f"ready at http://127.0.0.1:{house.http_port}" in found["running server"]["words"]
        for about in ("http port", "udp ports"):
            assert found[about]["words"].endswith("in use by the Parola that runs here")
        assert found["figures"]["words"].startswith("nothing to worry about; 0 listeners")
        server = "SQLite 3." if DATABASES.kind == "sqlite" else "PostgreSQL 18."
        assert found["database"]["words"].startswith(server)
        code, found, _ = doctor(tmp_path / "other", **ports)
        assert code == 1, "to another data folder the same ports are somebody else's"
