"""Pages and packets out of a stream that comes in pieces of any size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.listeners.ogg import Stream
from bench.listeners.peers.ogg_pages import OggError, Pages

PACKETS = [bytes([n]) * length for n, length in enumerate((1, 254, 255, 256, 510, 700, 90, 80))]


def stream() -> bytes:
    made = Stream()
    return made.head() + made.page(PACKETS[:5]) + made.page(PACKETS[5:])


@pytest.mark.parametrize("size", [1, 2, 26, 27, 28, 300, 10_000])
def test_pieces_of_any_size(size):
    data, pages = stream(), Pages()
    found = [page for at in range(0, len(data), size) for page in pages.take(data[at : at + size])]
    assert [page.number for page in found] == [0, 1, 2, 3]
    assert [page.is_sound for page in found] == [False, False, True, True]
    assert found[0].packets[0].startswith(b"OpusHead")
    assert found[1].packets[0].startswith(b"OpusTags")
    assert [packet for page in found[2:] for packet in page.packets] == PACKETS
    assert [page.samples for page in found] == [0, 0, 5 * 960, 8 * 960]
    assert sum(page.octets for page in found) == len(data)


def test_what_is_no_page_is_refused():
    with pytest.raises(OggError):
        Pages().take(b"HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n\r\n")


@given(st.binary(max_size=200))
def test_rubbish_is_refused_or_waited_for(data):
    pages = Pages()
    pages.take(stream())
    try:
        pages.take(data)
    except OggError:
        return
    assert len(data) < 27 or data.startswith(b"OggS")
