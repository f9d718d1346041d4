"""STUN: the vectors of RFC 5769, both ways, and everything that is not quite STUN."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp import stun
from parola.rtp.stun import Attribute, Class, Message, StunError

PASSWORD = b"VOkJxbRl1RmTxUk/WvJxBt"
TRANSACTION = bytes.fromhex("b7e7a701bc34d686fa87dfae")

REQUEST = bytes.fromhex(  # RFC 5769, section 2.1
    "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c69656e74002400046e0001ff"
    "80290008932ff9b151263b36000600096576746a3a68367659202020000800149aeaa70cbfd8cb56781ef2b5b2d3f249"
    "c1b571a280280004e57a3bcf"
)
RESPONSE_V4 = bytes.fromhex(  # RFC 5769, section 2.2
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a147e112a643"
    "000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96"
)
RESPONSE_V6 = bytes.fromhex(  # RFC 5769, section 2.3
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1470113a9fa"
    "a5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_request_of_rfc_5769() -> None:
    message = stun.parse(REQUEST)
    assert (message.method, message.message_class) == (stun.BINDING, Class.REQUEST)
    assert message.transaction_id == TRANSACTION
    assert message.username == b"evtj:h6vY"
    assert message.attributes[Attribute.SOFTWARE] == b"STUN test client"
    assert message.attributes[Attribute.PRIORITY] == bytes.fromhex("6e0001ff")
    assert message.attributes[Attribute.ICE_CONTROLLED] == bytes.fromhex("932ff9b151263b36")
    assert message.check_integrity(PASSWORD)
    assert not message.check_integrity(PASSWORD[:-1])
    assert message.unknown == []


@pytest.mark.parametrize(
    ("datagram", "address"),
    [(RESPONSE_V4, ("192.0.2.1", 32853)), (RESPONSE_V6, ("2001:db8:1234:5678:11:2233:4455:6677", 32853))],
)
def test_the_responses_of_rfc_5769(datagram: bytes, address: stun.Address) -> None:
    message = stun.parse(datagram)
    assert message.message_class is Class.SUCCESS
    assert message.mapped_address == address
    assert message.check_integrity(PASSWORD)
    assert stun.xor_address(address, TRANSACTION) == message.attributes[Attribute.XOR_MAPPED_ADDRESS]


def test_what_is_encoded_is_parsed() -> None:
    attributes: dict[int, bytes] = {Attribute.USERNAME: b"abc:d", Attribute.USE_CANDIDATE: b""}
    message = Message(stun.BINDING, Class.ERROR, TRANSACTION, attributes)
    parsed = stun.parse(stun.encode(message, b"secret"))
    assert (parsed.method, parsed.message_class) == (stun.BINDING, Class.ERROR)
    assert {k: parsed.attributes[k] for k in attributes} == attributes
    assert parsed.check_integrity(b"secret")
    assert not stun.parse(stun.encode(message)).check_integrity(b"secret")


@given(st.integers(0, 0xFFF), st.sampled_from(Class))
def test_method_and_class_share_their_bits(method: int, kind: Class) -> None:
    parsed = stun.parse(stun.encode(Message(method, kind, TRANSACTION)))
    assert (parsed.method, parsed.message_class) == (method, kind)


def test_an_ipv4_address_in_ipv6_clothes_is_told_plainly() -> None:
    assert stun.xor_address(("::ffff:192.0.2.1", 1), TRANSACTION) == stun.xor_address(
        ("192.0.2.1", 1), TRANSACTION
    )


def test_no_address_is_an_error() -> None:
    with pytest.raises(StunError):
        stun.xor_address(("localhost", 1), TRANSACTION)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        REQUEST[:19],
        REQUEST[:-1],
        REQUEST[:-4],
        REQUEST + bytes(4),
        b"\x80" + REQUEST[1:],
        REQUEST[:4] + bytes(4) + REQUEST[8:],
        REQUEST[:-1] + b"\x00",
        REQUEST[:2] + struct.pack("!H", 0xFFFC) + REQUEST[4:],
    ],
)
def test_what_is_not_whole_is_refused(datagram: bytes) -> None:
    with pytest.raises(StunError):
        stun.parse(datagram)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Attribute.MESSAGE_INTEGRITY, bytes(19)),
        (Attribute.MESSAGE_INTEGRITY, b""),
        (Attribute.FINGERPRINT, b"abcd"),
    ],
)
def test_malformed_or_misplaced_attributes_are_refused(kind: int, value: bytes) -> None:
    # A second FINGERPRINT follows, so that the first does not stand last.
    with pytest.raises(StunError):
        stun.parse(stun.encode(Message(stun.BINDING, Class.REQUEST, TRANSACTION, {kind: value})))


def test_an_attribute_longer_than_the_message_is_refused() -> None:
    head = struct.pack("!HHI12s", 1, 8, stun.MAGIC_COOKIE, TRANSACTION)
    with pytest.raises(StunError):
        stun.parse(head + struct.pack("!HHI", Attribute.USERNAME, 5, 0))


def test_what_stands_behind_the_integrity_does_not_count() -> None:
    body = stun.encode(Message(stun.BINDING, Class.REQUEST, TRANSACTION), b"secret")[20:-8]
    smuggled = struct.pack("!HH", Attribute.USE_CANDIDATE, 0)
    head = struct.pack("!HHI12s", 1, len(body) + 4, stun.MAGIC_COOKIE, TRANSACTION)
    message = stun.parse(head + body + smuggled)
    assert message.check_integrity(b"secret")
    assert Attribute.USE_CANDIDATE not in message.attributes


def test_of_equal_attributes_the_first_counts() -> None:
    body = struct.pack("!HH4sHH4s", Attribute.USERNAME, 4, b"one:", Attribute.USERNAME, 4, b"two:")
    head = struct.pack("!HHI12s", 1, len(body), stun.MAGIC_COOKIE, TRANSACTION)
    assert stun.parse(head + body).username == b"one:"
    assert stun.local_ufrag(head + body) == "one"


def test_only_what_must_be_understood_is_called_unknown() -> None:
    message = Message(stun.BINDING, Class.REQUEST, TRANSACTION, {0x0031: b"", 0xC057: b"\0\0\0\0"})
    assert stun.parse(stun.encode(message)).unknown == [0x0031]


def test_the_local_fragment_of_a_request() -> None:
    assert stun.local_ufrag(REQUEST) == "evtj"
    assert stun.local_ufrag(RESPONSE_V4) is None
    for name in (b"", b"nocolon", "così:x".encode()):
        message = Message(stun.BINDING, Class.REQUEST, TRANSACTION, {Attribute.USERNAME: name})
        assert stun.local_ufrag(stun.encode(message)) is None


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(datagram: bytes) -> None:
    _parse_everything(datagram)


@given(st.binary(max_size=120), st.integers(0, 0x3FFF))
def test_arbitrary_bodies_raise_nothing_else(body: bytes, kind: int) -> None:
    body = body[: len(body) & ~3]
    _parse_everything(struct.pack("!HHI12s", kind, len(body), stun.MAGIC_COOKIE, TRANSACTION) + body)


def test_no_flipped_bit_changes_what_is_believed() -> None:
    # A FINGERPRINT whose type was hit stands behind the integrity as something unknown, and counts for nothing.
    whole = dict(stun.parse(REQUEST).attributes)
    del whole[Attribute.FINGERPRINT]
    for bit in range(len(REQUEST) * 8):
        flipped = bytearray(REQUEST)
        flipped[bit // 8] ^= 1 << bit % 8
        try:
            message = stun.parse(bytes(flipped))
        except StunError:
            continue
        assert not message.check_integrity(PASSWORD) or message.attributes == whole, bit


def _parse_everything(datagram: bytes) -> None:
    stun.local_ufrag(datagram)
    try:
        message = stun.parse(datagram)
    except StunError:
        return
    message.check_integrity(b"")
    _ = (message.unknown, message.error_code, message.mapped_address, message.username)


def test_hundreds_of_empty_attributes_are_not_read() -> None:
    empty = b"\x80\x01\x00\x00" * 100
    name = bytes.fromhex("00060004") + b"a:bc"
    head = b"\x00\x01" + (len(empty) + len(name)).to_bytes(2, "big") + bytes.fromhex("2112a442") + b"t" * 12
    assert stun.local_ufrag(head + name + empty) == "a"
    assert stun.local_ufrag(head + empty + name) is None
    with pytest.raises(stun.StunError):
        stun.parse(head + name + empty)
