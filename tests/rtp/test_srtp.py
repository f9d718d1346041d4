"""SRTP: round trips under each profile, and nothing through but what the peer made, once."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.dtls import PROFILES, SrtpKeys
from parola.rtp.srtp import MOST_SOURCES, Srtp, SrtpError

RECEIVER_REPORT = bytes.fromhex("80c90001") + b"\0\0\0\x07"
TAG_BYTES = {"SRTP_AEAD_AES_128_GCM": 16, "SRTP_AEAD_AES_256_GCM": 16, "SRTP_AES128_CM_SHA1_80": 10}


def pair(profile: str = "SRTP_AEAD_AES_128_GCM") -> tuple[Srtp, Srtp]:
    """Two ends of one connection."""
    size = sum(PROFILES[profile])
    one, other = bytes(range(size)), bytes(range(100, 100 + size))
    return Srtp(SrtpKeys(profile, one, other)), Srtp(SrtpKeys(profile, other, one))


def rtp(sequence: int, payload: bytes = b"payload", ssrc: int = 7) -> bytes:
    return struct.pack("!BBHII", 0x80, 111, sequence & 0xFFFF, sequence * 960 & 0xFFFFFFFF, ssrc) + payload


def assert_refused(receiver: Srtp, datagram: bytes) -> None:
    with pytest.raises(SrtpError):
        receiver.unprotect(datagram)


@pytest.mark.parametrize("profile", PROFILES)
def test_round_trips_both_ways(profile: str) -> None:
    one, other = pair(profile)
    for sender, receiver in ((one, other), (other, one)):
        protected = sender.protect(rtp(1))
        assert len(protected) == len(rtp(1)) + TAG_BYTES[profile]
        assert protected[:12] == rtp(1)[:12]
        assert b"payload" not in protected
        assert receiver.unprotect(protected) == rtp(1)
        report = sender.protect_rtcp(RECEIVER_REPORT)
        assert report != RECEIVER_REPORT
        assert receiver.unprotect_rtcp(report) == RECEIVER_REPORT


@pytest.mark.parametrize("profile", PROFILES)
def test_a_replay_is_refused(profile: str) -> None:
    one, other = pair(profile)
    protected, report = one.protect(rtp(1)), one.protect_rtcp(RECEIVER_REPORT)
    other.unprotect(protected)
    other.unprotect_rtcp(report)
    assert_refused(other, protected)
    with pytest.raises(SrtpError):
        other.unprotect_rtcp(report)
    assert other.unprotect(one.protect(rtp(2))) == rtp(2), "the replay did no harm"


@pytest.mark.parametrize("profile", PROFILES)
def test_no_changed_byte_passes(profile: str) -> None:
    one, other = pair(profile)
    protected = one.protect(rtp(1))
    for at in range(len(protected)):
        forged = bytearray(protected)
        forged[at] ^= 0x01
        assert_refused(other, bytes(forged))
    for length in range(len(protected)):
        assert_refused(other, protected[:length])
    assert other.unprotect(protected) == rtp(1), "the forgeries did no harm"


def test_the_other_direction_has_another_key() -> None:
    one, _ = pair()
    assert_refused(one, one.protect(rtp(1)))


def test_plain_rtp_is_refused() -> None:
    _, other = pair()
    assert_refused(other, rtp(1))
    assert_refused(other, rtp(1) + bytes(16))
    with pytest.raises(SrtpError):
        other.unprotect_rtcp(RECEIVER_REPORT)


@pytest.mark.parametrize("profile", PROFILES)
def test_sequence_numbers_roll_over(profile: str) -> None:
    one, other = pair(profile)
    for sequence in range(65_000, 66_000):
        assert other.unprotect(one.protect(rtp(sequence))) == rtp(sequence)


def test_a_stream_in_its_second_round_is_closed_to_late_joiners() -> None:
    # The reason why each listener's stream starts its numbers anew: the counter in the keys starts at 0.
    one, other = pair()
    for sequence in range(60_000, 67_000, 500):
        late = one.protect(rtp(sequence))
    assert_refused(other, late)


def test_late_packets_pass_within_the_window() -> None:
    one, other = pair()
    protected = [one.protect(rtp(sequence)) for sequence in range(1500)]
    other.unprotect(protected[1100])
    assert other.unprotect(protected[100]) == rtp(100)
    assert_refused(other, protected[50])


def test_no_index_is_used_twice() -> None:
    one, _ = pair()
    one.protect(rtp(1))
    with pytest.raises(SrtpError):
        one.protect(rtp(1, b"another"))


def test_a_peer_has_a_bounded_number_of_sources() -> None:
    one, other = pair()
    for ssrc in range(MOST_SOURCES):
        other.unprotect(one.protect(rtp(1, ssrc=ssrc)))
    assert_refused(other, one.protect(rtp(1, ssrc=1000)))
    assert other.unprotect(one.protect(rtp(2, ssrc=0))) == rtp(2, ssrc=0)


def test_forgeries_do_not_use_up_the_sources() -> None:
    one, other = pair()
    for ssrc in range(5 * MOST_SOURCES):
        assert_refused(other, rtp(1, bytes(40), ssrc=ssrc))
    assert other.unprotect(one.protect(rtp(1))) == rtp(1)


@pytest.mark.parametrize("packet", [b"", b"\x80", rtp(1)[:11], rtp(1, bytes(1490)), b"\x00" * 40])
def test_what_is_no_rtp_is_neither_sent_nor_received(packet: bytes) -> None:
    one, other = pair()
    with pytest.raises(SrtpError):
        one.protect(packet)
    assert_refused(other, packet)
    with pytest.raises(SrtpError):
        other.unprotect_rtcp(packet)


@given(st.binary(max_size=1600), st.sampled_from(sorted(PROFILES)))
def test_arbitrary_bytes_raise_nothing_else(datagram: bytes, profile: str) -> None:
    one, other = pair(profile)
    for unprotect in (other.unprotect, other.unprotect_rtcp):
        for prefix in (b"", b"\x80", b"\xbf\xc8"):
            with pytest.raises(SrtpError):
                unprotect(prefix + datagram)
    for protect in (one.protect, one.protect_rtcp):
        try:
            protect(b"\x9f" + datagram)
        except SrtpError:
            continue


@given(st.binary(min_size=1, max_size=1200), st.integers(0, 0xFFFF))
def test_any_payload_comes_out_as_it_went_in(payload: bytes, sequence: int) -> None:
    one, other = pair()
    assert other.unprotect(one.protect(rtp(sequence, payload))) == rtp(sequence, payload)
