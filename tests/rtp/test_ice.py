"""ICE-lite: who is answered, where media goes, when consent ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp import stun
from parola.rtp.ice import ASK_EVERY_S, CONSENT_S, QUIET_S, Credentials, IceClient, IceLite
from parola.rtp.stun import Attribute, Class, Message

UFRAG, PASSWORD = "local", "a-password-of-22-chars"
CLIENT = Credentials("remote", "the-client's-password!")
HOME, ROAD = ("192.0.2.1", 5000), ("198.51.100.7", 6000)
TRANSACTION = bytes(range(12))


def lite() -> IceLite:
    return IceLite(UFRAG, PASSWORD, CLIENT, b"secret")


def client(password: str = PASSWORD, ufrag: str = UFRAG) -> IceClient:
    return IceClient(ufrag, password, CLIENT, b"seed", 7)


def request(attributes: dict[int, bytes], password: str = PASSWORD, username: str = "local:remote") -> bytes:
    named: dict[int, bytes] = {Attribute.USERNAME: username.encode()}
    message = Message(stun.BINDING, Class.REQUEST, TRANSACTION, named | attributes)
    return stun.encode(message, password.encode())


@pytest.mark.parametrize("source", [HOME, ("2001:db8::7", 5000)])
def test_an_authentic_check_is_answered_with_its_source(source: stun.Address) -> None:
    server, peer = lite(), client()
    check = peer.request(0.0)
    answer = server.handle(check, source, 0.0)
    assert answer is not None
    assert len(answer) <= len(check) + 64
    assert peer.handle_response(answer)
    assert peer.mapped == source
    assert server.remote == source
    assert not peer.handle_response(answer), "each answer counts once"


@pytest.mark.parametrize(
    "datagram",
    [
        client(password="another-password-22-ch").request(0.0),
        client(ufrag="loca").request(0.0),
        client(ufrag="local2").request(0.0),
        request({}, username="local"),
        stun.encode(Message(stun.BINDING, Class.REQUEST, TRANSACTION, {Attribute.USERNAME: b"local:remote"})),
        stun.encode(
            Message(stun.BINDING, Class.INDICATION, TRANSACTION, {Attribute.USERNAME: b"local:remote"}),
            PASSWORD.encode(),
        ),
        stun.encode(
            Message(3, Class.REQUEST, TRANSACTION, {Attribute.USERNAME: b"local:remote"}), PASSWORD.encode()
        ),
        b"",
        client().request(0.0)[:-2],
    ],
)
def test_everything_else_is_dropped_in_silence(datagram: bytes) -> None:
    server = lite()
    assert server.handle(datagram, HOME, 0.0) is None
    assert server.remote is None
    assert server.last_consent is None


def test_an_answer_is_no_request() -> None:
    server = lite()
    answer = server.handle(client().request(0.0), HOME, 0.0)
    assert answer is not None
    assert server.handle(answer, ROAD, 0.0) is None


def test_unknown_attributes_are_named_and_never_echoed() -> None:
    server = lite()
    unknown = {0x0031 + i: b"secret" * 3 for i in range(12)}
    check = request(unknown)
    answer = server.handle(check, HOME, 0.0)
    assert answer is not None
    assert b"secret" not in answer
    assert len(answer) <= len(check) + 64
    message = stun.parse(answer)
    assert message.error_code == 420
    assert message.attributes[Attribute.UNKNOWN_ATTRIBUTES][:4] == bytes.fromhex("00310032")
    assert server.remote is None
    assert server.handle(request(unknown, password="wrong-password-22-char"), HOME, 0.0) is None


def test_a_peer_that_wants_to_be_controlled_learns_that_it_controls() -> None:
    server = lite()
    answer = server.handle(request({Attribute.ICE_CONTROLLED: bytes(8)}), HOME, 0.0)
    assert answer is not None
    assert stun.parse(answer).error_code == 487
    assert server.remote is None


def test_only_a_nomination_moves_media_while_the_old_address_lives() -> None:
    server, peer = lite(), client()
    server.handle(peer.request(0.0), HOME, 0.0)
    assert server.handle(peer.request(1.0, nominate=False), ROAD, 1.0) is not None
    assert server.remote == HOME
    assert server.last_consent == 0.0, "another path's checks are no consent for this one"
    server.handle(peer.request(2.0), ROAD, 2.0)
    assert (server.remote, server.last_consent) == (ROAD, 2.0)


def test_a_quiet_address_is_left_without_a_nomination() -> None:
    server, peer = lite(), client()
    server.handle(peer.request(0.0), HOME, 0.0)
    server.handle(peer.request(0.0, nominate=False), ROAD, QUIET_S)
    assert server.remote == HOME
    server.handle(peer.request(0.0, nominate=False), ROAD, QUIET_S + 0.1)
    assert server.remote == ROAD


def moving(to: stun.Address = ROAD, nominate: bool = True) -> tuple[IceLite, IceClient, bytes]:
    """A server whose handshake was completed at HOME, its client, and the server's own check for another address."""
    server, peer = lite(), client()
    server.handle(peer.request(0.0), HOME, 0.0)
    server.settle()
    assert server.check(0.0) is None
    assert server.handle(peer.request(1.0, nominate), to, 1.0) is not None
    asked = server.check(1.0)
    assert asked is not None
    assert asked[1] == to
    return server, peer, asked[0]


