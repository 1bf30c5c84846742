"""Retention: Kafka deletes records by their event times, so what is old goes soon after it was written."""

from __future__ import annotations

import dataclasses
import datetime as dt
import logging
import time
from collections.abc import Callable
from typing import Final

from streamapp.kafka.topic_configs import alter_command
from streamapp.settings import Settings

__all__ = ["RetentionWatch", "age"]

logger = logging.getLogger(__name__)

_HOUR_MS: Final = 3_600_000
_DAY_MS: Final = 24 * _HOUR_MS


@dataclasses.dataclass
class RetentionWatch:
    """Tells, once for each topic, of records that are older than it keeps them.

    Kafka deletes a segment once its newest record is too old, so a few old records among others do no harm.
    """

    settings: Settings
    #: Returns the time (s).
    now: Callable[[], float] = time.time
    _kept: dict[str, int] = dataclasses.field(default_factory=dict)

    def expect(self, topic: str, kept: int) -> None:
        """Take note of how long (ms of event time) a topic keeps records."""
        self._kept[topic] = kept

    def look(self, topic: str, first: int | None, last: int | None) -> None:
        """Look at the event times (ms; None = now) of the first and the last record of a batch."""
        kept = self._kept.get(topic)
        if kept is None or first is None or last is None:
            return
        newest = max(first, last)
        old = int(self.now() * 1000) - newest
        if old <= kept:
            return
        del self._kept[topic]
        day = dt.datetime.fromtimestamp(newest / 1000, dt.UTC).date()
        logger.warning(
            "%s keeps records for %s of their event time (retention.ms=%d), and these are of %s, %s ago: Kafka deletes "
            "them soon after they are written. To keep them: %s",
            topic,
            age(kept),
            kept,
            day,
            age(old),
            alter_command(self.settings, topic, {"retention.ms": "-1"}),
        )


def age(ms: int) -> str:
    """Return a duration (ms) in days, or in hours if it is short."""
    return f"{ms / _DAY_MS:,.1f} days" if ms >= 2 * _DAY_MS else f"{ms / _HOUR_MS:,.1f} hours"
