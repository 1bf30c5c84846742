"""Metrics for Prometheus, in a registry that belongs to one app; OpenMetrics, with exemplars, for who asks for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp import web
from faust.sensors.prometheus import FaustMetrics
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    Metric,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.exposition import choose_encoder
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

    async def exposition(self, accept: str = "") -> tuple[bytes, str]:
        """Return all metrics as text, and its content type: Prometheus' own, or OpenMetrics where that is accepted.

        They are taken at one moment of the worker's event loop, and written in another thread, which takes longer.
        """
        encode, content_type = choose_encoder(accept)
        taken = _Taken(list(self.registry.collect()))
        return await asyncio.to_thread(encode, taken), content_type


class _Taken(Collector):
    """Metrics as they were at one moment."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self._metrics


METRICS: Final = web.AppKey[Metrics]("metrics", Metrics)


async def metrics(request: web.Request) -> web.Response:
    """Answer a scrape."""
    accept = ",".join(request.headers.getall("Accept", []))
    body, content_type = await request.app[METRICS].exposition(accept)
    return web.Response(body=body, headers={"Content-Type": content_type})


operations = [
    get("/metrics", metrics),
]
