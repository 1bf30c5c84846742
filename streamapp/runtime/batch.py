"""A batch: the records of one partition that one fetch brought, handed to an agent as a whole."""

from __future__ import annotations

import copy
import itertools
import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Final, Self, cast

import faust
from faust.types import TP, AppT, ConsumerMessage, Message

from streamapp.joins.corrections import HEADER
from streamapp.kafka.record import Record
from streamapp.kafka.unreadable import Readable
from streamapp.runtime.work import Work

__all__ = ["Batch", "BatchSchema", "Merged", "message_of"]

HEADERS: Final = operator.attrgetter("headers")


class Batch:
    """Records of one partition, at least one, in the order of their offsets: iterable, sized, with columns."""

    def __init__(self, tp: TP, records: Sequence[Record], work: Work | None = None) -> None:
        self.tp = tp
        self.records = records
        #: Results and table changes, shared by the parts that the batch is cut into.
        self.work = work or Work()
        #: The partitions whose records the agents get together with these, this one among them.
        self.round: frozenset[TP] = frozenset((tp,))
        #: Event times (ms) for the order among records of other partitions, where they are not the records' own.
        self.places: Sequence[int] | None = None

    @property
    def topic(self) -> str:
        """Name of the topic the records are from."""
        return self.tp.topic

    @property
    def partition(self) -> int:
        """Number of the partition the records are from."""
        return self.tp.partition

    @cached_property
    def keys(self) -> list[bytes | None]:
        """The records' keys."""
        return [record.key for record in self.records]

    @cached_property
    def values(self) -> list[bytes | None]:
        """The records' values, as they came."""
        return [record.value for record in self.records]

    @cached_property
    def headed(self) -> bool:
        """Whether any record has headers."""
        return any(map(HEADERS, self.records))

    @cached_property
    def redriven(self) -> bool:
        """Whether any record is a redriven one."""
        return self.headed and any(one.headers[0][0] == HEADER for one in self.records if one.headers)

    @cached_property
    def timestamps(self) -> list[int]:
        """The records' event times (ms)."""
        return [record.timestamp for record in self.records]

    @cached_property
    def latest(self) -> int:
        """The largest of the records' event times (ms)."""
        return max(self.timestamps)

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def part(self, start: int, stop: int) -> Batch:
        """Return the records ``start <= number < stop``, with the same work."""
        part = Batch(self.tp, self.records[start:stop], self.work)
        part.places = None if self.places is None else self.places[start:stop]
        return part

    def some(self, numbers: Sequence[int]) -> Self:
        """Return some of the records, by their places in the batch, with the same work."""
        other = copy.copy(self)
        for column in ("keys", "values", "headed", "redriven", "timestamps", "latest"):
            vars(other).pop(column, None)
        other.records = [self.records[number] for number in numbers]
        other.places = None if self.places is None else [self.places[number] for number in numbers]
        return other

    def anew(self) -> Batch:
        """Return the same records, and the columns that were looked at, with work of their own."""
        other = copy.copy(self)
        other.work = Work()
        return other

    def halves(self) -> tuple[Batch, Batch]:
        """Cut the batch in two, to find the record that an agent fails on."""
        middle = len(self.records) // 2
        return self.part(0, middle), self.part(middle, len(self.records))

    def source(self, number: int) -> TP:
        """Return the partition that a record is from, by its place in the batch."""
        return self.tp

    def by_partition(self) -> list[Batch]:
        """Return the records of each partition, with the same work."""
        return [self]

    def message(self, generation: int) -> ConsumerMessage:
        """Return the Faust message that stands for the batch in a generation: its offset is the last record's."""
        last = self.records[-1]
        value = cast(bytes, self)  # what Faust calls the value may be anything
        time_s = last.timestamp / 1000
        return ConsumerMessage(
            *self.tp, last.offset, time_s, 0, [], None, value, None, 0, 0, self.tp, generation_id=generation
        )

    def __repr__(self) -> str:
        return f"<Batch of {len(self)} from {self.topic}[{self.partition}]>"


