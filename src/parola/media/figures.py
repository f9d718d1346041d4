"""What a media process tells of itself: its share of /metrics, and the two words by which others judge it.

No room, no person and no address is in it, and every label has a bounded set of values: neither a thousand rooms nor a
hostile client make it longer.
"""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parola.bus import figures
from parola.bus.messages import Figures
from parola.media.fanout.layout import State
from parola.media.fanout.sender import total

if TYPE_CHECKING:
    from parola.media.process import MediaProcess

JITTER_EVENTS = ("received", "late", "duplicate", "lost", "held", "dropped", "stretched", "resets")
"""`lost` and `held` are frames that were concealed: missing ones, and ones that did not come in time."""
ENDS = frozenset(
    {
        "closed_by_client",
        "consent_expired",
        "dtls_failed",
        "floor_revoked",
        "full",
        "handshake_timeout",
        "left",
        "owner_unreachable",
        "ownership_lost",
        "ownership_renewed",
        "removed",
        "replaced",
        "room_ended",
        "server_stopped",
        "signed_out",
        "unused",
    }
)
"""Why connections are closed."""
DROPS = frozenset(
    {
        "address_in_use",
        "bug",
        "bus_full",
        "dtls_from_stranger",
        "dtls_refused",
        "receive_buffer_full",
        "receive_error",
        "rtcp_early",
        "rtcp_from_stranger",
        "rtcp_malformed",
        "rtcp_policed",
        "rtp_early",
        "rtp_from_listener",
        "rtp_from_stranger",
        "rtp_malformed",
        "rtp_policed",
        "rtp_without_floor",
        "srtcp_refused",
        "srtp_refused",
        "stun_refused",
        "stun_unknown",
        "unknown",
    }
)
"""Why what came is not used."""
FENCES = ("confirmed", "timed_out", "gone")
_SEND = "send_"
_ERRORS = frozenset({"buffer_full", *(name.lower() for name in errno.errorcode.values())})
_HANDSHAKE_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_LOSS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5)


class ConnectionFigures:
    """What all connections of a process went through, those that are gone included."""

    def __init__(self) -> None:
        self.jitter_buffers: Counter[str] = Counter()
        """Of speakers who are gone."""
        self.handshakes = prometheus.Counter(
            "parola_media_handshakes", "Connections that came up, or did not", ["result"], registry=None
        )
        self.handshake_seconds = prometheus.Histogram(
            "parola_media_handshake_seconds",
            "From the offer until the connection is up",
            registry=None,
            buckets=_HANDSHAKE_S,
        )
        self.loss = prometheus.Histogram(
            "parola_media_listener_loss_ratio",
            "Part of the packets that did not reach a listener, once for each of their reports",
            registry=None,
            buckets=_LOSS,
        )
        for result in ("ok", "failed"):
            self.handshakes.labels(result)

    def collect(self) -> Iterator[Metric]:
        for metric in (self.handshakes, self.handshake_seconds, self.loss):
            yield from metric.collect()


