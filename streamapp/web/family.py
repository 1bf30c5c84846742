"""Families of metrics, made of plain numbers when they are asked for: who counts takes no lock and knows no label."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, Exemplar, GaugeMetricFamily, HistogramMetricFamily

from streamapp.runtime.histogram import Exemplar as Slow
from streamapp.runtime.histogram import Histogram

__all__ = ["Values", "counter", "gauge", "histogram"]

#: Values of the labels, of a single one as they are, and a number.
Values = Iterable[tuple[str | tuple[str, ...], float]]

#: Characters that names and values of an exemplar's labels may have together (OpenMetrics 1.0).
EXEMPLAR_CHARACTERS: Final = 128


def counter(name: str, text: str, values: Values, labels: Sequence[str] = ("topic",)) -> Metric:
    """Return a counter: what only goes up, from 0 at the start of the worker."""
    return _filled(CounterMetricFamily(f"streamapp_{name}", text, labels=labels), values)


def gauge(name: str, text: str, values: Values, labels: Sequence[str] = ()) -> Metric:
    """Return a gauge: what goes up and down."""
    return _filled(GaugeMetricFamily(f"streamapp_{name}", text, labels=labels), values)


def histogram(
    name: str,
    text: str,
    values: Iterable[tuple[str | tuple[str, ...], Histogram]],
    labels: Sequence[str] = ("topic",),
) -> Metric:
    """Return histograms."""
    family = HistogramMetricFamily(f"streamapp_{name}", text, labels=labels)
    for of, one in values:
        below = 0.0
        buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        for place, count in enumerate(one.counts):
            below += count
            bound = repr(float(one.bounds[place])) if place < len(one.bounds) else "+Inf"
            exemplar = _exemplar(one.exemplars.get(place))
            buckets.append((bound, below) if exemplar is None else (bound, below, exemplar))
        family.add_metric([of] if isinstance(of, str) else of, buckets, one.sum)
    return family


def _exemplar(slow: Slow | None) -> Exemplar | None:
    if slow is None:
        return None
    labels = {"topic": slow.tp.topic, "partition": str(slow.tp.partition), "offset": str(slow.offset)}
    if sum(map(len, [*labels, *labels.values()])) > EXEMPLAR_CHARACTERS:
        return None
    return Exemplar(labels, slow.value, round(slow.at, 3))


def _filled(family: CounterMetricFamily | GaugeMetricFamily, values: Values) -> Metric:
    for labels, value in values:
        family.add_metric([labels] if isinstance(labels, str) else labels, value)
    return family
