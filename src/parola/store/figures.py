"""How the database answers: the time that transactions take, those that failed, and how much of the pool is out."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterable, Iterator

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.pool import Pool, QueuePool

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
_KINDS = ("read", "write")


class StoreFigures(Collector):
    """`timed` goes around each transaction."""

    def __init__(self, pools: Collection[Pool]) -> None:
        self._pools = pools
        self._seconds = Histogram(
            "parola_sql_transaction_seconds",
            "Transactions that succeeded, with the wait for a connection and for the commit",
            ["kind"],
            registry=None,
            buckets=_BUCKETS,
        )
        self._failures = Counter(
            "parola_sql_failures",
            "Transactions that the database could not carry out",
            ["kind"],
            registry=None,
        )
        for kind in _KINDS:
            self._seconds.labels(kind)
            self._failures.labels(kind)

    @contextlib.contextmanager
    def timed(self, kind: str, failure: type[Exception]) -> Iterator[None]:
        """`kind` is read or write. Only `failure` counts as one: that somebody else was first is an answer."""
        began = time.perf_counter()
        try:
            yield
        except failure:
            self._failures.labels(kind).inc()
            raise
        self._seconds.labels(kind).observe(time.perf_counter() - began)

    def collect(self) -> Iterable[Metric]:
        yield from self._seconds.collect()
        yield from self._failures.collect()
        # Not every kind of pool counts.
        out = [pool.checkedout() for pool in self._pools if isinstance(pool, QueuePool)]
        yield GaugeMetricFamily(
            "parola_sql_connections_in_use",
            "Connections that are out of the fullest pool",
            value=float(max(out, default=0)),
        )
