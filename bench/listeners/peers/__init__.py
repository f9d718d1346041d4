"""Servers that Parola is compared with, each started by the bench on loopback and measured by the same listeners."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bench.listeners.peers.icecast import Icecast
from bench.listeners.peers.janus import Janus
from bench.listeners.peers.livekit import LiveKit
from bench.listeners.signalling import Server


class Peer(Server, Protocol):
    """`note`: what a reader of its row has to know, once it has been started."""

    note: str


SERVERS: dict[str, Callable[[], Peer]] = {
    "livekit": LiveKit,
    "livekit-tuned": lambda: LiveKit(tuned=True),
    "janus": Janus,
    "janus-tuned": lambda: Janus(tuned=True),
    "icecast": Icecast,
    "icecast-200": lambda: Icecast(page_ms=200),
}
