"""A process's figures on their way to whoever asks: Prometheus families as plain values, and as text.

Each process counts for itself, and nobody adds processes up: a sum would fall whenever one of them is started anew,
which Prometheus can only tell from a reset where every process has series of its own.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parola import __version__
from parola.bus.bus import Bus

Families = list[dict[str, Any]]
"""`{name, help, kind, samples: [[name, labels, value], ...]}` each."""


class BusFigures(Collector):
    """How a process's connection to the bus fares."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def collect(self) -> Iterable[Metric]:
        bus = self._bus
        yield GaugeMetricFamily(
            "parola_bus_connected", "1 while the bus can be reached", value=float(bus.connected)
        )
        yield CounterMetricFamily(
            "parola_bus_reconnects", "Times that the bus was lost and came back", value=bus.reconnects
        )
        yield CounterMetricFamily(
            "parola_bus_dropped_messages",
            "Messages thrown away because their handler was too slow",
            value=bus.dropped,
        )


class BuildInfo(Collector):
    """What runs here, always 1."""

    def collect(self) -> Iterable[Metric]:
        labels = {"version": __version__, "python": platform.python_version()}
        family = GaugeMetricFamily("parola_build_info", "What runs here, always 1", labels=list(labels))
        family.add_metric(list(labels.values()), 1.0)
        yield family


def common(bus: Bus) -> list[Collector]:
    """What every kind of process tells."""
    return [BusFigures(bus), BuildInfo(), ProcessCollector(registry=None)]


def told(registry: CollectorRegistry) -> Families:
    return [
        {
            "name": family.name,
            "help": family.documentation,
            "kind": family.type,
            # When a counter began is worth a series each, and nobody asks.
            "samples": [
                [sample.name, dict(sample.labels), float(sample.value)]
                for sample in family.samples
                if not sample.name.endswith("_created")
            ],
        }
        for family in registry.collect()
    ]


def text(said: Iterable[tuple[Mapping[str, str], Families]]) -> bytes:
    """Prometheus text of what several processes said; each one's labels stand in all of its series."""
    merged: dict[str, Metric] = {}
    for labels, families in said:
        for family in families:
            name, kind = family["name"], family["kind"]
            metric = merged.setdefault(name, Metric(name, family["help"], kind))
            for sample, own, value in family["samples"]:
                metric.add_sample(sample, {**own, **labels}, value)
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Said([merged[name] for name in sorted(merged)]))
    return generate_latest(registry)


class _Said(Collector):
    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics
