"""Event times of what is produced: whether the topic keeps them, and keeps what is so old."""

from __future__ import annotations

import datetime as dt
import time

from streamapp.kafka.admin import Cluster
from streamapp.kafka.topic_configs import alter_command, appends_time, retention_ms
from streamapp.settings import Settings
from streamapp.worker.retention import age

__all__ = ["EventTimes"]


class EventTimes:
    """Counts the records that their topic, given by its full name, will delete for their age.

    Raises:
        ClusterError: if the broker cannot be reached.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        found, _ = Cluster(settings).configs([topic])
        self._config = found.get(topic, {})
        self._kept = retention_ms(self._config)
        #: The earliest time (ms) of records that are kept.
        self._since = 0 if self._kept is None else time.time_ns() // 1_000_000 - self._kept
        self._count = self._old = 0
        self._oldest = self._since

    def count(self, timestamp: int | None) -> None:
        """Count a record with an event time (ms); None = it has none of its own."""
        if timestamp is not None:
            self._count += 1
            if timestamp < self._since:
                self._old += 1
                self._oldest = min(self._oldest, timestamp)

    @property
    def warning(self) -> str:
        """What becomes of the event times, in one line; empty = nothing that was not asked for."""
        if self._count and appends_time(self._config):
            return (
                f"{self._topic} has message.timestamp.type=LogAppendTime: the event times of {self._count:,} records "
                "are not kept, but those at which the broker appended them"
            )
        if not self._old or self._kept is None:
            return ""
        day = dt.datetime.fromtimestamp(self._oldest / 1000, dt.UTC).date()
        return (
            f"{self._old:,} records are older than {self._topic} keeps them, the oldest of {day}: it keeps "
            f"{age(self._kept)} of event time (retention.ms={self._kept}), and Kafka deletes them soon. To keep what "
            f"is sent again: {alter_command(self._settings, self._topic, {'retention.ms': '-1'})}"
        )
