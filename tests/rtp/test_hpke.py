"""Sealed bytes open with their key, in their place, and unchanged; else not at all."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.hpke import HpkeError, PrivateKeys, PublicKey, UnknownKey, key_id, new_key

FIRST, SECOND = new_key(bytes(range(32))), new_key(bytes(range(1, 33)))
KEYS = PrivateKeys.parse(FIRST)


@given(st.binary(max_size=2000), st.binary(max_size=50))
def test_what_was_sealed_opens(message: bytes, context: bytes) -> None:
    sealed = KEYS.public.seal(memoryview(bytearray(message)), context)
    assert KEYS.open(sealed, context) == message
    assert key_id(sealed) == KEYS.public.id
    if len(message) > 8:
        assert message not in sealed


@given(st.integers(min_value=0), st.integers(1, 255))
def test_a_changed_byte_opens_nothing(where: int, change: int) -> None:
    sealed = bytearray(KEYS.public.seal(b"words that were said", b"here"))
    sealed[where % len(sealed)] ^= change
    with pytest.raises(HpkeError):
        KEYS.open(bytes(sealed), b"here")


def test_nothing_opens_elsewhere_or_cut_off() -> None:
    sealed = KEYS.public.seal(b"words", b"here")
    with pytest.raises(HpkeError):
        KEYS.open(sealed, b"there")
    for size in range(len(sealed)):
        with pytest.raises(HpkeError):
            KEYS.open(sealed[:size], b"here")


def test_the_public_key_is_enough_to_seal_and_the_wrong_private_one_says_so() -> None:
    public = PublicKey.parse(str(KEYS.public))
    assert public.id == KEYS.public.id
    sealed = public.seal(b"words", b"")
    assert KEYS.open(sealed, b"") == b"words"
    with pytest.raises(UnknownKey):
        PrivateKeys.parse(SECOND).open(sealed, b"")


def test_older_keys_open_what_they_sealed_and_the_first_one_seals() -> None:
    old = KEYS.public.seal(b"old", b"")
    both = PrivateKeys.parse(f"# two keys\n{SECOND}\n\n  {FIRST} \n")
    assert both.open(old, b"") == b"old"
    assert both.public.id == PrivateKeys.parse(SECOND).public.id
    assert PrivateKeys.parse(f"{SECOND},{FIRST}").open(old, b"") == b"old"


@pytest.mark.parametrize(
    "text", ["", "# nothing", "x", FIRST[:-1], FIRST + "AA", "ü" * 43, "public:" + FIRST]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(HpkeError):
        PrivateKeys.parse(text)


def test_it_is_the_suite_of_the_rfc_behind_the_number_of_its_key() -> None:
    private = X25519PrivateKey.from_private_bytes(bytes(range(32)))
    suite = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
    assert suite.decrypt(KEYS.public.seal(b"words", b"info")[8:], private, info=b"info") == b"words"
