"""Metrics for Prometheus, in a registry that belongs to one app."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp import web
from faust.sensors.prometheus import FaustMetrics
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.registry import Collector

from streamapp.web.operations import get
from streamapp.worker.monitor import Monitor

__all__ = ["METRICS", "Metrics", "Source", "operations"]

#: Returns metrics as they are when ``/metrics`` is asked for.
Source = Callable[[], Iterable[Metric]]

#: What the names of Faust's own metrics begin with. Its default is the app's id, which every dashboard would
#: have to know, and which may have characters that Prometheus refuses.
FAUST: Final = "faust"


class Metrics(Collector):
    """What ``/metrics`` shows: the process, Faust's own metrics, and those of the sources that were added.

    Faust's `setup_prometheus_sensors` is not used because it registers for the whole process, where a second
    app (in a test, say) is a duplicate.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._faust = FaustMetrics.create(self.registry, FAUST)
        self._sources: list[Source] = []
        self.registry.register(self)

    def monitor(self, **options: Any) -> Monitor:
        """Return the app's monitor (the setting `Monitor`): it counts for ``/``, ``/performance/`` and here."""
        return Monitor(self._faust, **options)

    def add(self, source: Source) -> None:
        """Show what this source returns, such as a `prometheus_client.core.CounterMetricFamily` of plain ints.

        It is called in the worker's event loop, so it need not lock, and must not wait.
        """
        self._sources.append(source)

    def collect(self) -> Iterable[Metric]:
        """Return the metrics of the sources as they are now."""
        return [metric for source in self._sources for metric in source()]

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self.registry)


METRICS: Final = web.AppKey[Metrics]("metrics", Metrics)


async def metrics(request: web.Request) -> web.Response:
    """Answer a scrape."""
    return web.Response(body=request.app[METRICS].exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


operations = [
    get("/metrics", metrics),
]
