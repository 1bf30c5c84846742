"""Faust's own tables, ``app.Table("counts", default=int)``, on our stores.

Faust (0.15.3) writes an entry to its store at once, to the changelog some time later, and acknowledges the event
whenever that is. Here what is written while an event is worked on waits until the event is acknowledged, and then goes
the way of all rows: a commit has both or neither (`streamapp.runtime.checkpoint`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

import faust
from faust.streams import current_event
from faust.types import TP, CodecArg, ModelArg

from streamapp.joins.rows import Row
from streamapp.kafka.partitioner import partition_of
from streamapp.worker.table import Table

__all__ = ["ValueTable"]


class ValueTable(Table):
    """A table as Faust documents it: a mapping; an entry is in the partition of the event that it is set for."""

    def __post_init__(self) -> None:
        #: By the partition that they are of, what was written for events that are not acknowledged yet.
        self._unfinished: dict[TP, dict[bytes, Row | None]] = {}

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
        for partition in dict.fromkeys([*first, *self._owned()]):
            if (row := self._row(partition, key)) is not None:
                return row.value
        return None

    def _owned(self) -> list[int]:
        is_active = self.app.assignor.is_active
        return [number for number in self.data.partitions if is_active(TP(self.changelog_topic_name, number))]

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
            for number in self._owned():
                if self._row(number, key) is not None:
                    self.data.partitions[number].merge({key: None})
            return
        if event is not None and event.message.generation_id != self.app.consumer_generation_id:
            return  # its partition has been taken away: whoever has it now does this again
        at_s = time.time() if event is None else event.message.timestamp
        row = None if value is None else Row(value, int(at_s * 1000))
        partition = self.home(key)
        if event is None or self.use_partitioner:
            self.data.partitions[partition].merge({key: row})
        else:
            self._unfinished.setdefault(event.message.tp, {})[key] = row

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
        for number in self._owned():
            unfinished = self._written(number).copy()
            rows = self.data.partitions[number].items()
            yield from ((key, row.value) for key, row in rows if key not in unfinished)
            yield from ((key, row.value) for key, row in unfinished.items() if row is not None)

    def on_key_set(self, key: object, value: object) -> None:
        """Take note of a key that is set, for windows and sensors; Faust would send to the changelog here."""
        self._maybe_set_key_ttl(key, self.home(self.data._encode_key(key)))
        self._sensor_on_set(self, key, value)

    def on_key_del(self, key: object) -> None:
        """Take note of a key that is removed."""
        self._maybe_del_key_ttl(key, self.home(self.data._encode_key(key)))
        self._sensor_on_del(self, key)

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
