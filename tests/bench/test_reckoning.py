"""Streams in virtual time: what came is held against what was offered, to the end of each packet's sound."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from bench.listeners import tables
from bench.listeners.counting import count_rtp
from bench.listeners.reckoning import Delivered, reckon

MS = 1_000_000
BEGIN = 1_700_000_000_000 * MS
LONGEST = 120 * 48


class Ear:
    """One listener of one stream, whose packets come when the last sample of them has been, and 3 ms later."""

    def __init__(self) -> None:
        self._streams = tables.streams(1, 1)
        self._lateness = np.zeros(tables.BINS, np.int64)
        self._before = self._streams.copy()
        self._begin_ms = self._sequence = self._said_ms = 0

    def hears(self, *lengths_ms: int, lost: bool = False, late_ms: int = 0) -> None:
        for length_ms in lengths_ms:
            header = struct.pack("!BBHII", 0x80, 111, self._sequence, self._said_ms * 48, 7)
            self._sequence += 1
            self._said_ms += length_ms
            at = BEGIN + (self._said_ms + 3 + late_ms) * MS
            data = np.frombuffer(header + bytes(60), np.uint8)
            assert lost or count_rtp(self._streams[0], data, 72, at, self._lateness, LONGEST)

    def begin(self, after_ms: int = 5) -> None:
        """Counts from so long after the last packet's end."""
        self._before, self._begin_ms = self._streams.copy(), self._said_ms + after_ms

    def end(self, after_ms: int = 5) -> Delivered:
        begin, end = BEGIN + self._begin_ms * MS, BEGIN + (self._said_ms + after_ms) * MS
        return reckon(self._before, self._streams, begin, end, 1, self._lateness)


@pytest.fixture
def ear() -> Ear:
    made = Ear()
    made.hears(*[20] * 50)
    made.begin()
    return made


@pytest.mark.parametrize("after_ms", [4, 60, 119])
def test_packets_that_grow_lose_nothing(ear: Ear, after_ms: int) -> None:
    ear.hears(*[20] * 100, *[60] * 50, *[120] * 66)
    found = ear.end(after_ms)
    assert (found.missing, found.spoilt, found.behind_ms) == (0, 0, 0)
    assert found.loss == 0
    assert found.delivered_ms == 20 * 100 + 60 * 50 + 120 * 66


def test_packets_that_shrink_again_bring_no_more_than_was_offered(ear: Ear) -> None:
    ear.hears(*[120] * 60)
    ear.begin()
    ear.hears(*[120] * 60, *[20] * 100)
    found = ear.end()
    assert found.loss == 0
    assert found.offered_ms == found.delivered_ms == 120 * 60 + 20 * 100


def test_the_first_long_packet_may_be_the_last_one(ear: Ear) -> None:
    ear.hears(*[20] * 100, 60)
    assert ear.end().loss == 0


def test_a_stream_that_begins_within_the_time_was_offered_from_its_first_sample() -> None:
    ear = Ear()
    ear.begin(0)
    ear.hears(*[120] * 50)
    found = ear.end()
    assert (found.offered_ms, found.delivered_ms) == (6000, 6000)


def test_a_packet_that_does_not_come_is_missing(ear: Ear) -> None:
    ear.hears(*[120] * 50)
    ear.hears(120, lost=True)
    ear.hears(*[120] * 49)
    found = ear.end()
    assert found.missing == 1
    assert found.loss == pytest.approx(0.01)


def test_one_who_falls_behind_is_given_less_than_was_offered(ear: Ear) -> None:
    ear.hears(*[20] * 200)
    ear.hears(*[20] * 50, late_ms=400)
    found = ear.end(405)
    assert found.behind_ms == pytest.approx(400)
    assert found.loss == pytest.approx(400 / 5400)


def test_a_stream_that_breaks_off(ear: Ear) -> None:
    ear.hears(*[20] * 50)
    found = ear.end(1000)
    assert found.loss == pytest.approx(0.5, abs=0.01)
