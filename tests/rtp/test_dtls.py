"""DTLS: keys for the right peer, none for a wrong one, whatever the network does to the handshake."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from hypothesis import given, settings
from hypothesis import strategies as st
from OpenSSL import SSL

from parola.rtp import demux
from parola.rtp.dtls import HANDSHAKE_BYTES, MTU, PROFILES, Certificate, Dtls, Fingerprint
from tests.rtp.simulated import Network, Weather, certificate, dtls_ends, fingerprint

OURS, THEIRS = certificate(), certificate()


def associations(ours: Certificate = OURS, theirs: Certificate = THEIRS) -> tuple[Dtls, Dtls]:
    """(client, server) who expect each other."""
    return Dtls(theirs, "client", fingerprint(ours)), Dtls(ours, "server", fingerprint(theirs))


def flight(sender: Dtls) -> list[bytes]:
    datagrams = []
    while (datagram := sender.poll()) is not None:
        datagrams.append(datagram)
    return datagrams


def exchange(client: Dtls, server: Dtls) -> None:
    """Without a network: each flight arrives at once, until nobody has anything to say."""
    client.start()
    while True:
        to_server, to_client = flight(client), flight(server)
        if not to_server and not to_client:
            return
        for datagram in to_server:
            server.handle(datagram)
        for datagram in to_client:
            client.handle(datagram)


def connected() -> tuple[Dtls, Dtls]:
    client, server = associations()
    exchange(client, server)
    assert_agreed(client, server)
    return client, server


def assert_agreed(client: Dtls, server: Dtls) -> None:
    assert (client.state, server.state) == ("connected", "connected"), (client.failure, server.failure)
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys.profile == server.keys.profile
    assert (client.keys.local, client.keys.remote) == (server.keys.remote, server.keys.local)
    assert len(client.keys.local) == sum(PROFILES[client.keys.profile])
    assert client.keys.local != client.keys.remote


def record(kind: int, epoch: int, body: bytes, number: int = 1000) -> bytes:
    return (
        bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
        + len(body).to_bytes(2, "big") + body
    )  # fmt: skip


def in_two_fragments(client_hello: bytes, number: int) -> tuple[bytes, bytes]:
    """The one message of a record, as Chromium sends a long ClientHello: in two records, in two datagrams."""
    kind_and_length, message_seq, body = client_hello[13:17], client_hello[17:19], client_hello[25:]
    cut = len(body) * 4 // 5
    made = []
    for part, start, end in ((0, 0, cut), (1, cut, len(body))):
        head = kind_and_length + message_seq + start.to_bytes(3, "big") + (end - start).to_bytes(3, "big")
        made.append(record(22, 0, head + body[start:end], number + part))
    return made[0], made[1]


def test_a_handshake_gives_both_the_same_keys() -> None:
    client, server = connected()
    assert client.keys is not None
    assert client.keys.profile == "SRTP_AEAD_AES_128_GCM"
    assert client.timeout() is None
    assert server.timeout() is None


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile(profile: str) -> None:
    theirs = certificate()
    theirs.context.set_tlsext_use_srtp(profile.encode())
    client, server = associations(theirs=theirs)
    exchange(client, server)
    assert_agreed(client, server)
    assert client.keys is not None
    assert client.keys.profile == profile


def test_the_server_chooses_the_profile() -> None:
    theirs = certificate()
    theirs.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_80:SRTP_AEAD_AES_256_GCM:SRTP_AEAD_AES_128_GCM")
    client, server = associations(theirs=theirs)
    exchange(client, server)
    assert client.keys is not None
    assert client.keys.profile == "SRTP_AEAD_AES_128_GCM"


def test_without_a_common_profile_there_are_no_keys() -> None:
    theirs = certificate()
    theirs.context.set_tlsext_use_srtp(b"SRTP_AES128_CM_SHA1_32")
    client, server = associations(theirs=theirs)
    exchange(client, server)
    assert server.state == "failed"
    assert server.keys is None
    assert client.keys is None


@pytest.mark.parametrize("algorithm", ["sha-256", "SHA-384", "sha-512"])
def test_fingerprints_by_any_of_three_digests(algorithm: str) -> None:
    seen = SSL.Connection(THEIRS.context).get_certificate(as_cryptography=True)
    assert seen is not None
    digest = {"sha-256": hashes.SHA256(), "SHA-384": hashes.SHA384(), "sha-512": hashes.SHA512()}[algorithm]
    expected = Fingerprint(algorithm, seen.fingerprint(digest).hex(":"))
    client, server = Dtls(THEIRS, "client", fingerprint(OURS)), Dtls(OURS, "server", expected)
    exchange(client, server)
    assert_agreed(client, server)


@pytest.mark.parametrize(
    "wrong",
    [
        fingerprint(certificate()),
        Fingerprint("sha-384", THEIRS.fingerprint),
        Fingerprint("sha-1", THEIRS.fingerprint),
        Fingerprint("sha-256", ""),
        Fingerprint("sha-256", "à"),
        Fingerprint("sha-256", THEIRS.fingerprint[:-3]),
    ],
)
def test_a_client_with_another_certificate_gets_nothing(wrong: Fingerprint) -> None:
    client, server = Dtls(THEIRS, "client", fingerprint(OURS)), Dtls(OURS, "server", wrong)
    exchange(client, server)
    assert (client.state, server.state) == ("failed", "failed")
    assert client.keys is None
    assert server.keys is None
    assert server.failure


def test_a_server_with_another_certificate_gets_nothing() -> None:
    client, server = Dtls(THEIRS, "client", fingerprint(THEIRS)), Dtls(OURS, "server", fingerprint(THEIRS))
    exchange(client, server)
    assert (client.state, server.state) == ("failed", "failed")
    assert client.keys is None
    assert server.keys is None


def test_a_failed_association_stays_failed() -> None:
    server = Dtls(OURS, "server", fingerprint(OURS))
    exchange(Dtls(THEIRS, "client", fingerprint(OURS)), server)
    assert server.state == "failed"
    second = Dtls(THEIRS, "client", fingerprint(OURS))
    exchange(second, server)
    server.close()
    assert server.state == "failed"
    assert second.keys is None
    assert server.keys is None


def test_a_client_without_a_certificate_gets_nothing() -> None:
    anonymous = certificate()
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
    anonymous.context = context
    client, server = Dtls(anonymous, "client", fingerprint(OURS)), Dtls(OURS, "server", fingerprint(THEIRS))
    exchange(client, server)
    assert server.state == "failed"
    assert server.keys is None


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1), (1, 0, 0, 1), (0, 0, 0, 1)])
def test_a_client_hello_in_two_datagrams(order: tuple[int, ...]) -> None:
    network = Network(0)
    client, server = associations()
    client.start()
    (hello,) = flight(client)
    for number, part in enumerate(order):
        datagram = in_two_fragments(hello, number)[part]
        assert demux.kind(datagram) == "dtls"
        server.handle(datagram)
    left, right = dtls_ends(network, client, server)
    right.start()
    left.start()
    # Record numbers that the fragments have used up make the client's next flight look like a replay, once.
    network.run(2.0)
    assert_agreed(client, server)


def test_datagrams_keep_to_the_mtu() -> None:
    network = Network(1)
    client, server = associations(certificate(padding=3000), certificate(padding=3000))
    left, right = dtls_ends(network, client, server)
    left.start()
    network.run(5.0)
    assert_agreed(client, server)
    assert max(left.sizes) <= MTU
    assert max(right.sizes) <= MTU
    assert len(right.sizes) > 3


@pytest.mark.parametrize("lost", range(6))
def test_any_one_datagram_may_be_lost(lost: int) -> None:
    class Losing(Network):
        def carry(self, datagram, deliver) -> None:  # type: ignore[no-untyped-def]
            if self.sent == lost:
                self.sent += 1
            else:
                super().carry(datagram, deliver)

    network = Losing(0)
    client, server = associations()
    left, _ = dtls_ends(network, client, server)
    left.start()
    network.run(1.0)
    assert_agreed(client, server)


@pytest.mark.parametrize("seed", range(40))
def test_bad_weather_delays_but_does_not_prevent(seed: int) -> None:
    network = Network(seed, Weather(loss=0.3, duplication=0.2, jitter=0.1))
    padding = 2500 if seed % 2 else 0
    client, server = associations(certificate(padding), certificate(padding))
    left, _ = dtls_ends(network, client, server)
    left.start()
    network.run(60.0, lambda: client.state == server.state == "connected")
    assert_agreed(client, server)


def test_good_weather_ends_in_silence() -> None:
    network = Network(0)
    client, server = associations()
    left, right = dtls_ends(network, client, server)
    left.start()
    network.run(60.0)
    assert len(left.sizes) == len(right.sizes) == 2


def test_a_repeated_finished_is_answered_a_few_times() -> None:
    client, server = associations()
    client.start()
    server.handle(b"".join(flight(client)))
    for datagram in flight(server):
        client.handle(datagram)
    last = flight(client)
    for datagram in last:
        server.handle(datagram)
    assert server.state == "connected"
    final = flight(server)
    assert len(final) == 1
    answers = 0
    for _ in range(50):
        for datagram in last:
            server.handle(datagram)
        answers += len(flight(server))
    assert 5 <= answers <= 20
    assert server.state == "connected"
    client.handle(final[0])
    assert_agreed(client, server)


def test_a_stranger_cannot_make_a_client_and_a_server_answer_each_other_for_ever() -> None:
    client, server = connected()
    finished = record(22, 1, bytes(48))
    server.handle(finished)
    client.handle(finished)
    exchange(client, server)
    assert_agreed(client, server)


@pytest.mark.parametrize("kind", [20, 21, 22, 23])
def test_nothing_plain_counts_after_the_handshake(kind: int) -> None:
    client, server = connected()
    for body in (b"\x02\x28", b"\x01\x00", b"\x01", b"plain data"):
        server.handle(record(kind, 0, body))
        server.handle(record(kind, 1, body))
        client.handle(record(kind, 0, body))
    assert_agreed(client, server)


def test_a_new_client_hello_changes_nothing_after_the_handshake() -> None:
    client, server = connected()
    keys = server.keys
    other = Dtls(certificate(), "client", fingerprint(OURS))
    exchange(other, server)
    assert other.state == "handshaking"
    assert server.keys == keys
    assert_agreed(client, server)


def test_goodbye_ends_both() -> None:
    client, server = connected()
    client.close()
    (goodbye,) = flight(client)
    server.handle(goodbye)
    assert (client.state, server.state) == ("closed", "closed")
    assert client.keys is None
    assert server.keys is None
    client.handle(goodbye)
    assert flight(client) == []


def test_who_is_not_connected_leaves_without_a_word() -> None:
    _, server = associations()
    server.close()
    assert server.state == "closed"
    assert flight(server) == []
    server.start()
    server.handle_timeout()
    assert flight(server) == []


def test_endless_fragments_end() -> None:
    _, server = associations()
    sent = 0
    while server.state == "handshaking":
        fragment = (
            b"\x01\x00\xff\xff\x00\x00" + (sent % 60_000).to_bytes(3, "big") + (1000).to_bytes(3, "big")
        )
        server.handle(record(22, 0, fragment + bytes(1000), sent))
        sent += 1025
        assert sent <= 2 * HANDSHAKE_BYTES
    assert server.state == "failed"
    assert server.keys is None


def test_oversized_datagrams_are_not_looked_at() -> None:
    client, server = associations()
    client.start()
    server.handle(b"".join(flight(client)) + record(22, 0, bytes(3000)))
    assert flight(server) == []


@given(st.lists(st.binary(max_size=200), max_size=8))
@settings(max_examples=60)
def test_arbitrary_bytes_change_nothing(datagrams: list[bytes]) -> None:
    client, server = associations()
    for datagram in datagrams:
        server.handle(datagram)
    exchange(client, server)
    assert_agreed(client, server)


@given(st.lists(st.tuples(st.integers(20, 23), st.integers(0, 2), st.binary(max_size=120)), max_size=8))
@settings(max_examples=60)
def test_arbitrary_records_raise_nothing_and_give_no_keys(records: list[tuple[int, int, bytes]]) -> None:
    _, fresh = associations()
    client, server = associations()
    exchange(client, server)
    for number, (kind, epoch, body) in enumerate(records):
        fresh.handle(record(kind, epoch, body, number))
        server.handle(record(kind, epoch, body, number))
        fresh.handle_timeout()
        fresh.timeout()
    assert fresh.keys is None
    assert_agreed(client, server)


def test_a_peer_that_announces_long_messages_is_given_up_before_they_are_kept() -> None:
    """OpenSSL reserves all that a message announces, for ten messages at once: 1.2 MB for 64 KB that were sent."""
    _, server = associations()
    for number in range(1, 11):
        head = b"\x0b" + (100_000).to_bytes(3, "big") + number.to_bytes(2, "big")
        server.handle(record(22, 0, head + bytes(3) + (1).to_bytes(3, "big") + b"x", number))
    assert server.state == "failed"
    assert server.failure == "too long messages for a handshake"


def test_what_is_plain_is_not_even_read_after_the_handshake() -> None:
    _, server = connected()
    assert server.handle(record(23, 0, b"plain data")) is False
