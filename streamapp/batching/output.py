"""Batched output: the results of a batch go to their topic as record batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from faust.types import TP

from streamapp.murmur2 import murmur2

if TYPE_CHECKING:
    from streamapp.batching.batch import Batch, Record
    from streamapp.batching.refusals import RecordRefusedError

__all__ = ["Envelope", "Headers", "Origin", "Output", "Result", "Results", "Stamped", "partition_of", "partitions"]

Headers = list[tuple[str, bytes]]


class Stamped(Protocol):
    """What a result is sent with: a record of the input, or an `Envelope`."""

    @property
    def key(self) -> bytes | None:
        """The key."""
        ...

    @property
    def timestamp(self) -> int | None:
        """The event time (ms); None = that of sending."""
        ...

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]:
        """The headers, in order."""
        ...


#: A record, whose key, event time and headers the result gets, and the result's value.
Result = tuple[Stamped, bytes | None]


class Envelope(msgspec.Struct, gc=False):
    """Key, event time (ms; None = that of sending) and headers of a result that has not those of an input record."""

    key: bytes | None
    timestamp: int | None
    headers: Headers = []
    #: The record of the input that gave the result, or what an `Origin` finds it by: it goes to the dead letters if the
    #: broker refuses the result.
    source: Any = None
    #: Where that is from; None = from the partition that the batch is of.
    tp: TP | None = None


#: Finds the record that gave a result, and the topic that it is from; None = there is no such record.
Origin = Callable[[Stamped], tuple[str, Any] | None]


class Output:
    """A topic that results are sent to.

    Args:
        app: the app whose producer sends.
        topic: the topic's name.
    """

    def __init__(self, app: Any, topic: str) -> None:
        self._app = app
        self.topic = topic
        #: Records that the broker has acknowledged.
        self.sent = 0

    def send(
        self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False, origin: Origin | None = None
    ) -> None:
        """Send results, in this order, once the agent is done with the batch.

        The batch is committed after the broker has them. A result that the broker refuses, for instance for its size
        (the topic's ``max.message.bytes``), is not lost: the record that gave it goes to the dead letters.

        Args:
            batch: the batch they are of.
            results: each a record, whose key, event time and headers it gets, and a value.
            rekeyed: some have another key than their batch's records have, and are sent to the partitions of their
                keys. Otherwise, with as many partitions here as there, no key has to be hashed.
            origin: finds the record that gave a result; default: it is the one that the result is sent with, or the
                envelope's source.
        """
        if results:
            batch.work.results.append(Results(self, results, batch.tp, rekeyed, origin))

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> None:
        """Send the record that gave a result which the broker refuses to the dead letters.

        Args:
            result: the result.
            source: the partition of the record.
            record: the record; None = there is none that gave the result alone.
            error: what the broker says.
        """
        await self._app.dead_letters.instead_of(result, source, record, self.topic, error)


class Results(msgspec.Struct):
    """Results for one topic, from a batch of the partition `source`."""

    output: Output
    results: Sequence[Result]
    source: TP
    rekeyed: bool = False
    origin: Origin | None = None

    def delivered(self, count: int, offset: int) -> None:
        """Count results that the broker has."""
        self.output.sent += count

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        """Find another place for a result that the broker refuses."""
        stamped, source = result[0], self.source
        record: Any = stamped
        if isinstance(stamped, Envelope):
            record, source = stamped.source, stamped.tp or source
        if self.origin is not None:
            topic, record = self.origin(stamped) or (source.topic, None)
            source = TP(topic, source.partition)
        await self.output.refused(result, source, record, error)


def partitions(results: Sequence[Result], count: int) -> dict[int, list[Result]]:
    """Divide results by the partition of their keys, among `count`."""
    divided: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        divided[partition_of(result[0].key, count)].append(result)
    return divided


@lru_cache(maxsize=1 << 17)
def partition_of(key: bytes | None, count: int) -> int:
    """Give the partition of a key, as Java's default partitioner does; a null key goes to the first one."""
    return 0 if key is None else (murmur2(key) & 0x7FFFFFFF) % count
