"""What can be said of one connection, to whom it belongs and to the log: how its sound gets through.

Directions are the server's: a listener's packets are those that were sent to them, a speaker's those that came. `now`
is monotonic seconds, or None where nobody asks for how long.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from parola.media.packet_time import TICK_MS

if TYPE_CHECKING:
    from parola.media.listener import Listener
    from parola.media.peer import Peer
    from parola.media.voice import Voice

_CLOCK_PER_MS = 48


def of_listener(listener: Listener, now: float | None) -> dict[str, Any]:
    """`loss`, `jitter_ms` and `rtt_ms` are of the listener's last report, None before the first."""
    stream, track = listener.stream, listener.track
    packets, sent_bytes = listener.counts
    reported = stream.reported
    return {
        "kind": "whep",
        **_of_peer(listener.peer, now),
        "packets": packets,
        "bytes": sent_bytes,
        "loss": round(stream.loss_256 / 256, 3) if reported else None,
        "jitter_ms": round(stream.jitter / _CLOCK_PER_MS, 1) if reported else None,
        "rtt_ms": round(stream.rtt_s * 1000, 1) if stream.rtt_s is not None else None,
        "red": listener.packet_class is not None and listener.packet_class.copies > 0,
        "packet_ms": track.merger.frames * TICK_MS if track is not None else None,
        "concealed": None,
        "delay_ms": None,
    }


def of_speaker(peer: Peer, voice: Voice, now: float | None) -> dict[str, Any]:
    """`loss` is of the last report to the speaker, `concealed` the part of all frames that had to be made up, and
    `delay_ms` what the jitter buffer adds. Speakers are not asked for the way there and back."""
    reception = voice.reception
    counts = voice.jitter_counts()
    frames = counts["received"] + counts["lost"] + counts["held"]
    return {
        "kind": "whip",
        **_of_peer(peer, now),
        "packets": peer.statistics.packets_in,
        "bytes": peer.statistics.bytes_in,
        "loss": round(voice.loss_256 / 256, 3) if voice.loss_256 is not None else None,
        "jitter_ms": round(reception.jitter / _CLOCK_PER_MS, 1) if reception is not None else None,
        "rtt_ms": None,
        "red": voice.uses_red,
        "packet_ms": voice.packet_ms,
        "concealed": round((counts["lost"] + counts["held"]) / frames, 3) if frames else None,
        "delay_ms": round(voice.delay_s * 1000, 1) if counts["received"] else None,
    }


def for_log(details: dict[str, Any]) -> dict[str, Any]:
    """What is known, and does not stand in the line anyway."""
    return {k: v for k, v in details.items() if v is not None and k not in ("kind", "state")}


def _of_peer(peer: Peer, now: float | None) -> dict[str, Any]:
    up = peer.connected_at
    return {
        "state": "connecting" if up is None else "connected",
        "since_ms": None if up is None or now is None else int((now - up) * 1000),
        "family": peer.family,
    }
