"""`python -m bench.listeners.generator`: thousands of real WebRTC listeners in one process, told what to do in lines of
JSON on its standard input and answering on its standard output.

One thread goes round: the compiled loop counts what has come, the few datagrams that need more than counting go to
their client, and whatever is due is sent, 64 datagrams a call. It can be late for all of it and no figure is wrong.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import resource
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import numpy as np

from bench.listeners import sampling, tables
from bench.listeners.client import Client, Stage
from bench.listeners.post import Inbox, Outbox, open_socket, overflow, own_address
from bench.listeners.reckoning import reckon
from bench.listeners.signalling import Local, Remote
from parola.media.identity import self_signed
from parola.rtp.dtls import Certificate

_ROUND_S = 0.005
_NEVER = float("inf")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--listeners", type=int, required=True, help="the most there will be")
    parser.add_argument("--streams", type=int, default=1, help="RTP streams for each")
    parser.add_argument(
        "--packet-ms", type=int, default=120, help="the longest packet that is to be expected"
    )
    given = parser.parse_args()
    Generator(given.listeners, given.streams, given.packet_ms * 48).run()


class Generator:
    def __init__(self, listeners: int, streams: int, longest: int) -> None:
        self._socket = open_socket()
        self._inbox = Inbox(self._socket, listeners, streams, longest)
        self._outbox = Outbox(self._socket)
        self._certificate = Certificate(*self_signed())
        # One cipher for all: left the choice, other servers take 256 bits where Parola takes 128.
        self._certificate.context.set_tlsext_use_srtp(b"SRTP_AEAD_AES_128_GCM")
        self._port = self._socket.getsockname()[1]
        self._streams = streams
        self._clients: list[Client] = []
        self._due = np.full(listeners, _NEVER)
        self._report_due = np.full(listeners, _NEVER)
        self._connected_at: dict[int, int] = {}
        self._news: dict[str, list[list[Any]]] = {"connected": [], "failed": []}
        self._window: _Window | None = None
        self._recorded: list[int] = []
        self._commands: dict[str, Callable[[dict[str, Any]], object]] = {
            "prepare": self._prepare,
            "connect": self._connect,
            "leave": self._leave,
            "begin": self._begin,
            "end": self._end,
            "sample": self._sample,
            "joins": self._joins,
            "address": lambda _: (own_address(0), self._port),
        }
        self._input = bytearray()
        self._ended = False

    def run(self) -> None:
        """Until `quit`, or the end of the input."""
        os.set_blocking(0, False)
        list(self._inbox.wait(0.0))  # what has to be compiled is compiled before anybody waits for it
        _say({"event": "ready", "pid": os.getpid()})
        gc.freeze()
        while not self._ended:
            for datagram in self._inbox.wait(_ROUND_S):
                if datagram.index < len(self._clients):
                    client = self._clients[datagram.index]
                    try:
                        client.handle(datagram.data, datagram.source, datagram.at, time.monotonic())
                    except Exception as error:
                        client.fail(repr(error))
                    self._after(client, datagram.at)
            self._do_what_is_due()
            self._outbox.flush()
            if self._news["connected"] or self._news["failed"]:
                _say({"event": "news", **self._news})
                self._news = {"connected": [], "failed": []}
            self._read()

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for index in np.nonzero(self._due <= now)[0].tolist():
            client = self._clients[index]
            client.handle_time(now)
            self._after(client, time.time_ns())
        unix_offset = time.time() - now
        for index in np.nonzero(self._report_due <= now)[0].tolist():
            client = self._clients[index]
            streams = [
                (
                    int(s["ssrc"]),
                    int(s["first"]),
                    int(s["highest"]),
                    int(s["received"]),
                    int(s["jitter"] * 48e-6),
                )
                for s in self._inbox.streams[index]
                if s["known"]
            ]
            at = float(self._inbox.listeners[index]["report_at"]) / 1e9 - unix_offset
            client.report(streams, self._inbox.report(index), at, now)
            self._report_due[index] = client.report_due

    def _after(self, client: Client, at: int) -> None:
        """Enters what a client wants next, and what has become of it."""
        index = client.index
        self._due[index] = client.due
        if client.stage is Stage.CONNECTED and index not in self._connected_at:
            self._connected_at[index] = at
            self._report_due[index] = client.report_due
            self._inbox.listeners[index]["consent_at"] = at
            self._news["connected"].append([index, at])
        elif client.stage is Stage.ENDED and self._due[index] == _NEVER and not client.told:
            client.told = True
            self._report_due[index] = _NEVER
            self._news["failed"].append([index, client.failure])

    def _read(self) -> None:
        try:
            found = os.read(0, 1 << 20)
        except BlockingIOError:
            return
        if not found:
            self._ended = True
        self._input += found
        *lines, rest = self._input.split(b"\n")
        self._input = bytearray(rest)
        for line in lines:
            command = json.loads(line)
            if command["do"] == "quit":
                self._ended = True
                return
            answer = self._commands[command["do"]](command)
            if answer is not None:
                _say({"event": "answer", "to": command["do"], "answer": answer})

    def _prepare(self, command: dict[str, Any]) -> object:
        """`count` more clients: what their offers say of them."""
        made = []
        for _ in range(command["count"]):
            index = len(self._clients)
            local = Local(
                secrets.token_hex(4), secrets.token_hex(12), self._certificate.fingerprint,
                (own_address(index), self._port), secrets.randbits(31) | 1,
            )  # fmt: skip
            client = Client(index, local, self._certificate, partial(self._outbox.put, index))
            self._clients.append(client)
            made.append({"index": index, **asdict(local)})
        return made

    def _connect(self, command: dict[str, Any]) -> None:
        found = command["remote"]
        found["addresses"] = tuple((host, port) for host, port in found["addresses"])
        client = self._clients[command["index"]]
        client.connect(Remote(**found), time.monotonic())
        self._after(client, time.time_ns())

    def _leave(self, command: dict[str, Any]) -> None:
        for index in command["indices"]:
            client = self._clients[index]
            client.told = True
            client.leave()
            self._after(client, time.time_ns())
            self._report_due[index] = _NEVER

    def _begin(self, command: dict[str, Any]) -> object:
        """Counts, from now on, for the listeners from `first` up to `last`: those who are connected, or `anyone`."""
        chosen = range(command["first"], min(command["last"], len(self._clients)))
        if command.get("anyone"):
            everybody = list(range(command["first"], command["last"]))
            self._inbox.streams[everybody] = tables.streams(len(everybody), self._streams)
            self._window = _Window(self._inbox, everybody, overflow(self._socket), _cpu_s())
            return {"listeners": len(everybody), "at": self._window.begin_ns}
        self._window = _Window(
            self._inbox, [i for i in chosen if self._clients[i].stage is Stage.CONNECTED],
            overflow(self._socket), _cpu_s(),
        )  # fmt: skip
        for index in self._window.recorded:
            self._clients[index].sealed.clear()
        return {"listeners": len(self._window.indices), "at": self._window.begin_ns}

    def _end(self, command: dict[str, Any]) -> object:
        window = self._window
        assert window is not None
        self._window = None
        delivered = window.end(self._inbox, command.get("streams", self._streams))
        self._recorded = [i for i in window.recorded if i < len(self._clients)]
        return {
            "delivered": delivered,
            "overflow": overflow(self._socket) - window.overflow,
            "unsent": self._outbox.unsent,
            "cpu_s": _cpu_s() - window.cpu_s,
            "unanswered": window.unanswered(self._inbox),
            "strange": int(self._inbox.listeners["strange"].sum()),
        }

    def _sample(self, command: dict[str, Any]) -> object:
        """What of the recorded packets is sound; to be asked after the end, since it takes its time."""
        return sampling.examine([self._clients[i] for i in self._recorded]).as_json()

    def _joins(self, command: dict[str, Any]) -> object:
        """Of each who connected: index, when that was, and when the first packet came (0: not yet)."""
        first = np.where(
            self._inbox.streams["known"] > 0, self._inbox.streams["first_at"], np.iinfo(np.int64).max
        )
        earliest = first.min(axis=1)
        earliest[earliest == np.iinfo(np.int64).max] = 0
        return [[i, at, int(earliest[i])] for i, at in self._connected_at.items()]


class _Window:
    """A time over which is counted, for some of the listeners."""

    def __init__(self, inbox: Inbox, indices: list[int], overflow: int, cpu_s: float) -> None:
        self.indices = indices
        self.overflow = overflow
        self.cpu_s = cpu_s
        self.recorded = sampling.spread_over(indices) if indices else []
        inbox.lateness[:] = 0
        inbox.streams["gap"] = 0
        # A server may begin with packets that keep to no schedule, before there is anything to hear.
        inbox.streams["anchor"] = tables.ANCHOR_UNKNOWN
        inbox.listeners["is_watched"] = 0
        inbox.listeners["is_watched"][indices] = 1
        inbox.listeners["is_recorded"][self.recorded] = 1
        self.begin_ns = time.time_ns()
        self._before = inbox.streams[indices].copy()

    def end(self, inbox: Inbox, streams: int) -> dict[str, object]:
        end_ns = time.time_ns()
        list(inbox.wait(0.0))
        after = inbox.streams[self.indices].copy()
        inbox.listeners["is_recorded"] = 0
        return reckon(self._before, after, self.begin_ns, end_ns, streams, inbox.lateness[1]).as_json()

    def unanswered(self, inbox: Inbox) -> int:
        """Listeners whose consent checks nobody has answered for 10 s."""
        return int((time.time_ns() - inbox.listeners["consent_at"][self.indices] > 10_000_000_000).sum())


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
