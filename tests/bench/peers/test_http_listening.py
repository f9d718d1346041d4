"""Readers of a stream in virtual time: what they were given, held against the time that passed."""

import numpy as np
import pytest

from bench.listeners.ogg import Stream
from bench.listeners.peers.http_listener import Listener
from bench.listeners.peers.http_reckoning import reckon
from bench.listeners.peers.http_sampling import examine
from bench.listeners.sound import packets
from parola.media.codec import Encoder

SECOND = 1_000_000_000
BEGIN = 1_700_000_000 * SECOND
OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/ogg\r\n\r\n"
PAGE = [b"opus"] * 10
PAGE_NS = SECOND // 5


@pytest.fixture
def listener():
    made = Listener(0, BEGIN)
    yield made
    made.socket.close()


def listen(
    listener: Listener, pages: int, lost: tuple[int, ...] = (), late: dict[int, int] | None = None
) -> int:
    """One second of sound is heard, then `pages` of 200 ms are counted; the time when all of them were due."""
    stream = Stream()
    listener.take(OK + stream.head(), BEGIN)
    for n in range(1, 6):
        listener.take(stream.page(PAGE), BEGIN + n * PAGE_NS)
    listener.begin(is_recorded=False)
    begin = BEGIN + 5 * PAGE_NS
    for n in range(1, pages + 1):
        page = stream.page(PAGE)
        if n not in lost:
            listener.take(page, begin + n * PAGE_NS + (late or {}).get(n, 0))
    return begin


def test_all_of_it(listener):
    begin = listen(listener, 50)
    found = reckon([listener], begin, begin + 50 * PAGE_NS)
    assert (found.packets, found.missing, found.silent_streams, found.spoilt) == (50, 0, 0, 0)
    assert (found.offered_ms, found.delivered_ms, found.loss) == (10_000, 10_000, 0)
    assert found.packet_ms == 200
    assert found.largest_gap_ms == (200, 200, 200)
    assert found.late_ms == (0, 0, 0, 0)


def test_a_page_that_is_just_being_made_is_not_missing(listener):
    begin = listen(listener, 50)
    assert reckon([listener], begin + PAGE_NS // 2, begin + 50 * PAGE_NS + PAGE_NS // 2).loss == 0


def test_a_page_that_was_left_out(listener):
    begin = listen(listener, 50, lost=(20,))
    found = reckon([listener], begin, begin + 50 * PAGE_NS)
    assert (found.packets, found.missing, found.spoilt) == (49, 1, 1)
    assert found.loss == pytest.approx(0.02)


def test_one_who_falls_behind_is_given_less_than_was_offered(listener):
    begin = listen(listener, 25, late={n: n * PAGE_NS for n in range(1, 26)})
    found = reckon([listener], begin, begin + 50 * PAGE_NS)
    assert found.loss == pytest.approx(0.5)
    assert found.behind_ms == pytest.approx(5000)


def test_a_stream_that_breaks_off(listener):
    begin = listen(listener, 25)
    found = reckon([listener], begin, begin + 50 * PAGE_NS)
    assert (found.loss, found.spoilt) == (pytest.approx(0.5), 1)


def test_one_who_is_given_nothing(listener):
    begin = listen(listener, 0)
    found = reckon([listener], begin, begin + 50 * PAGE_NS)
    assert (found.silent_streams, found.packets, found.loss) == (1, 0, 1)


def test_lateness_counts_from_the_earliest(listener):
    begin = listen(listener, 10, late={4: 7_000_000})
    assert reckon([listener], begin, begin + 10 * PAGE_NS).late_ms[3] == 7


def test_an_answer_in_pieces(listener):
    data = OK + Stream().head()
    for n in range(len(data)):
        listener.take(data[n : n + 1], BEGIN + n)
    assert listener.answered_at == BEGIN + len(OK) - 1
    assert listener.is_on_its_way


@pytest.mark.parametrize("answer", [b"HTTP/1.0 404 Not Found\r\n\r\n", OK + b"<html>" + bytes(30)])
def test_another_answer_is_refused(listener, answer):
    with pytest.raises(ValueError, match=r"404|page"):
        listener.take(answer, BEGIN)


def test_what_is_recorded_is_heard(listener):
    stream, voice = Stream(), packets()
    listener.take(OK + stream.head() + stream.page(voice[:10]), BEGIN)
    listener.begin(is_recorded=True)
    for n in range(1, 6):
        listener.take(stream.page(voice[n * 10 : n * 10 + 10]), BEGIN + n * PAGE_NS)
    sample = examine([listener])
    assert (sample.packets, sample.refused, sample.decoded) == (50, 0, 1)
    assert sample.is_sound


def test_silence_is_not_taken_for_sound(listener):
    encoder, stream = Encoder(), Stream()
    still = [encoder.encode(np.zeros(960, np.float32)) for _ in range(10)]
    listener.take(OK + stream.head() + stream.page(still), BEGIN)
    listener.begin(is_recorded=True)
    listener.take(stream.page(still), BEGIN + PAGE_NS)
    assert not examine([listener]).is_sound
