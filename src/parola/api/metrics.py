"""Figures for Prometheus: this web process's own, and those of all media processes, each with series of its own.

No room, no person and no address ever stands in a label, and every label has a bounded set of values.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import prometheus_client as prometheus
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parola.bus import figures
from parola.bus.messages import Figures

MISSING = ("database", "disk", "bus", "media process", "media overloaded")
"""What can keep a room from being opened and heard; /readyz says the same words."""
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """`machine` and `name` stand in all series of this process. One registry for each app, so that two in one process
    do not meet."""

    def __init__(self, machine: str, name: str, collectors: Iterable[Collector]) -> None:
        self._labels = {"machine": machine, "process": name}
        self._registry = CollectorRegistry(auto_describe=False)
        self._answers = prometheus.Counter(
            "parola_http_answers",
            "Answered calls by route and status",
            ["method", "route", "status"],
            registry=self._registry,
        )
        self._seconds = prometheus.Histogram(
            "parola_http_answer_seconds",
            "Until an answer begins, by route",
            ["route"],
            registry=self._registry,
            buckets=_SECONDS,
        )
        self._seen = _Seen()
        for collector in (*collectors, self._seen):
            self._registry.register(collector)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        known = method if method in _METHODS else "other"
        self._answers.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(
        self, streams: int, missing: Collection[str], seen: int, alive: int, media: Sequence[Figures]
    ) -> bytes:
        """`seen` and `alive` are leases of media processes, `media` what those said who answered."""
        self._seen.note(streams, missing, seen, alive, alive - len(media))
        # Prometheus refuses a text in which a series stands twice: of two with one name the later counts.
        said = {(told.machine, told.name): told.families for told in media}
        theirs = [({"machine": machine, "process": name}, said[machine, name]) for machine, name in said]
        return figures.text([(self._labels, figures.told(self._registry)), *theirs])


class _Seen(Collector):
    """What this process sees of the others."""

    def __init__(self) -> None:
        self.note(0, (), 0, 0, 0)

    def note(self, streams: int, missing: Collection[str], seen: int, alive: int, silent: int) -> None:
        self._streams, self._missing = streams, missing
        self._leases = {"seen": seen, "alive": alive}
        self._silent = silent

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("parola_event_streams", "Open event streams", value=self._streams)
        yield GaugeMetricFamily(
            "parola_media_processes_silent",
            "Media processes with a lease that did not say their figures",
            value=self._silent,
        )
        missing = GaugeMetricFamily(
            "parola_missing", "1 for what keeps a room from being opened and heard", labels=["what"]
        )
        for what in MISSING:
            missing.add_metric([what], float(what in self._missing))
        yield missing
        leases = GaugeMetricFamily(
            "parola_media_leases",
            "Media processes in the database, and those taken for alive",
            labels=["state"],
        )
        for state, count in self._leases.items():
            leases.add_metric([state], count)
        yield leases
