"""`python -m bench.listeners.peers.http_generator`: listeners who read one endless Ogg Opus stream by HTTP, told what
to do in lines of JSON as the generator of WebRTC listeners is.

Like that one it looks on a timer and never waits in the kernel, so that no wake-up is charged to the server.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bench.listeners.peers.http_listener import Listener
from bench.listeners.peers.http_reckoning import reckon
from bench.listeners.sampling import spread_over

_ROUND_S = 0.005
_AT_A_TIME = 1 << 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    given = parser.parse_args()
    Generator((given.host, given.port), given.path).run()


class Generator:
    def __init__(self, address: tuple[str, int], path: str) -> None:
        self._address = address
        self._request = f"GET {path} HTTP/1.0\r\nHost: {address[0]}\r\nUser-Agent: bench\r\n\r\n".encode()
        self._poll = select.epoll()
        self._listeners: list[Listener] = []
        self._by_descriptor: dict[int, Listener] = {}
        self._wanted = 0
        self._pace = 0.0
        self._at_once = 0
        self._due = 0.0
        self._window: tuple[list[Listener], int, float] | None = None
        self._recorded: list[Listener] = []
        self._commands: dict[str, Callable[[dict[str, Any]], object]] = {
            "join": self._join,
            "joins": self._joins,
            "leave": self._leave,
            "begin": self._begin,
            "end": self._end,
            "sample": self._sample,
        }
        self._input = bytearray()
        self._ended = False

    def run(self) -> None:
        """Until `quit`, or the end of the input."""
        os.set_blocking(0, False)
        _say({"event": "ready", "pid": os.getpid()})
        while not self._ended:
            begin = time.monotonic()
            for descriptor, _ in self._poll.poll(0):
                self._read(self._by_descriptor[descriptor])
            self._connect_those_due()
            self._obey()
            time.sleep(max(0.0, begin + _ROUND_S - time.monotonic()))

    def _read(self, listener: Listener) -> None:
        try:
            while data := listener.socket.recv(_AT_A_TIME):
                listener.take(data, time.time_ns())
                if len(data) < _AT_A_TIME:
                    return
            listener.fail("the server has closed the stream")
        except BlockingIOError:
            return
        except (OSError, ValueError) as error:
            listener.fail(repr(error))
        self._close(listener)

    def _connect_those_due(self) -> None:
        """As many as the pace wants, and never more at once on their way in than were allowed."""
        now = time.monotonic()
        on_their_way = sum(1 for x in self._listeners if x.is_on_its_way) if self._wanted else 0
        while self._wanted and now >= self._due and on_their_way < self._at_once:
            self._wanted -= 1
            on_their_way += 1
            self._due += 1 / self._pace
            listener = Listener(len(self._listeners), time.time_ns())
            self._listeners.append(listener)
            try:
                # Blocking, but on loopback: it takes as long as the server's kernel takes to say yes.
                listener.socket.connect(self._address)
                listener.socket.sendall(self._request)
                listener.socket.setblocking(False)
            except OSError as error:
                listener.fail(repr(error))
                listener.socket.close()
                continue
            self._by_descriptor[listener.socket.fileno()] = listener
            self._poll.register(listener.socket, select.EPOLLIN)

    def _close(self, listener: Listener) -> None:
        if listener.socket.fileno() >= 0:
            self._by_descriptor.pop(listener.socket.fileno(), None)
            self._poll.unregister(listener.socket)
            listener.socket.close()

    def _obey(self) -> None:
        try:
            found = os.read(0, 1 << 16)
        except BlockingIOError:
            return
        self._ended = not found
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

    def _join(self, command: dict[str, Any]) -> object:
        """`count` more, `per_second`, and `at_once` at most between the call and the first byte of sound."""
        self._wanted += command["count"]
        self._pace, self._at_once = command["per_second"], command["at_once"]
        self._due = time.monotonic()
        return {}

    def _joins(self, command: dict[str, Any]) -> object:
        """Of each: when it asked, when the answer came, when the first page of sound; and what went wrong."""
        return {
            "waiting": self._wanted + sum(1 for x in self._listeners if x.is_on_its_way),
            "joins": [[x.asked_at, x.answered_at, x.first_at, x.failure] for x in self._listeners],
        }

    def _leave(self, command: dict[str, Any]) -> None:
        for index in command["indices"]:
            self._close(self._listeners[index])
            self._listeners[index].has_left = True

    def _begin(self, command: dict[str, Any]) -> object:
        chosen = [x for x in self._listeners[command["first"] : command["last"]] if x.listens]
        recorded = set(spread_over([x.index for x in chosen]) if chosen else [])
        for listener in chosen:
            listener.begin(listener.index in recorded)
        self._recorded = [x for x in chosen if x.index in recorded]
        self._window = (chosen, time.time_ns(), _cpu_s())
        return {"listeners": len(chosen)}

    def _end(self, command: dict[str, Any]) -> object:
        assert self._window is not None
        chosen, begin_ns, cpu_s = self._window
        self._window = None
        delivered = reckon(chosen, begin_ns, time.time_ns())
        for listener in chosen:
            listener.is_recorded = False
        return {
            "delivered": delivered.as_json(), "overflow": 0, "unsent": 0, "unanswered": 0,
            "strange": 0, "cpu_s": _cpu_s() - cpu_s,
        }  # fmt: skip

    def _sample(self, command: dict[str, Any]) -> object:
        from bench.listeners.peers.http_sampling import examine  # decoders are loaded when they are needed

        return asdict(examine(self._recorded))


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
