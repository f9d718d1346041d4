"""What a media process tells of itself: every reason by its name, nothing without bound, and nothing that falls."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parola.bus.messages import Figures
from parola.media import figures
from parola.media.connections import Connections
from parola.media.process import MediaProcess
from parola.media.ticker import Ticker
from parola.media.transport import Transport
from tests.media.fakes import FakePeer
from tests.media.test_owner_edge import House

SOURCE = Path(figures.__file__).parent


class Process:
    """As much of a media process as its figures look at."""

    def __init__(self) -> None:
        self.house = House("ada")
        self.transport = Transport([], lambda: 0.0)
        self.connections = Connections(self.transport, lambda: 10.0, None, lambda *_: None)
        self.ticker = Ticker(lambda: 0.0, lambda: None)
        self.fences: Counter[str] = Counter()
        self.senders: list[Any] = []
        self.owned = {"room": self.house.owned}
        self.edges = {"room": self.house.edge}
        self.tenure = SimpleNamespace(sees_database=True)
        self.projections = SimpleNamespace(leases=SimpleNamespace(looked_ago=lambda: 0.5))
        self.meter = SimpleNamespace(load=SimpleNamespace(value=0.25, reason=None), refused=3)
        self.identity = SimpleNamespace(machine="here", name="media-0")
        self.keeping = SimpleNamespace(size=1500, rooms=2, failed=1, dropped=4)

    def told(self) -> dict[tuple[str, str], float]:
        """By sample and the values of its labels."""
        answer = Figures.from_bytes(figures.MediaFigures(cast(MediaProcess, self), ()).answer())
        assert (answer.machine, answer.name) == ("here", "media-0")
        return {
            (name, ",".join(labels.values())): value
            for family in answer.families
            for name, labels, value in family["samples"]
        }


def words(pattern: str) -> set[str]:
    """What a pattern finds in the sources of the media floor."""
    return {word for file in SOURCE.glob("*.py") for word in re.findall(pattern, file.read_text())}


def test_every_reason_that_the_code_knows_has_its_name() -> None:
    closed = words(r'(?:\.close|close_all|\._end|disown)\((?:[a-z]+, )?"([a-z_]+)"\)')
    assert {"left", "consent_expired", "ownership_lost"} <= closed, "the pattern finds what it should"
    assert closed == figures.ENDS
    dropped = {word for word in words(r'dropped\["([a-z_]+)"\]') if not word.startswith("send_")}
    strangers = {f"{kind}_from_stranger" for kind in ("rtp", "rtcp", "dtls")}
    assert dropped | strangers | {"unknown", "receive_buffer_full"} == figures.DROPS


def test_what_has_no_name_is_other_and_makes_no_series_of_its_own() -> None:
    process = Process()
    before = process.told().keys()
    for n in range(100):
        process.transport.dropped[f"new_{n}"] += 1
        process.transport.dropped[f"send_new_{n}"] += 1
        process.transport.ended[f"new_{n}"] += 1
    process.transport.dropped["send_enobufs"] += 2
    told = process.told()
    assert told["parola_media_dropped_datagrams_total", "other"] == 100
    assert told["parola_media_connections_closed_total", "other"] == 100
    assert told["parola_media_send_errors_total", "other"] == 100
    assert told["parola_media_send_errors_total", "enobufs"] == 2
    assert len(told.keys() - before) == 4


def test_reasons_stand_there_before_anything_has_happened() -> None:
    told = Process().told()
    for name, label in (
        ("dropped_datagrams", "bug"),
        ("connections_closed", "left"),
        ("fences", "timed_out"),
    ):
        assert told[f"parola_media_{name}_total", label] == 0
    assert told["parola_media_load_ratio", ""] == 0.25
    assert told["parola_media_refused_total", ""] == 3
    assert (told["parola_media_speakers", ""], told["parola_media_listeners", ""]) == (2, 0)


def test_a_listeners_loss_and_a_connections_life_are_noted() -> None:
    process = Process()
    listener, peer = process.house.listener(None)
    peer.created = 9.8  # type: ignore[attr-defined]
    process.connections.add(listener, "192.0.2.1")
    process.connections.connected(listener)
    listener.on_loss(0.04)
    told = process.told()
    assert told["parola_media_listener_loss_ratio_bucket", "0.05"] == 1
    assert told["parola_media_listener_loss_ratio_bucket", "0.02"] == 0
    assert told["parola_media_handshakes_total", "ok"] == 1
    assert told["parola_media_handshake_seconds_bucket", "0.25"] == 1
    assert told["parola_media_handshake_seconds_bucket", "0.1"] == 0


def test_who_goes_before_they_were_connected_has_failed() -> None:
    process = Process()
    listener, _ = process.house.listener(None)
    made: Any = process.connections.make_peer(lambda _: cast(Any, _Raw()))
    listener.peer = made
    process.connections.add(listener, "192.0.2.1")
    process.connections.gone(listener, "left")
    process.connections.gone(listener, "left")
    told = process.told()
    assert told["parola_media_handshakes_total", "failed"] == 1
    assert told["parola_media_handshaking", ""] == 0


@pytest.mark.parametrize(
    ("reason", "after_s", "counts"),
    [
        ("handshake_timeout", 10.0, True),
        ("dtls_failed", 0.1, True),
        ("full", 0.1, True),
        ("left", 0.1, False),
        ("left", 9.9, True),
        ("closed_by_client", 0.1, False),
        ("room_ended", 9.9, False),
    ],
)
def test_a_listener_was_answered_in_vain_where_that_was_not_their_wish(
    reason: str, after_s: float, counts: bool
) -> None:
    process, vain = Process(), list[object]()
    connections = Connections(process.transport, lambda: after_s, None, lambda *_: None, vain.append)
    listener, _ = process.house.listener(None)
    raw = listener.peer = cast(Any, connections.make_peer(lambda _: cast(Any, _Raw())))
    connections.add(listener, "192.0.2.1")
    connections.gone(listener, reason)
    assert vain == ([listener] if counts else [])
    speaker = process.house.speakers["ada"]
    speaker.peer = raw
    connections._handshaking.add(raw)
    connections.gone(speaker, reason)
    assert len(vain) == counts, "who speaks does not come to hear"


def test_a_connection_that_was_up_was_not_in_vain() -> None:
    process, vain = Process(), list[object]()
    connections = Connections(process.transport, lambda: 60.0, None, lambda *_: None, vain.append)
    listener, _ = process.house.listener(None)
    listener.peer = connections.make_peer(lambda _: cast(Any, _Raw()))
    connections.add(listener, "192.0.2.1")
    connections.connected(listener)
    connections.gone(listener, "left")
    assert vain == []


def test_totals_of_speakers_do_not_fall_when_they_leave() -> None:
    process = Process()
    process.house.talking["ada"] = 440.0
    process.house.run(20)
    event = "parola_media_jitter_buffer_events_total"
    before = process.told()[event, "received"]
    assert before == 20
    ada = process.house.speakers["ada"]
    process.connections._transport = cast(Transport, SimpleNamespace(remove=lambda _: None))
    ada._on_gone = process.connections.gone
    ada.close("left")
    assert "ada" not in process.house.owned.speakers
    assert process.told()[event, "received"] == before


class _Raw(FakePeer):
    def __init__(self) -> None:
        super().__init__()
        self.ice = SimpleNamespace(ufrag="u", asking=None)
        self.created = 0.0


def test_what_is_kept_for_reports_is_told_and_so_is_what_is_not() -> None:
    process = Process()
    told = process.told()
    assert told["parola_media_evidence_bytes", ""] == 1500
    assert told["parola_media_evidence_rooms", ""] == 2
    assert told["parola_media_evidence_lost_total", "failed"] == 1
    assert told["parola_media_evidence_lost_total", "memory_full"] == 4
    process.keeping = None  # type: ignore[assignment]
    assert process.told()["parola_media_evidence_bytes", ""] == 0
