"""The usual check: its answer is the one that the long way would give, and nothing of an earlier one stays in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp import stun
from parola.rtp.consent import Usual, usual
from parola.rtp.ice import Credentials, IceClient, IceLite
from parola.rtp.stun import Attribute, Class, Message

CLIENT, PASSWORD = Credentials("remote", "the-client's-password!"), "a-password-of-22-chars"
HOME, ROAD, AFAR = ("192.0.2.1", 5000), ("198.51.100.7", 6000), ("2001:db8::7", 6000)
numbers = st.binary(min_size=12, max_size=12)


def check(number: bytes, password: bytes, name: bytes = b"local:remote") -> bytes:
    attributes: dict[int, bytes] = {Attribute.USERNAME: name, Attribute.USE_CANDIDATE: b""}
    return stun.encode(Message(stun.BINDING, Class.REQUEST, number, attributes), password)


def made_of(number: bytes, source: stun.Address, password: bytes) -> Usual:
    found = usual(check(number, password), source, password)
    assert found is not None
    return found


@given(
    numbers,
    numbers,
    st.binary(max_size=100),
    st.sampled_from([HOME, AFAR, ("::ffff:192.0.2.1", 1), ("::1", 65535)]),
)
def test_the_answer_is_the_one_that_the_long_way_gives(
    first: bytes, number: bytes, password: bytes, source: stun.Address
) -> None:
    mapped: dict[int, bytes] = {Attribute.XOR_MAPPED_ADDRESS: stun.xor_address(source, number)}
    expected = stun.encode(Message(stun.BINDING, Class.SUCCESS, number, mapped), password)
    assert made_of(first, source, password).answer(check(number, password)) == expected


@given(st.binary(max_size=200))
def test_anything_else_has_no_answer(datagram: bytes) -> None:
    asked = made_of(bytes(12), HOME, b"secret")
    assert asked.answer(datagram) is None
    assert asked.answer(check(bytes(12), b"other")) is None
    assert asked.answer(check(bytes(12), b"secret", b"local:somebody")) is None


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        check(bytes(12), b"secret")[:-8],
        stun.encode(Message(stun.BINDING, Class.REQUEST, bytes(12), {Attribute.USERNAME: b"local:remote"})),
    ],
)
def test_what_does_not_end_with_both_proofs_is_not_usual(datagram: bytes) -> None:
    assert usual(datagram, HOME, b"secret") is None


@pytest.mark.parametrize("there", [ROAD, AFAR])
def test_after_a_move_the_answer_names_the_new_address(there: stun.Address) -> None:
    server, peer = (
        IceLite("local", PASSWORD, CLIENT, b"secret"),
        IceClient("local", PASSWORD, CLIENT, b"seed", 7),
    )
    server.handle(peer.request(0.0), HOME, 0.0)
    server.settle()
    server.handle(peer.request(1.0), HOME, 1.0)
    assert server.handle_usual(peer.request(2.0), HOME, 2.0) is not None

    server.handle(peer.request(3.0), there, 3.0)
    asked = server.check(3.0)
    assert asked is not None
    proof = peer.handle_request(asked[0], ("192.0.2.100", 3478))
    assert proof is not None
    assert server.handle_response(proof, there, 3.1)

    for source in (HOME, there):
        assert server.handle_usual(peer.request(4.0), source, 4.0) is None, (
            "there was no check from there since"
        )
    server.handle(peer.request(5.0), there, 5.0)
    assert server.handle_usual(peer.request(6.0), HOME, 6.0) is None
    answer = server.handle_usual(peer.request(7.0), there, 7.0)
    assert answer is not None
    assert peer.handle_response(answer)
    assert peer.mapped == there
    assert server.last_consent == 7.0


def test_a_port_that_changed_alone_is_another_address() -> None:
    server, peer = (
        IceLite("local", PASSWORD, CLIENT, b"secret"),
        IceClient("local", PASSWORD, CLIENT, b"seed", 7),
    )
    server.handle(peer.request(0.0), HOME, 0.0)
    server.settle()
    server.handle(peer.request(1.0), HOME, 1.0)
    assert server.handle_usual(peer.request(2.0), (HOME[0], HOME[1] + 1), 2.0) is None
