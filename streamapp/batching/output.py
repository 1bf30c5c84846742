"""Batched output: the results of a batch go to their topic as record batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from faust.types import TP

from streamapp.murmur2 import murmur2

if TYPE_CHECKING:
    from streamapp.batching.batch import Batch, Record

__all__ = ["Envelope", "Headers", "Output", "Result", "Results", "Stamped", "partition_of", "partitions"]

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
    #: The record of the input that gave the result: it goes to the dead letters if the topic refuses the result.
    source: Record | None = None
    #: Where that is from; None = from the partition that the batch is of.
    tp: TP | None = None


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

    def send(self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False) -> None:
        """Send results, in this order, once the agent is done with the batch.

        The batch is committed after the broker has them. A result that the topic refuses for its size (its
        ``max.message.bytes``) is not lost: the record that gave it goes to the dead letters.

        Args:
            batch: the batch they are of.
            results: each a record, whose key, event time and headers it gets, and a value.
            rekeyed: some have another key than their batch's records have, and are sent to the partitions of their
                keys. Otherwise, with as many partitions here as there, no key has to be hashed.
        """
        if results:
            batch.work.results.append(Results(self, results, batch.tp, rekeyed))

    async def refused(self, result: Result, source: TP) -> None:
        """Send the record that gave a result which the topic refuses for its size to the dead letters."""
        await self._app.dead_letters.instead_of(result, source, self.topic)


class Results(msgspec.Struct):
    """Results for one topic, from a batch of the partition `source`."""

    output: Output
    results: Sequence[Result]
    source: TP
    rekeyed: bool = False

    def delivered(self, count: int, offset: int) -> None:
        """Count results that the broker has."""
        self.output.sent += count

    async def refused(self, result: Result) -> None:
        """Find another place for a result that the topic refuses for its size."""
        await self.output.refused(result, self.source)


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
