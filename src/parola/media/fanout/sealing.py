"""RTP and RTCP sealed in place, compiled: with the keys of the slot (RFC 7714), or by a libsrtp session."""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from parola.media.fanout.layout import OWN_KEYS, Call, Slot
from parola.media.fanout.native import call, call_5, njit

_PROTECT, _PROTECT_RTCP = int(Call.PROTECT), int(Call.PROTECT_RTCP)
_INIT, _UPDATE, _FINAL, _CONTROL = map(int, (Call.INIT, Call.UPDATE, Call.FINAL, Call.CONTROL))
_SESSION, _SSRC, _RTCP_INDEX = int(Slot.SESSION), int(Slot.SSRC), int(Slot.RTCP_INDEX)
_KEY, _SALT = int(Slot.KEY), int(Slot.SALT)
_GET_TAG, _TAG = 0x10, 16
"""EVP_CTRL_AEAD_GET_TAG (openssl/evp.h), and its bytes."""


@njit
def big_endian(row: Any, at: Any, value: Any, size: Any) -> None:
    for i in range(size):
        row[at + i] = nb.uint8(value >> nb.uint64(8 * (size - 1 - i)) & nb.uint64(0xFF))


@njit
def _seal(
    calls: Any, cipher: Any, key: Any, salt: Any, ssrc: Any, index: Any, start: Any, head: Any, covered: Any,
    size: Any, scratch: Any,
) -> Any:  # fmt: skip
    """AES-128-GCM in place: what stands at `start`, of which the first `head` of `size` bytes stay readable and
    `covered` bytes behind the end, too. `salt` holds 12 bytes in two words. The new size, or 0."""
    null, place = nb.uint64(0), nb.uint64(scratch.ctypes.data)
    nonce, length = place + nb.uint64(32), place + nb.uint64(56)
    # The words hold the bytes as they lie in memory, lowest first: SSRC in bytes 2 to 5, index in 6 to 11.
    scratch[4] = salt[0] ^ _swapped(ssrc << nb.uint64(16) | index >> nb.uint64(32))
    scratch[5] = salt[1] ^ _swapped(index << nb.uint64(32))
    ok = call_5(calls[_INIT], cipher, null, null, key, nonce)
    ok &= call_5(calls[_UPDATE], cipher, null, length, start, nb.uint64(head))
    if covered > 0:
        ok &= call_5(calls[_UPDATE], cipher, null, length, start + nb.uint64(size), nb.uint64(covered))
    body = start + nb.uint64(head)
    ok &= call_5(calls[_UPDATE], cipher, body, length, body, nb.uint64(size - head))
    end = start + nb.uint64(size)
    ok &= call(calls[_FINAL], cipher, end, length, null)
    ok &= call(calls[_CONTROL], cipher, nb.uint64(_GET_TAG), nb.uint64(_TAG), end)
    return size + _TAG if ok == 1 else 0


@njit
def _swapped(word: Any) -> Any:
    """The other byte order."""
    out = nb.uint64(0)
    for i in range(8):
        out |= (word >> nb.uint64(8 * i) & nb.uint64(0xFF)) << nb.uint64(8 * (7 - i))
    return out


@njit
def protect(
    calls: Any, cipher: Any, slots: Any, i: Any, index: Any, start: Any, size: Any, scratch: Any
) -> Any:
    """RTP at `start` as SRTP; its size, 0 where that failed."""
    session = slots[i, _SESSION]
    if session != OWN_KEYS:
        return _by_libsrtp(calls[_PROTECT], session, start, size, scratch)
    key = _address(slots, i, _KEY)
    return _seal(calls, cipher, key, slots[i, _SALT:], slots[i, _SSRC], index, start, 12, 0, size, scratch)


@njit
def protect_rtcp(
    calls: Any, cipher: Any, slots: Any, rtcp_keys: Any, i: Any, row: Any, start: Any, size: Any, scratch: Any
) -> Any:
    session = slots[i, _SESSION]
    if session != OWN_KEYS:
        return _by_libsrtp(calls[_PROTECT_RTCP], session, start, size, scratch)
    index, key = slots[i, _RTCP_INDEX], _address(rtcp_keys, i, 0)
    slots[i, _RTCP_INDEX] += nb.uint64(1)
    trailer = nb.uint64(1 << 31) | index
    big_endian(row, size, trailer, 4)
    salt = rtcp_keys[i, 2:]
    size = _seal(calls, cipher, key, salt, slots[i, _SSRC], index, start, 8, 4, size, scratch)
    if size == 0:
        return 0
    big_endian(row, size, trailer, 4)
    return size + 4


@njit
def _by_libsrtp(function: Any, session: Any, start: Any, size: Any, scratch: Any) -> Any:
    length = scratch[3:4].view(np.int32)
    length[0] = size
    place = nb.uint64(scratch.ctypes.data) + nb.uint64(24)
    return 0 if call(function, session, start, place, nb.uint64(0)) != 0 else np.int64(length[0])


@njit
def _address(words: Any, i: Any, column: Any) -> Any:
    return nb.uint64(words.ctypes.data) + nb.uint64((np.int64(i) * words.shape[1] + column) * 8)
