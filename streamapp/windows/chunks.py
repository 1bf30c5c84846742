"""Batches in chunks: where nothing special becomes of any record of one, they are put in together, by columns."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Final, NamedTuple

from streamapp.joins.clock import Clock
from streamapp.joins.records import Batch, Record
from streamapp.windows.aggregate import Value
from streamapp.windows.fields import CheckedFields, JsonFields

__all__ = ["Chunk", "chunks", "together"]

#: Records that are put in together, at least and at most.
TOGETHER_LEAST: Final = 16
TOGETHER_MOST: Final = 1_000

_KEY: Final = operator.attrgetter("key")
_TIME: Final = operator.attrgetter("timestamp")


class Chunk(NamedTuple):
    """Records, their keys and times (ms), the values of each field of them, and the time of the latest."""

    records: Sequence[Record]
    keys: Sequence[bytes]
    times: Sequence[int]
    columns: Sequence[Sequence[Value]]
    latest: int


def chunks(batch: Batch) -> Iterator[Sequence[tuple[int, Record]]]:
    """Cut a batch into chunks."""
    records = iter(batch)
    while some := list(itertools.islice(records, TOGETHER_MOST)):
        yield some


def together(
    some: Sequence[tuple[int, Record]],
    fields: JsonFields | CheckedFields,
    clock: Clock,
    in_time: Callable[[int, int], bool],
) -> Chunk | None:
    """Return a chunk by columns; None = its records are to be looked at one by one.

    Args:
        some: the records.
        fields: what is taken of them; none may be refused, or without a key or a value.
        clock: none of them may be ahead of its wall clock.
        in_time: whether records are in time of which these are the earliest and the latest times (ms).
    """
    if len(some) < TOGETHER_LEAST:
        return None
    records = [record for _, record in some]
    times = list(map(_TIME, records))
    latest = max(times)
    if latest > clock.wall.limit or not in_time(min(times), latest):
        return None
    keys = list(map(_KEY, records))
    if not all(keys) or (columns := fields.columns(records)) is None:
        return None
    return Chunk(records, keys, times, columns, latest)