class MediaFigures(Collector):
    """Reads the process's books when it is asked. `common` is what every kind of process tells."""

    def __init__(self, process: MediaProcess, common: Iterable[Collector]) -> None:
        self._process = process
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (*common, self):
            self._registry.register(collector)

    def answer(self) -> bytes:
        process = self._process
        values = {
            "looked_ago": process.projections.leases.looked_ago(),
            "full": float(process.meter.load.reason is not None),
        }
        told = figures.told(self._registry)
        return Figures(values, process.identity.machine, process.identity.name, told).to_bytes()

    def collect(self) -> Iterator[Metric]:
        yield from self._here()
        yield from self._datagrams()
        yield from self._process.ticker.lateness.collect()
        yield from self._process.connections.figures.collect()
        yield _counter(
            "parola_media_connections_closed",
            "By reason",
            "reason",
            _known(self._process.transport.ended, ENDS),
        )
        yield _counter(
            "parola_media_fences",
            "Fences to edges in other processes: confirmed, timed out, or to an edge that is gone",
            "result",
            {result: self._process.fences[result] for result in FENCES},
        )
        yield _counter(
            "parola_media_jitter_buffer_events",
            "What became of speakers' packets and frames",
            "event",
            self._jitter_buffers(),
        )

    def _here(self) -> Iterator[Metric]:
        process, meter = self._process, self._process.meter
        gauges = {
            "parola_media_listeners": ("Listeners' connections", _total(process.edges, "listeners")),
            "parola_media_speakers": ("Speakers' connections", _total(process.owned, "speakers")),
            "parola_media_rooms_owned": ("Rooms that are mixed here", len(process.owned)),
            "parola_media_rooms_served": ("Rooms with listeners here", len(process.edges)),
            "parola_media_rooms_suspended": (
                "Rooms that are silent until it is certain whose they are",
                sum(owned.suspended for owned in process.owned.values()),
            ),
            "parola_media_handshaking": ("Connections not up yet", process.connections.handshaking),
            "parola_media_load_ratio": ("1 and more: nothing new is taken", meter.load.value),
            "parola_media_sees_database": (
                "1 while the database was looked at in the last two seconds",
                process.tenure.sees_database,
            ),
        }
        for name, (words, value) in gauges.items():
            yield GaugeMetricFamily(name, words, value=float(value))
        yield from self._evidence()
        yield CounterMetricFamily(
            "parola_media_refused", "Newcomers refused because of the load", value=meter.refused
        )

    def _evidence(self) -> Iterator[Metric]:
        kept = self._process.keeping
        size, rooms = (kept.size, kept.rooms) if kept is not None else (0, 0)
        lost = {"failed": kept.failed, "memory_full": kept.dropped} if kept is not None else {}
        yield GaugeMetricFamily(
            "parola_media_evidence_bytes", "Sealed sound that is kept in memory", value=size
        )
        yield GaugeMetricFamily("parola_media_evidence_rooms", "Rooms of which some is kept", value=rooms)
        yield _counter(
            "parola_media_evidence_lost",
            "Of what was to be kept and is not: ticks or segments that failed, segments for which there was no memory",
            "reason",
            {"failed": 0, "memory_full": 0, **lost},
        )

    def _datagrams(self) -> Iterator[Metric]:
        transport, senders = self._process.transport, self._process.senders
        fanned, fanned_bytes = total(senders, State.SENT), total(senders, State.SENT_BYTES)
        totals = {
            "parola_media_received_datagrams": ("Datagrams that came", transport.packets_in),
            "parola_media_received_bytes": ("Their bytes", transport.bytes_in),
            "parola_media_sent_datagrams": ("Datagrams that went", transport.packets_out + fanned),
            "parola_media_sent_bytes": ("Their bytes", transport.bytes_out + fanned_bytes),
            "parola_media_sender_busy_seconds": (
                "Work of the sender threads",
                total(senders, State.BUSY_NS) / 1e9,
            ),
            "parola_media_sender_dropped_jobs": (
                "Packets for whole groups of listeners that a sender was too late for",
                sum(sender.dropped for sender in senders),
            ),
        }
        for name, (words, value) in totals.items():
            yield CounterMetricFamily(name, words, value=value)
        dropped = {**transport.dropped, "receive_buffer_full": transport.overflow()}
        unsent = {k.removeprefix(_SEND): n for k, n in dropped.items() if k.startswith(_SEND)}
        yield _counter(
            "parola_media_send_errors",
            "Datagrams that could not be sent",
            "error",
            {
                **_known(unsent, _ERRORS, frozenset()),
                "buffer_full": unsent.get("buffer_full", 0) + total(senders, State.UNSENT_FULL),
                "listener_unreachable": total(senders, State.UNSENT_ERROR),
                "not_protected": total(senders, State.REFUSED),
            },
        )
        others = {k: n for k, n in dropped.items() if not k.startswith(_SEND)}
        yield _counter("parola_media_dropped_datagrams", "What came in vain", "reason", _known(others, DROPS))

    def _jitter_buffers(self) -> Counter[str]:
        events = Counter(dict.fromkeys(JITTER_EVENTS, 0))
        events.update(self._process.connections.figures.jitter_buffers)
        for owned in self._process.owned.values():
            for speaker in owned.speakers.values():
                events.update(speaker.voice.jitter_counts())
        return events


def _total(rooms: Mapping[str, object], what: str) -> int:
    return sum(len(getattr(room, what)) for room in rooms.values())


def _counter(name: str, words: str, label: str, values: Mapping[str, float]) -> CounterMetricFamily:
    family = CounterMetricFamily(name, words, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def _known(
    counts: Mapping[str, float], known: frozenset[str], at_least: frozenset[str] | None = None
) -> dict[str, int]:
    """`at_least` stand there from the start, or nobody would see the first of them; what is not known is `other`."""
    found = Counter(dict.fromkeys(sorted(known if at_least is None else at_least), 0))
    for name, count in counts.items():
        found[name if name in known else "other"] += int(count)
    return found