class Merged(Batch):
    """Records of several partitions, in the order in which they are to be joined.

    The partitions have the same number and are of several topics, or are all those of one topic (`BatchSchema.whole`).

    Args:
        sources: for each record, the place of its partition among `tps`.
        records: the records; there may be none, for what is due by the wall clock.
        work: what is done with the batch, shared by the parts it is cut into.
    """

    def __init__(
        self, tps: Sequence[TP], sources: Sequence[int], records: Sequence[Record], work: Work | None = None
    ) -> None:
        super().__init__(tps[0], records, work)
        self.tps = tps
        self.sources = sources

    @classmethod
    def of(cls, tps: Sequence[TP], batches: Sequence[Batch]) -> Merged:
        """Merge batches by event time: at equal times that of the partition goes first which is earlier in `tps`."""
        if len(batches) == 1:
            (batch,) = batches
            return cls(tps, [tps.index(batch.tp)] * len(batch), batch.records)
        numbered = sorted(((tps.index(batch.tp), batch) for batch in batches), key=operator.itemgetter(0))
        # By the latest time so far in its partition: an older record that follows it goes right after it.
        placed = [batch.timestamps if batch.places is None else batch.places for _, batch in numbered]
        times = [time for places in placed for time in itertools.accumulate(places, max)]
        sources = [number for number, batch in numbered for _ in batch]
        records = [record for _, batch in numbered for record in batch]
        order = sorted(range(len(times)), key=times.__getitem__)
        return cls(tps, [sources[place] for place in order], [records[place] for place in order])

    def source(self, number: int) -> TP:
        """Return the partition that a record is from, by its place in the batch."""
        return self.tps[self.sources[number]]

    def some(self, numbers: Sequence[int]) -> Self:
        """Return some of the records, by their places in the batch, with the same work."""
        other = super().some(numbers)
        other.sources = [self.sources[number] for number in numbers]
        return other

    def by_partition(self) -> list[Batch]:
        """Return the records of each partition, with the same work."""
        records: dict[int, list[Record]] = {}
        for source, record in zip(self.sources, self.records, strict=True):
            records.setdefault(source, []).append(record)
        return [Batch(self.tps[source], some, self.work) for source, some in records.items()]

    def part(self, start: int, stop: int) -> Merged:
        """Return the records ``start <= number < stop``, with the same work."""
        return Merged(self.tps, self.sources[start:stop], self.records[start:stop], self.work)


class BatchSchema(faust.Schema):  # type: ignore[type-arg]
    """Marks a topic whose agents want batches, and hands the batches on as they are.

    Args:
        after: names of topics that this one is joined with: of two records in partitions with the same number, the
            one with the smaller event time is processed first, and at equal times that of a topic named here.
        merged: the agent gets the records of all its topics together, in the order of their event times; at equal
            times those of a topic that is named earlier are first.
        whole: the partitions of each topic go together, as far as this worker has them; only together with `merged`,
            and of a topic that is joined itself only with `after`.
        ordered: whether partitions that go together do so in the order of event times; otherwise all that is at hand
            goes, and nothing is waited for: only together with `whole`, and of a topic that is joined with none.
        tick: seconds after which the agent gets a batch without records for each partition of which none waits; None =
            never. Only together with `merged`.
    """

    def __init__(
        self,
        *,
        after: Iterable[str] = (),
        merged: bool = False,
        whole: bool = False,
        ordered: bool = True,
        tick: float | None = None,
    ) -> None:
        super().__init__()
        self.after = tuple(after)
        self.merged = merged
        self.whole = whole
        self.ordered = ordered
        self.tick = tick
        #: Called with each batch that begins to wait for its agent.
        self.ahead: list[Callable[[Batch], None]] = []

    def loads_key(self, app: AppT, message: Message, **kwargs: object) -> None:
        """Return no key: each record of a batch has its own."""

    def loads_value(self, app: AppT, message: Message, **kwargs: object) -> Batch:
        """Return the batch."""
        return cast(Batch, message.value)


def message_of(tp: TP, record: Readable, generation: int) -> ConsumerMessage:
    """Return the Faust message of a single record: aiokafka's reader does not tell where it is from."""
    return ConsumerMessage(
        *tp,
        record.offset,
        record.timestamp / 1000,
        record.timestamp_type,
        record.headers,
        record.key,
        record.value,
        record.checksum,
        -1 if record.key is None else len(record.key),
        -1 if record.value is None else len(record.value),
        tp,
        generation_id=generation,
    )
