"""Figures for Prometheus. No room, no person and no address ever stands in a label."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector


class Metrics:
    """One registry for each app, so that two in one process do not meet."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "parola_http_answers",
            "Answered calls by route and status",
            ["route", "status"],
            registry=self._registry,
        )
        self._streams = Gauge("parola_event_streams", "Open event streams", registry=self._registry)
        self._media = _Media()
        self._registry.register(self._media)

    def answered(self, route: str, status: int) -> None:
        self._answers.labels(route, str(status)).inc()

    def text(self, streams: int, media: Mapping[str, float]) -> bytes:
        """`media`: figures of all media processes, summed."""
        self._streams.set(streams)
        self._media.values = dict(media)
        return generate_latest(self._registry)


class _Media(Collector):
    """What the media processes said when they were asked."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def collect(self) -> list[GaugeMetricFamily]:
        return [
            GaugeMetricFamily(f"parola_media_{name}", f"Sum over the media processes: {name}", value=value)
            for name, value in sorted(self.values.items())
        ]
