"""A sender: a thread of its own that encrypts and sends, and the event loop's side of it.

Nothing here waits. A job is written down in a microsecond or five and done by the thread in the order of its coming;
`flush` says when everything before it has been handed to the kernel.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from parola.media.fanout.layout import (
    LARGEST_PAYLOAD,
    OWN_KEYS,
    RING,
    SLOTS,
    Job,
    Kind,
    Members,
    Memory,
    Slot,
    State,
    Worker,
    place,
    sockaddr,
)
from parola.rtp.srtp import Outbound
from parola.rtp.srtp_keys import SessionKeys
from parola.rtp.stun import Address

AT_ONCE = 8
"""Datagrams that cost less than waking a thread."""

_NOBODY: Members = np.zeros(0, np.int32)


class SenderFull(Exception):
    """As many listeners as one sender can have."""


class Sender:
    """To be used from one event loop. `start` before the first job, `stop` in the end."""

    def __init__(self, worker: Worker) -> None:
        self.dropped = 0
        """Jobs that found the ring full."""
        self._worker = worker
        self._memory = Memory()
        self._queued = 0
        self._in_use: list[Any] = [None] * RING
        """What each row of the ring points at, kept alive."""
        self._free = list(range(SLOTS - 1, -1, -1))
        self._sessions: dict[int, Outbound] = {}
        """Of those who are not sealed with `OWN_KEYS`."""
        self._retired: deque[tuple[int, int]] = deque()
        """(number of the job that retires it, slot)."""
        self._flushes: deque[tuple[int, asyncio.Future[None]]] = deque()
        self._pipes: tuple[int, ...] = ()
        self._thread: threading.Thread | None = None
        self._hand: Callable[[], object] | None = None
        self._open = ExitStack()
        self._busy_ns = 0

    def start(self) -> None:
        told, self._tell = os.pipe()
        self._told, tell = os.pipe()
        os.set_blocking(self._tell, False)
        os.set_blocking(self._told, False)
        self._pipes = (told, self._tell, self._told, tell)
        asyncio.get_running_loop().add_reader(self._told, self._flushed)
        self._thread = threading.Thread(
            target=self._worker.thread, args=(self._memory, told, tell), name="sender", daemon=True
        )
        if self._worker.hand is not None:
            self._hand = self._open.enter_context(self._worker.hand(self._memory))
        self._thread.start()

    def stop(self) -> None:
        """Everything queued is sent first."""
        if self._thread is None:
            return
        asyncio.get_running_loop().remove_reader(self._told)
        self._queue(Kind.STOP, _NOBODY)
        self._thread.join()
        self._thread = None
        for _, waiting in self._flushes:
            if not waiting.done():
                waiting.set_result(None)
        for pipe in self._pipes:
            os.close(pipe)
        self._open.close()

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def add(self, keys: SessionKeys | Outbound, ssrc: int, first_sequence: int, first_timestamp: int) -> int:
        """A slot for a listener, who gets nothing before `move` has said where to. Raises SenderFull. `keys` are this
        sender's alone from now on. `first_timestamp` is the RTP time of tick 0."""
        self._reclaim()
        if not self._free:
            raise SenderFull()
        slot = self._free.pop()
        row = self._memory.slots[slot]
        row[:] = 0
        row[Slot.SSRC] = ssrc
        row[Slot.STAMP] = first_timestamp
        row[Slot.SEQUENCE] = first_sequence
        row[Slot.SILENT] = 1
        if isinstance(keys, SessionKeys):
            row[Slot.KEY :] = np.frombuffer(keys.rtp + keys.rtp_salt + bytes(4), np.uint64)
            self._memory.rtcp_keys[slot] = np.frombuffer(keys.rtcp + keys.rtcp_salt + bytes(4), np.uint64)
        else:
            self._sessions[slot] = keys
        return slot

    def move(self, slot: int, fd: int, address: Address) -> None:
        """Where a listener's packets go from now on."""
        row = self._memory.slots[slot]
        which = int(row[Slot.PLACE]) >> 48 ^ 1
        packed = sockaddr(address)
        self._memory.addresses[slot, which, : len(packed)] = np.frombuffer(packed, np.uint8)
        row[Slot.PLACE] = place(fd, len(packed), which)
        if not row[Slot.SESSION]:
            session = self._sessions.get(slot)
            row[Slot.SESSION] = OWN_KEYS if session is None else session.address

    def remove(self, slot: int) -> None:
        """After what is queued for it, nothing is sent there any more."""
        if not self._queue(Kind.RETIRE, np.array([slot], np.int32)):
            self._memory.slots[slot, Slot.SESSION] = (
                0  # at once, then; what is in the thread's hands still goes out
            )
        self._retired.append((self._queued, slot))

    def send(
        self, members: Members, payload: bytes, payload_type: int, tick: int, frames: int, silent: bool
    ) -> None:
        """One RTP packet to each member who has had nothing of `tick` or later yet. `tick` is the first of the
        `frames` that the payload covers."""
        assert len(payload) <= LARGEST_PAYLOAD
        self._queue(Kind.MEDIA, members, payload, payload_type, tick, frames, silent)

    def report(self, members: Members, tick: int, ntp: int, cname: str) -> None:
        """A sender report to each member (RFC 3550, section 6.4.1): `tick` is the one at NTP time `ntp`."""
        name = cname.encode()
        item = bytes([1, len(name)]) + name
        self._queue(Kind.REPORT, members, item + bytes(4 - len(item) % 4), tick=tick, ntp=ntp)

    def send_rtcp(self, slot: int, packet: bytes) -> None:
        self._queue(Kind.RTCP, np.array([slot], np.int32), packet)

    async def flush(self) -> None:
        """Returns when everything that was queued before has been handed to the kernel."""
        if not self.is_running:
            return
        waiting = asyncio.get_running_loop().create_future()
        # A ring that is full of what has to go first is waited for, not passed over.
        while not self._queue(Kind.FLUSH, _NOBODY):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        self._flushes.append((self._queued, waiting))
        await waiting

    def counts(self, slot: int) -> tuple[int, int]:
        """(packets, bytes of datagrams) of a listener."""
        row = self._memory.slots[slot]
        return int(row[Slot.PACKETS]), int(row[Slot.DATAGRAM_BYTES])

    def total(self, what: State) -> int:
        return int(self._memory.state[what])

    def take_late_s(self) -> float:
        """The longest that a job took until it was done, in seconds, since this was last asked."""
        state = self._memory.state
        late, state[State.LATE_NS] = int(state[State.LATE_NS]), 0
        oldest = int(state[State.DONE])
        if oldest < self._queued:
            late = max(late, time.monotonic_ns() - int(self._memory.jobs[oldest % RING, Job.QUEUED_NS]))
        return late / 1e9

    def take_busy_s(self) -> float:
        """Seconds of work since this was last asked."""
        busy = self.total(State.BUSY_NS)
        took, self._busy_ns = busy - self._busy_ns, busy
        return took / 1e9

    def _queue(
        self, kind: Kind, members: Members, payload: bytes = b"", payload_type: int = 0, tick: int = 0,
        frames: int = 1, silent: bool = False, ntp: int = 0,
    ) -> bool:  # fmt: skip
        if self._thread is None:
            return False
        memory = self._memory
        waiting = self._queued - int(memory.state[State.DONE])
        if waiting >= RING - (kind is Kind.MEDIA) * (RING // 8):
            self.dropped += 1
            return False
        row = self._queued % RING
        self._in_use[row] = members
        size = len(payload)
        if size:
            memory.payloads[row, :size] = np.frombuffer(payload, np.uint8)
        memory.jobs[row] = (
            kind, members.ctypes.data, len(members), size, payload_type, tick, frames, silent, ntp,
            time.monotonic_ns(),
        )  # fmt: skip
        self._queued += 1
        # The thread touches nothing while it has nothing to do, and is told of nothing that was done without it.
        if waiting == 0 and self._hand is not None and 0 < len(members) <= AT_ONCE:
            self._hand()
        else:
            os.write(self._tell, b"\0")
        return True

    def _flushed(self) -> None:
        os.read(self._told, 4096)
        done = int(self._memory.state[State.DONE])
        while self._flushes and self._flushes[0][0] <= done:
            _, waiting = self._flushes.popleft()
            if not waiting.done():
                waiting.set_result(None)
        self._reclaim()

    def _reclaim(self) -> None:
        """Slots and keys that the thread has let go of."""
        done = int(self._memory.state[State.DONE])
        while self._retired and self._retired[0][0] <= done:
            _, slot = self._retired.popleft()
            self._memory.slots[slot] = 0
            self._memory.rtcp_keys[slot] = 0
            self._sessions.pop(slot, None)
            self._free.append(slot)


def total(senders: Sequence[Sender], what: State) -> int:
    return sum(sender.total(what) for sender in senders)
