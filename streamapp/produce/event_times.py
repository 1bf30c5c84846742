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
    """Counts the records that their topic will delete for their age.

    Args:
        settings: where the broker is.
        topic: full name of the topic, which exists.

    Raises:
        ClusterError: if the broker cannot be reached.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._topic = topic
        found, _ = Cluster(settings).configs([topic])
        self._config = found.get(topic, {})
        kept = retention_ms(self._config)
        #: The earliest time (ms) of records that are kept; None = all are.
        self._since = None if kept is None else time.time_ns() // 1_000_000 - kept
        self._count = self._old = 0
        self._oldest: int | None = None

    def count(self, timestamp: int | None) -> None:
        """Count a record with an event time (ms); None = it has none of its own."""
        if timestamp is None:
            return
        self._count += 1
        if self._since is not None and timestamp < self._since:
            self._old += 1
            self._oldest = timestamp if self._oldest is None else min(self._oldest, timestamp)

    @property
    def warning(self) -> str:
        """What becomes of the event times, in one line; empty = nothing that was not asked for."""
        if self._count and appends_time(self._config):
            return (
                f"{self._topic} has message.timestamp.type=LogAppendTime: the event times of {self._count:,} records "
                "are not kept, but those at which the broker appended them"
            )
        kept = retention_ms(self._config)
        if self._oldest is None or kept is None:
            return ""
        day = dt.datetime.fromtimestamp(self._oldest / 1000, dt.UTC).date()
        return (
            f"{self._old:,} records are older than {self._topic} keeps them, the oldest of {day}: it keeps {age(kept)} "
            f"of event time (retention.ms={kept}), and Kafka deletes them soon. To keep what is sent again: "
            f"{alter_command(self._settings, self._topic, {'retention.ms': '-1'})}"
        )
