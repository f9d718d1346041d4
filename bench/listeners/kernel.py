"""`python -m bench.listeners.kernel`: Parola's sender without the rest of it, called as `limit.c` is, with its answer.

One job a tick for all listeners, real keys; no connection, no room, no report.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import socket
import sys
import time
from pathlib import Path

import numpy as np

from parola.media.fanout import Sender, workers
from parola.media.fanout.layout import State
from parola.media.transport import Transport
from parola.rtp.dtls import SrtpKeys
from parola.rtp.srtp_keys import session_keys

_PROFILE = "SRTP_AEAD_AES_128_GCM"
_CACHE = Path(".cache/compiled")


async def send(
    first: str, port: int, listeners: int, size: int, tick_s: float, ticks: int
) -> dict[str, float]:
    sender = Sender(workers.choose(True, _CACHE))
    sock: socket.socket = Transport.bind(["0.0.0.0"], 0)[0]
    sender.start()
    slots = []
    for n in range(listeners):
        keys = session_keys(SrtpKeys(_PROFILE, os.urandom(28), os.urandom(28)))
        assert keys is not None
        slots.append(sender.add(keys, 1000 + n, 0, 0))
        sender.move(slots[-1], sock.fileno(), (str(ipaddress.ip_address(first) + n), port))
    members, payload = np.array(slots, np.int32), os.urandom(size)
    begin, cpu = time.monotonic(), time.process_time()
    late = 0.0
    for tick in range(ticks):
        wait = begin + tick * tick_s - time.monotonic()
        late = max(late, -wait)
        await asyncio.sleep(max(0.0, wait))
        sender.send(members, payload, 111, tick + 1, 1, False)
    await sender.flush()
    found = {
        "packets": sender.total(State.SENT),
        "cpu_s": time.process_time() - cpu,
        "seconds": time.monotonic() - begin,
        "late_s": late,
    }
    sender.stop()
    sock.close()
    return found


def main() -> None:
    first, port, listeners, size, tick_us, ticks = sys.argv[1:]
    sent = send(first, int(port), int(listeners), int(size), int(tick_us) / 1e6, int(ticks))
    print(json.dumps(asyncio.run(sent)))


if __name__ == "__main__":
    main()
