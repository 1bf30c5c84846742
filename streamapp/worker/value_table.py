"""Faust's own tables, ``app.Table("counts", default=int)``, on our stores.

Faust (0.15.3) writes an entry to its store at once, to the changelog some time later, and acknowledges the event
whenever that is. Here what is written while an event is worked on waits until the event is acknowledged, and then goes
the way of all rows: a commit has both or neither (`streamapp.runtime.checkpoint`). Windows go by event time
(`streamapp.worker.value_windows`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import faust
from faust.streams import current_event
from faust.types import TP, CodecArg, EventT, ModelArg
from faust.types.windows import WindowRange, WindowT

from streamapp.joins.rows import Row
from streamapp.kafka.partitioner import partition_of
from streamapp.rate_limit import RateLimit
from streamapp.worker.table import Table
from streamapp.worker.value_windows import ValueWindows, WindowedKey

__all__ = ["ValueTable"]

logger = logging.getLogger(__name__)

#: Seconds between two log lines about late records of a table.
LATE_LOG_INTERVAL_S: Final = 60.0


class ValueTable(Table):
    """A table as Faust documents it: a mapping; an entry is in the partition of the event that it is set for."""

    def __post_init__(self) -> None:
        #: By the partition that they are of, what was written for events that are not acknowledged yet.
        self._unfinished: dict[TP, dict[bytes, Row | None]] = {}
        self._windows = ValueWindows(lambda: self.app.clock())  # type: ignore[attr-defined]  # of ours; set after this
        #: How many entries were not written since the start, since their window had expired.
        self.late = 0
        self._late_due = RateLimit(LATE_LOG_INTERVAL_S)

    def _serializer_from_type(self, typ: ModelArg | None) -> CodecArg:
        return faust.Table._serializer_from_type(self, typ)

    def key_forms(self, key: bytes) -> Sequence[bytes]:
        """Return the forms that a key which is given as text may have in the table: as it is, and as JSON."""
        text = key.decode(errors="surrogateescape")
        encoded = self.app.serializers.dumps_key(None, text, serializer=self.key_serializer)
        return (key,) if encoded is None else (key, encoded)

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key: of the event's partition, else of whichever has it, as Faust's stores do."""
        event = current_event()
        first = [] if event is None else [event.message.partition]
        for partition in dict.fromkeys([*first, *self.owned]):
            if (row := self._row(partition, key)) is not None:
                return row.value
        return None

    def _row(self, partition: int, key: bytes) -> Row | None:
        if key in (unfinished := self._written(partition)) or partition not in self.data.partitions:
            return unfinished.get(key)
        return self.data.partitions[partition].get(key)

    def _written(self, partition: int) -> dict[bytes, Row | None]:
        written = [rows for tp, rows in self._unfinished.items() if tp.partition == partition]
        return written[0] if len(written) == 1 else {key: row for rows in written for key, row in rows.items()}

    def put(self, key: bytes, value: bytes | None) -> None:
        """Write the value of a key; None deletes it, outside of a stream, where windows end, wherever it is."""
        event = current_event()
        if event is None and value is None:
            for number in self.owned:
                if self._row(number, key) is not None:
                    self.data.partitions[number].merge({key: None})
            return
        if event is not None and event.message.generation_id != self.app.consumer_generation_id:
            return  # its partition has been taken away: whoever has it now does this again
        partition = self.home(key)
        row = None if value is None else Row(value, self._time_of_row(partition, event))
        if event is None or self.use_partitioner:
            self.data.partitions[partition].merge({key: row})
        else:
            self._unfinished.setdefault(event.message.tp, {})[key] = row

    def _time_of_row(self, partition: int, event: EventT[Any] | None) -> int:
        """Return the time (ms) of a row that is written: of a window the event clock, which a restart goes on from."""
        if self.window is not None and (now := self._windows.clock(partition).now) is not None:
            return now
        return int((time.time() if event is None else event.message.timestamp) * 1000)

    def home(self, key: bytes) -> int:
        """Return the partition that a key is written to: the event's, or with ``use_partitioner`` the key's own.

        Raises:
            TypeError: outside of a stream.
            faust.exceptions.PartitionsMismatch: if the event's topic and the table have not equally many partitions.
        """
        partition = self.partition_for_key(key)
        if partition is not None:
            return partition
        counts: Mapping[str, int] = self.app.partition_counts  # type: ignore[attr-defined]  # of ours
        return partition_of(key, counts[self.changelog_topic_name])

    def entries(self) -> Iterator[tuple[bytes, bytes]]:
        """Go through the entries of the partitions that this worker owns."""
        for number in self.owned:
            unfinished = self._written(number).copy()
            rows = self.data.partitions[number].items()
            yield from ((key, row.value) for key, row in rows if key not in unfinished)
            yield from ((key, row.value) for key, row in unfinished.items() if row is not None)

    def on_key_set(self, key: WindowedKey, value: object) -> None:
        """Take note of a key that is set, for windows and sensors; Faust would send to the changelog here."""
        if self._should_expire_keys():
            self._windows.add(self.home(self.data._encode_key(key)), key)
        self._sensor_on_set(self, key, value)

    def on_key_del(self, key: WindowedKey) -> None:
        """Take note of a key that is removed."""
        if self._should_expire_keys():
            self._windows.discard(self.home(self.data._encode_key(key)), key)
        self._sensor_on_del(self, key)

    def _apply_window_op(
        self, op: Callable[[object, object], object], key: object, value: object, timestamp: float
    ) -> None:
        for window in self._open(key, timestamp):
            self._set_key((key, window), op(self._get_key((key, window)), value))

    def _set_windowed(self, key: object, value: object, timestamp: float) -> None:
        for window in self._open(key, timestamp):
            self._set_key((key, window), value)

    def _open(self, key: object, timestamp: float) -> Iterator[WindowRange]:
        """Return the windows of an event time (s) that have not expired: what they closed with stands."""
        self.app.ahead.wall.refresh()  # type: ignore[attr-defined]  # of ours
        for window in self._window_ranges(timestamp):
            partition = self.home(self.data._encode_key((key, window)))
            self._windows.clock(partition).advance(int(timestamp * 1000))
            if self._windows.expired(partition, cast(WindowT, self.window), window[1]):
                self._tell_late(partition, key, timestamp)
            else:
                yield window

    def _tell_late(self, partition: int, key: object, timestamp: float) -> None:
        self.late += 1
        if self._late_due.due(partition):
            behind = self._windows.clock(partition).time / 1000 - timestamp
            logger.warning(
                "Table %s: the window that %r at %.3f belongs to has expired: the records of partition %d are %.1f s "
                "further; it stays as it was (%d such writes so far); a longer expires=… would take them",
                self.name, key, timestamp, partition, behind, self.late,
            )  # fmt: skip

    def _relative_now(self, event: EventT[Any] | None = None) -> float:
        """Return the event time (s) of the event's partition, or the wall time outside of a stream."""
        event = current_event() if event is None else event
        return time.time() if event is None else self._windows.clock(event.message.partition).time / 1000

    async def _del_old_keys(self) -> None:
        """Delete the entries of windows that have expired, and call back for each; Faust calls it every so often."""
        for partition, key in list(self._windows.take(cast(WindowT, self.window))):
            encoded, rows = self.data._encode_key(key), self.data.partitions.get(partition)
            if encoded in self._written(partition):
                # It is written once more when its event is acknowledged: the next time.
                self._windows.add(partition, key)
            elif partition in self.owned and rows is not None and (row := rows.get(encoded)) is not None:
                rows.merge({encoded: None})
                await self.on_window_close(key, self.data._decode_value(row.value))

    async def on_recovery_completed(self, active_tps: set[TP], standby_tps: set[TP]) -> None:
        """Take note of the windows that were there before."""
        if self._should_expire_keys():
            for number, rows in self.data.partitions.items():
                entries = ((self._to_key(self.data._decode_key(key)), row.timestamp) for key, row in rows.items())
                self._windows.restore(number, entries)
        await super().on_recovery_completed(active_tps, standby_tps)

    def finish(self, tp: TP) -> None:
        """Take in what was written for an event of a partition, which is acknowledged now."""
        if (written := self._unfinished.pop(tp, None)) is not None:
            self.data.partitions[tp.partition].merge(written)

    async def on_rebalance(
        self, assigned: set[TP], revoked: set[TP], newly_assigned: set[TP], generation_id: int = 0
    ) -> None:
        """Forget what was written for events that are not acknowledged: they are read again."""
        self._unfinished.clear()
        await super().on_rebalance(assigned, revoked, newly_assigned, generation_id)
