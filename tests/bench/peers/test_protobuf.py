"""The wire format of protocol buffers, against the examples of its own description."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.listeners.peers.protobuf import ProtobufError, decode, encode, messages, number, octets, text


@pytest.mark.parametrize(
    ("fields", "wire"),
    [
        ([(1, 150)], "08 96 01"),
        ([(2, "testing")], "12 07 74 65 73 74 69 6e 67"),
        ([(3, encode((1, 150)))], "1a 03 08 96 01"),
        ([(1, -2)], "08 fe ff ff ff ff ff ff ff ff 01"),
        ([(13, True)], "68 01"),
        ([(16, 1)], "80 01 01"),
    ],
)
def test_the_layout(fields, wire):
    assert encode(*fields) == bytes.fromhex(wire)


def test_what_is_not_known_is_passed_over():
    """Fixed widths are of fields that nobody here asks for."""
    data = bytes.fromhex("0d 01020304 11 0102030405060708") + encode((3, "x"))
    assert text(decode(data), 3) == "x"


def test_what_is_missing_is_nothing():
    fields = decode(b"")
    assert (number(fields, 1), octets(fields, 1), text(fields, 1), list(messages(fields, 1))) == (
        0,
        b"",
        "",
        [],
    )


def test_a_field_that_comes_twice():
    fields = decode(encode((1, 1), (1, 2), (2, encode((1, 5))), (2, encode((1, 6)))))
    assert number(fields, 1) == 2
    assert [number(inside, 1) for inside in messages(fields, 2)] == [5, 6]


_FIELDS = st.lists(
    st.tuples(st.integers(1, 1 << 28), st.integers(0, (1 << 64) - 1) | st.binary(max_size=300)), max_size=8
)


@given(_FIELDS)
def test_there_and_back(fields):
    found = decode(encode(*fields))
    assert sum(len(values) for values in found.values()) == len(fields)
    for n, value in fields:
        assert value in found[n]


@pytest.mark.parametrize(
    "wire", ["08", "08 96", "12 07 74", "0b", "08 ff ff ff ff ff ff ff ff ff ff 01", "0d 01"]
)
def test_what_is_no_message_is_refused(wire):
    with pytest.raises(ProtobufError):
        decode(bytes.fromhex(wire))
