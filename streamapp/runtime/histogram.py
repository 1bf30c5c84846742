"""Histograms that are filled a batch at a time: how many values were at most so large, and where a large one came from.

`prometheus_client` has histograms, too; theirs take a lock for each value, and know one value at a time.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from faust.types import TP

from streamapp.kafka.record import Envelope, Result

__all__ = ["BATCH_RECORDS", "SECONDS", "Exemplar", "Histogram", "Latency"]

#: Upper bounds in seconds, from what a lone record takes to what has waited for a broker.
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
#: Upper bounds in records: a batch has 5,000, and one record batch more at most.
BATCH_RECORDS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
#: Results of a record batch whose latency is taken; each stands for its share of them.
TAKEN: Final = 8


class Exemplar(NamedTuple):
    """A record whose value is in a bucket: where it is, the value, and when (s since 1970) that was."""

    tp: TP
    offset: int
    value: float
    at: float


class Histogram:
    """Counts of values by upper bounds; the last count is of those that are larger than all of them."""

    __slots__ = ("bounds", "counts", "exemplars", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        #: By the number of the bucket, the newest.
        self.exemplars: dict[int, Exemplar] = {}

    def observe(self, value: float, count: int = 1) -> None:
        """Take in a value, as often as it was there."""
        self.counts[bisect.bisect_left(self.bounds, value)] += count
        self.sum += value * count

    def exemplify(self, exemplar: Exemplar) -> None:
        """Keep where a value came from that was taken in."""
        self.exemplars[bisect.bisect_left(self.bounds, exemplar.value)] = exemplar

    @property
    def count(self) -> int:
        """How many values were taken in."""
        return sum(self.counts)


class Latency(Histogram):
    """Seconds from the event times of results until the broker has acknowledged them.

    Of the results that go to a partition at once, up to `TAKEN` are looked at, evenly spaced from the first one on, and
    each counts for as many as it is followed by: so the count is exact, and of more than `TAKEN` together the latency
    of seven in eight is that of one before them. The slowest of those that are looked at is the exemplar.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(SECONDS)

    def took(self, results: Sequence[Result], source: TP) -> None:
        """Take in results that the broker has just acknowledged, which came of records of a partition."""
        now, count = time.time(), len(results)
        step = -(-count // TAKEN)
        slowest, largest = -1, -1.0
        for start in range(0, count, step):
            timestamp = results[start][0].timestamp
            if timestamp is None:  # it has the time of its sending
                continue
            # An event time may be ahead of this host's clock.
            seconds = max(0.0, now - timestamp / 1000)
            self.observe(seconds, min(step, count - start))
            if seconds > largest:
                slowest, largest = start, seconds
        if slowest >= 0 and (place := _place(results[slowest], source)) is not None:
            self.exemplify(Exemplar(*place, largest, now))


def _place(result: Result, source: TP) -> tuple[TP, int] | None:
    """Return where the record is that gave a result; None = no single one did."""
    stamped, _ = result
    if isinstance(stamped, Envelope):
        offset, source = getattr(stamped.source, "offset", -1), stamped.tp or source
    else:
        offset = getattr(stamped, "offset", -1)
    return (source, offset) if offset >= 0 else None
