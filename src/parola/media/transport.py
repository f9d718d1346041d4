"""The UDP sockets of a media process: datagrams to peers, peers' datagrams out.

A datagram finds its peer by source address once that address is proved, and by the STUN user name before. Everything
else is dropped, counted and left unanswered.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Sequence

import structlog

from parola.media.peer import Peer
from parola.rtp import demux, stun
from parola.rtp.stun import Address

_log = structlog.get_logger(__name__)

_BATCH = 64
"""Datagrams read in one go before the loop gets its turn, unless they take longer than a slice: a crowd's handshakes,
each a millisecond or two, must not keep a tick waiting."""
_SLICE_S = 0.003
_LARGEST = 2048
_HOLD_S = 6.0
"""Consent comes every 2.5 s (media clients send it at least every 5 s): who was silent longer than this has gone."""
_BUFFER_BYTES = 4 << 20
"""A burst of strangers' datagrams waits here, and a speaker's behind them, while the rooms have their tick."""
# asm-generic/socket.h, linux/in.h and linux/sock_diag.h; Python does not name them.
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE, _SO_MEMINFO, _MEMINFO = 32, 33, 55, struct.Struct("=9I")


class Transport:
    """Owns its sockets: one for each local address, all on the same port."""

    def __init__(self, sockets: Sequence[socket.socket], monotonic: Callable[[], float]) -> None:
        self.on_stray: Callable[[bytes, float], None] = lambda datagram, now: None
        """RTP from an address that nobody has proved; it is dropped in any case."""
        self.dropped: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.packets_in = 0
        self.packets_out = 0
        self.bytes_in = 0
        self.bytes_out = 0
        self._sockets = list(sockets)
        self._monotonic = monotonic
        self._by_ufrag: dict[str, Peer] = {}
        self._by_address: dict[tuple[int, Address], Peer] = {}
        self._place_of: dict[Peer, tuple[int, Address] | None] = {}
        self._claims: dict[tuple[int, Address], Peer] = {}
        """Who wants an address that another one still holds: a port that somebody just gave up, or a forger."""
        self._asked: dict[bytes, Peer] = {}
        """By the transaction ids of our own checks: whose answer it would be."""

    @staticmethod
    def bind(addresses: Sequence[str], port: int) -> list[socket.socket]:
        """Non-blocking UDP sockets on `port` of each address; OSError names the address that is taken."""
        bound: list[socket.socket] = []
        for address in addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            sock = socket.socket(family, socket.SOCK_DGRAM)
            sock.setblocking(False)
            _enlarge(sock)
            _keep_whole(sock)
            try:
                sock.bind((address, port))
            except OSError as error:
                for earlier in (*bound, sock):
                    earlier.close()
                raise OSError(error.errno, f"UDP {address}:{port}: {error.strerror}") from error
            bound.append(sock)
        return bound

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        for index, sock in enumerate(self._sockets):
            loop.add_reader(sock.fileno(), self._readable, index, sock)

    def stop(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in self._sockets:
            loop.remove_reader(sock.fileno())
            sock.close()

    def add(self, peer: Peer) -> None:
        peer.dropped, peer.ended = self.dropped, self.ended
        peer.sockets = [sock.fileno() for sock in self._sockets]
        self._by_ufrag[peer.ice.ufrag] = peer
        self._place_of[peer] = None

    def remove(self, peer: Peer) -> None:
        self._by_ufrag.pop(peer.ice.ufrag, None)
        place = self._place_of.pop(peer, None)
        if place is not None:
            del self._by_address[place]
        for claimed in [claimed for claimed, claimant in self._claims.items() if claimant is peer]:
            del self._claims[claimed]
        if peer.ice.asking is not None:
            self._asked.pop(peer.ice.asking, None)

    def sender(self, peer_socket: Callable[[], int | None]) -> Callable[[bytes, Address], None]:
        """A function that sends through the socket on which the peer was last heard."""

        def send(datagram: bytes, destination: Address) -> None:
            try:
                self._sockets[peer_socket() or 0].sendto(datagram, destination)
                self.packets_out += 1
                self.bytes_out += len(datagram)
            except BlockingIOError:
                self.dropped["send_buffer_full"] += 1
            except OSError as error:
                # An ICMP error of an earlier datagram surfaces here; the peer's consent decides, not this.
                self.dropped["send_" + errno.errorcode.get(error.errno or 0, "error").lower()] += 1

        return send

    @property
    def peers(self) -> list[Peer]:
        return list(self._place_of)

    def overflow(self) -> int:
        """Datagrams that found the receive buffers full."""
        return sum(map(_overflow, self._sockets))

    def _readable(self, index: int, sock: socket.socket) -> None:
        now = self._monotonic()
        for _ in range(_BATCH):
            try:
                datagram, source = sock.recvfrom(_LARGEST)
            except BlockingIOError:
                return
            except OSError:
                self.dropped["receive_error"] += 1
                return
            try:
                self._receive(index, datagram, (source[0], source[1]), now)
            except Exception:
                # One hostile datagram must not take the process, and with it every other room, down.
                self.dropped["bug"] += 1
                _log.exception("datagram.failed", size=len(datagram))
            if self._monotonic() - now > _SLICE_S:
                return

    def _receive(self, index: int, datagram: bytes, source: Address, now: float) -> None:
        self.packets_in += 1
        self.bytes_in += len(datagram)
        kind = demux.kind(datagram)
        peer = self._by_address.get((index, source))
        if kind == "stun":
            if peer is None or peer.closed or not peer.handle_consent(datagram, source, now):
                self._receive_stun(index, datagram, source, now)
            return
        if kind == "dtls" and (index, source) in self._claims:
            self._hear_claim((index, source), datagram, now)
        elif kind is None or peer is None or peer.closed:
            self.dropped["unknown" if kind is None else f"{kind}_from_stranger"] += 1
            if kind == "rtp":
                self.on_stray(datagram, now)
        elif kind == "rtp":
            peer.handle_rtp(datagram, now)
        elif kind == "dtls":
            peer.handle_dtls(datagram, now)
        else:
            peer.handle_rtcp(datagram, now)

    def _receive_stun(self, index: int, datagram: bytes, source: Address, now: float) -> None:
        if stun.is_success(datagram):
            self._receive_stun_response(index, datagram, source, now)
            return
        ufrag = stun.local_ufrag(datagram)
        peer = self._by_ufrag.get(ufrag) if ufrag is not None else None
        if peer is None or peer.closed:
            self.dropped["stun_unknown"] += 1
            return
        # The answer leaves by the socket that was asked; a wrong request changes nothing.
        earlier, peer.socket_index = peer.socket_index, index
        asked = peer.ice.asking
        if not peer.handle_stun(datagram, source, now):
            peer.socket_index = earlier
            self.dropped["stun_refused"] += 1
            return
        if peer.ice.asking != asked:
            self._asked.pop(asked or b"", None)
            self._asked[peer.ice.asking or b""] = peer
        remote = peer.ice.remote
        if remote != source and earlier is not None:
            peer.socket_index = earlier
        if remote is not None:
            self._move(peer, (peer.socket_index, remote), now)

    def _receive_stun_response(self, index: int, datagram: bytes, source: Address, now: float) -> None:
        transaction_id = stun.transaction_id(datagram)
        peer = self._asked.get(transaction_id)
        if peer is None or peer.closed or not peer.handle_stun_response(datagram, source, now):
            self.dropped["stun_unknown" if peer is None else "stun_refused"] += 1
            return
        del self._asked[transaction_id]
        peer.socket_index = index
        self._move(peer, (index, source), now, proved=True)
        peer.handler.moved()

    def _hear_claim(self, place: tuple[int, Address], datagram: bytes, now: float) -> None:
        claimant = self._claims[place]
        claimant.handle_dtls(datagram, now)
        if claimant.is_connected:
            del self._claims[place]
            self._move(claimant, place, now, proved=True)

    def _move(self, peer: Peer, place: tuple[int, Address], now: float, proved: bool = False) -> None:
        """A connection stands at one address at a time: after a move the old one is a stranger's again."""
        old = self._place_of.get(peer, place)
        if old == place:
            return
        holder = self._by_address.get(place)
        if holder is not None:
            # A source address can be forged: whoever answers there keeps it for as long as they show consent, or until
            # another one completes a handshake there, which nobody can who does not receive at it.
            if now - (holder.ice.last_consent or 0.0) < _HOLD_S and not proved:
                self.dropped["address_in_use"] += 1
                if not peer.is_connected:
                    self._claims[place] = peer
                return
            self._place_of[holder] = None
        if old is not None:
            del self._by_address[old]
        self._place_of[peer] = place
        self._by_address[place] = peer


def _enlarge(sock: socket.socket) -> None:
    """Root may go beyond net.core.rmem_max, which is 50 ms of a flood where nobody has raised it."""
    forced = {socket.SO_RCVBUF: _SO_RCVBUFFORCE, socket.SO_SNDBUF: _SO_SNDBUFFORCE}
    for option, force in forced.items():
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, _BUFFER_BYTES)
        except OSError:  # no right to, or no Linux
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)


def _keep_whole(sock: socket.socket) -> None:
    """Nothing of ours is longer than 1,200 bytes, nor is it to be cut on the way (RFC 8085, section 3.2). A kernel that
    knows need not number the pieces, which is a twentieth of what a packet costs."""
    if sock.family == socket.AF_INET and sys.platform == "linux":
        sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)


def _overflow(sock: socket.socket) -> int:
    """Datagrams that found the receive buffer full; 0 where the kernel does not tell."""
    try:
        return int(_MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[8])
    except (OSError, struct.error):
        return 0
