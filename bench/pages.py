"""Thousands of open pages, as a process of its own: `python -m bench.pages PORT ROOM COUNT`.

One socket each, one epoll for all of them, and nothing is parsed that need not be. It prints `open` when each has its
snapshot; then, for every `floor.granted` that all have got, one JSON list of when each got it (monotonic seconds).
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import time

_OPENING = 64
_MARK = b"event: floor.granted"
_SNAPSHOT = b"event: snapshot"


class Pages:
    def __init__(self, port: int, room_id: str, count: int) -> None:
        self._port = port
        self._request = f"GET /api/rooms/{room_id}/events HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode()
        self._count = count
        self._poll = select.epoll()
        self._sockets: dict[int, socket.socket] = {}
        self._begun: set[int] = set()
        self._got: list[float] = []

    def run(self) -> None:
        while len(self._begun) < self._count:
            while len(self._sockets) < self._count and len(self._sockets) - len(self._begun) < _OPENING:
                self._open()
            self._turn()
        print("open", flush=True)
        while True:
            self._turn()
            if len(self._got) >= self._count:
                print(json.dumps(self._got), flush=True)
                self._got = []

    def _open(self) -> None:
        sock = socket.create_connection(("127.0.0.1", self._port))
        sock.sendall(self._request)
        sock.setblocking(False)
        self._sockets[sock.fileno()] = sock
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def _turn(self) -> None:
        for fd, _ in self._poll.poll():
            data = self._sockets[fd].recv(65536)
            if not data:
                sys.exit("a stream ended")
            if _MARK in data:
                self._got.append(time.monotonic())
            if fd not in self._begun and _SNAPSHOT in data:
                self._begun.add(fd)


if __name__ == "__main__":
    os.nice(5)  # those whose pages they are have machines of their own
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    Pages(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run()
