"""Panels: what an app tells of itself on the page, beside what is told of each app."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Self

import msgspec
from prometheus_client import Metric

__all__ = ["MakePanel", "Panel", "Shown"]


class Shown(msgspec.Struct, frozen=True):
    """A heading, and counts by name: such as decisions by their kinds."""

    title: str
    counts: Mapping[str, float]

    @classmethod
    def of(cls, title: str, metrics: Iterable[Metric], label: str) -> Self:
        """Return the values of a metric by one of its labels."""
        samples = (sample for metric in metrics for sample in metric.samples if not sample.name.endswith("_created"))
        return cls(title, {sample.labels[label]: sample.value for sample in samples})


class Panel(msgspec.Struct, frozen=True):
    """What an app shows: counts, short texts such as a model's version, and a topic whose newest results are shown."""

    title: str
    shown: Sequence[Shown] = ()
    texts: Mapping[str, str] = {}
    #: Its full name; "" = none.
    topic: str = ""


#: Makes a panel as it is now; called once a second at most, in the worker's event loop, so it must not wait.
MakePanel = Callable[[], Panel]