def test_after_the_handshake_media_moves_with_an_answer_from_the_new_address() -> None:
    server, peer, check = moving()
    assert (server.remote, server.last_consent) == (HOME, 0.0), "a request alone may have come from anywhere"
    answer = peer.handle_request(check, ("192.0.2.99", 1))
    assert answer is not None
    assert not server.handle_response(answer, HOME, 1.1), "it has to come from there"
    assert server.handle_response(answer, ROAD, 1.2)
    assert (server.remote, server.last_consent, server.asking) == (ROAD, 1.2, None)
    assert not server.handle_response(answer, ROAD, 1.3), "once"


def test_an_answer_that_nobody_could_make_who_has_not_seen_the_check() -> None:
    server, peer, check = moving()
    transaction_id = stun.parse(check).transaction_id
    mapped = {Attribute.XOR_MAPPED_ADDRESS: stun.xor_address(ROAD, transaction_id)}

    def response(name: bytes, password: str, outcome: Class = Class.SUCCESS) -> bytes:
        return stun.encode(Message(stun.BINDING, outcome, name, mapped), password.encode())

    guessed = [
        IceLite(UFRAG, PASSWORD, CLIENT, seed)._checks.transaction_id() for seed in (b"", b"seed", check)
    ]
    for name in (*guessed, bytes(12), stun.parse(peer.request(2.0)).transaction_id):
        assert not server.handle_response(response(name, CLIENT.password), ROAD, 1.1)
    assert not server.handle_response(response(transaction_id, PASSWORD), ROAD, 1.1)
    assert not server.handle_response(response(transaction_id, CLIENT.password, Class.ERROR), ROAD, 1.1)
    assert not server.handle_response(check, ROAD, 1.1)
    assert not server.handle_response(b"", ROAD, 1.1)
    assert server.remote == HOME
    assert server.handle_response(response(transaction_id, CLIENT.password), ROAD, 1.1)


def test_few_and_small_checks_go_to_an_unproved_address() -> None:
    server, peer, first = moving()
    request = peer.request(1.0)
    assert len(first) <= len(request)
    sent, ids = 0, set()
    for step in range(300):
        now = 1.0 + step / 100
        server.handle(peer.request(now), ROAD, now)
        if check := server.check(now):
            sent += 1
            ids.add(stun.parse(check[0]).transaction_id)
    assert sent <= 3.0 / ASK_EVERY_S
    assert len(ids) == 1, "an answer that takes its time still counts"
    for step in range(100):
        now = 4.0 + step / 100
        server.handle(peer.request(now), ("203.0.113.9", 1000 + step), now)
        sent += server.check(now) is not None
    assert sent <= 4.0 / ASK_EVERY_S + 2
    assert server.remote == HOME


def test_consent_ends_thirty_seconds_after_the_last_check() -> None:
    server, peer = lite(), client()
    assert not server.consent_expired(1e9)
    server.handle(peer.request(0.0), HOME, 100.0)
    server.handle(client(password="another-password-22-ch").request(0.0), HOME, 120.0)
    assert not server.consent_expired(100.0 + CONSENT_S)
    assert server.consent_expired(100.1 + CONSENT_S)
    server.handle(peer.request(0.0), HOME, 131.0)
    assert not server.consent_expired(140.0)


def test_a_client_believes_only_answers_to_its_own_requests() -> None:
    server, peer, other = lite(), client(), IceClient(UFRAG, PASSWORD, CLIENT, b"other seed", 7)
    answer = server.handle(other.request(0.0), HOME, 0.0)
    assert answer is not None
    peer.request(0.0)
    assert not peer.handle_response(answer)
    forged = IceLite(UFRAG, "not-the-real-password!", CLIENT, b"secret").handle(
        client(password="not-the-real-password!").request(0.0), HOME, 0.0
    )
    assert forged is not None
    assert not peer.handle_response(forged)
    assert not peer.handle_response(b"")


