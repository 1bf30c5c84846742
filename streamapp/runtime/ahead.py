"""Records that are ahead of the wall clock: counted and told, and how far event clocks may go.

A producer whose clock is wrong, or that takes microseconds for milliseconds, must harm no other records than its own.
So a record moves the event clock of its partition only if it is not too far ahead (`streamapp.joins.Clock`).
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from streamapp.joins import Wall
from streamapp.rate_limit import RateLimit
from streamapp.runtime.batch import Batch

__all__ = ["Ahead", "WallClock"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines of a topic.
AHEAD_LOG_INTERVAL_S: Final = 60.0


class WallClock(Wall):
    """The wall clock of this host. It never goes back: if it is set back, time goes on from where it was.

    Args:
        max_ahead: how far ahead (s) of it a record may push an event clock; less than 0 = there is no bound.
        real: returns the wall time (ms).
        steady: returns a time (ms) that nobody sets.
    """

    __slots__ = ("_max_ahead", "_offset", "_real", "_steady")

    def __init__(
        self,
        max_ahead: float,
        real: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        steady: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    ) -> None:
        super().__init__()
        self._max_ahead = None if max_ahead < 0 else int(max_ahead * 1000)
        self._real, self._steady = real, steady
        self._offset = real() - steady()
        self.refresh()

    def refresh(self) -> None:
        """Look at the clock."""
        steady = self._steady()
        self._offset = max(self._offset, self._real() - steady)
        self.time = steady + self._offset
        if self._max_ahead is not None:
            self.set(self.time, self._max_ahead)


class Ahead:
    """Looks for records that are ahead of the wall clock, by more than a setting allows, as it stands."""

    def __init__(self, wall: WallClock, setting: str) -> None:
        self.wall = wall
        self._setting = setting
        self._due = RateLimit(AHEAD_LOG_INTERVAL_S)
        #: How many were read since the start, by topic.
        self.counts: Counter[str] = Counter()

    def look(self, batch: Batch) -> None:
        """Look at a batch that was read."""
        self.wall.refresh()
        if batch.latest > self.wall.limit:
            self._count(batch)

    def set_back(self, what: str, stored: int) -> None:
        """Tell that a stored event clock (ms) was not gone on from."""
        logger.warning(
            "%s: its stored event clock is %s s ahead of the clock of this host, and %s allows less: it goes on from "
            "the records that come; what was told as late or unmatched by it stays so",
            what,
            self._seconds(stored),
            self._setting,
        )

    def _seconds(self, timestamp: int) -> str:
        return f"{(timestamp - self.wall.now) // 1000:,}"

    def _count(self, batch: Batch) -> None:
        ahead = [record for record in batch.records if record.timestamp > self.wall.limit]
        self.counts[batch.topic] += len(ahead)
        if self._due.due(batch.topic):
            furthest = max(ahead, key=lambda record: record.timestamp)
            logger.warning(
                "%s[%d]@%d is %s s ahead of the clock of this host, and %s allows less: it is joined by its own time, "
                "but does not move the event clock of its partition (%d such records of this topic so far)",
                *batch.tp,
                furthest.offset,
                self._seconds(furthest.timestamp),
                self._setting,
                self.counts[batch.topic],
            )
