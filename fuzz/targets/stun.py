"""Anything at the media port that begins like STUN: what is not signed is not answered, what is gets at most 64 bytes
more than it sent."""

from __future__ import annotations

import contextlib

from parola.rtp import stun
from parola.rtp.ice import Credentials, IceClient, IceLite
from parola.rtp.stun import Attribute, Class, Message, StunError

_UFRAG, _PASSWORD = "ours", "a-password-of-the-server"
_SOURCES = (("192.0.2.7", 40_000), ("2001:db8::7", 40_000), ("::ffff:192.0.2.7", 1))

_THEM = Credentials("them", "their-password-of-23-ch")
_CHECK = IceClient(_UFRAG, _PASSWORD, _THEM, b"seed", 1).request(0.0)
_TRANSACTION = bytes(range(12))
SEEDS = (
    _CHECK,
    _CHECK[:-8],
    stun.encode(Message(stun.BINDING, Class.REQUEST, _TRANSACTION)),
    stun.encode(Message(stun.BINDING, Class.REQUEST, _TRANSACTION, {Attribute.USERNAME: b"ours:them"})),
    stun.encode(
        Message(
            stun.BINDING,
            Class.SUCCESS,
            _TRANSACTION,
            {Attribute.XOR_MAPPED_ADDRESS: stun.xor_address(_SOURCES[1], _TRANSACTION)},
        ),
        b"password",
    ),
    stun.encode(Message(stun.BINDING, Class.ERROR, _TRANSACTION, {Attribute.ERROR_CODE: b"\0\0\4\x57"})),
)


def check(data: bytes) -> None:
    stun.local_ufrag(data)
    ice = IceLite(_UFRAG, _PASSWORD, _THEM, b"another seed")
    answer = ice.handle(data, _SOURCES[0], 1.0)
    try:
        message = stun.parse(data)
    except StunError:
        assert answer is None, "what is no message was answered"
        assert ice.remote is None
        return
    assert (answer is None) or message.check_integrity(_PASSWORD.encode()), "answered without a signature"
    _ = message.unknown, message.error_code, message.mapped_address
    _signed(message)


def _signed(message: Message) -> None:
    """The same attributes from somebody who knows the password, which no fuzzer would ever guess."""
    kept = {Attribute.MESSAGE_INTEGRITY, Attribute.FINGERPRINT}
    attributes = {k: v for k, v in message.attributes.items() if k not in kept}
    attributes[Attribute.USERNAME] = f"{_UFRAG}:".encode() + message.username
    request = stun.encode(
        Message(stun.BINDING, Class.REQUEST, message.transaction_id, attributes), _PASSWORD.encode()
    )
    for source in _SOURCES:
        answer = IceLite(_UFRAG, _PASSWORD, _THEM, b"another seed").handle(request, source, 1.0)
        if answer is None:
            with contextlib.suppress(StunError):  # it has become too long, or has too many attributes
                stun.parse(request)
                raise AssertionError("a signed request was not answered")
            continue
        assert len(answer) <= len(request) + 64, "more was answered than asked"
        assert stun.parse(answer).transaction_id == message.transaction_id