def test_a_client_hears_of_a_role_conflict() -> None:
    peer = client()
    check = stun.parse(peer.request(0.0))
    error: dict[int, bytes] = {Attribute.ERROR_CODE: bytes([0, 0, 4, 87])}
    answer = stun.encode(Message(stun.BINDING, Class.ERROR, check.transaction_id, error), PASSWORD.encode())
    assert not peer.handle_response(answer)
    assert peer.role_conflict


def test_a_client_forgets_what_was_never_answered() -> None:
    server, peer = lite(), client()
    first = peer.request(0.0)
    for _ in range(64):
        peer.request(0.0)
    answer = server.handle(first, HOME, 0.0)
    assert answer is not None
    assert not peer.handle_response(answer)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_are_dropped(datagram: bytes) -> None:
    server, peer = lite(), client()
    assert server.handle(datagram, HOME, 0.0) is None
    assert not peer.handle_response(datagram)


@given(st.dictionaries(st.integers(0, 0xFFFF), st.binary(max_size=40), max_size=12))
def test_no_authentic_request_raises_or_amplifies(attributes: dict[int, bytes]) -> None:
    for special in (Attribute.USERNAME, Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT):
        attributes.pop(special, None)
    check = request(attributes)
    answer = lite().handle(check, HOME, 0.0)
    assert answer is not None
    assert len(answer) <= len(check) + 64


def test_an_overheard_check_pulls_nothing_to_another_address() -> None:
    server, ice = lite(), client()
    overheard = ice.request(0.0)
    assert server.handle(overheard, HOME, 0.0) is not None
    assert server.handle(overheard, ROAD, 0.1) is None
    assert server.remote == HOME
    assert server.handle(overheard, HOME, 0.2) is not None, "a retransmission from where it came from"
    assert server.handle(ice.request(0.3), ROAD, 0.3) is not None, "a check of the client's own"
    assert server.remote == ROAD


def settled() -> tuple[IceLite, IceClient]:
    """A connection whose consent checks are all alike, as a browser's are."""
    server, peer = lite(), client()
    server.handle(peer.request(0.0), HOME, 0.0)
    server.settle()
    assert server.handle_usual(peer.request(1.0), HOME, 1.0) is None, "nothing is usual before the first"
    assert server.handle(peer.request(1.0), HOME, 1.0) is not None
    return server, peer


@given(st.binary(min_size=12, max_size=12), st.sampled_from([HOME, ("2001:db8::7", 5000)]))
def test_the_quick_answer_is_the_answer(transaction_id: bytes, source: stun.Address) -> None:
    mapped: dict[int, bytes] = {Attribute.XOR_MAPPED_ADDRESS: stun.xor_address(source, transaction_id)}
    answer = stun.encode(Message(stun.BINDING, Class.SUCCESS, transaction_id, mapped), PASSWORD.encode())
    assert stun.success(transaction_id, source, PASSWORD.encode()) == answer


def test_a_check_like_the_last_one_is_consent_and_answered() -> None:
    server, peer = settled()
    check = peer.request(9.0)
    answer = server.handle_usual(check, HOME, 9.0)
    assert answer is not None
    assert peer.handle_response(answer)
    assert server.last_consent == 9.0


def test_what_is_not_quite_the_usual_check_is_looked_at_with_care() -> None:
    server, peer = settled()
    check = peer.request(9.0)
    for at in range(len(check)):
        forged = check[:at] + bytes([check[at] ^ 1]) + check[at + 1 :]
        assert server.handle_usual(forged, HOME, 9.0) is None, at
    for other in (check[:-1], check + b"\0", check[:-8], b"", client("another-password-22-ch").request(9.0)):
        assert server.handle_usual(other, HOME, 9.0) is None
    assert server.handle_usual(check, ROAD, 9.0) is None, "from elsewhere it means something else"
    assert server.handle_usual(peer.request(9.0, nominate=False), HOME, 9.0) is None
    assert server.last_consent == 1.0


def test_a_client_on_the_move_gets_no_quick_answer() -> None:
    server, peer = settled()
    server.handle(peer.request(9.0), ROAD, 9.0)
    assert server.asking is not None
    assert server.handle_usual(peer.request(9.0), HOME, 9.0) is None
    assert server.handle_usual(peer.request(9.0), ROAD, 9.0) is None
