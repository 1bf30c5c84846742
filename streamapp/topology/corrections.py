"""Which results of a join are corrections: those that redriven records are a part of.

A result has the mark of such a record as its first header, whatever else it is made of. The join need not know: it
may keep a record for long until it is joined, and then has its place only. So the marks of those that it may keep are a
part of its state, until the clock is past what they can give.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar

import msgspec

from streamapp.functions.context import Emitted
from streamapp.joins import Enriched, Joined, Output, Reason, Record, SideOutput, State, WindowedValue, ordering
from streamapp.joins.corrections import HEADER, decoded_mark, mark_of
from streamapp.kafka.record import Envelope, Headers, Stamped
from streamapp.runtime.batch import Batch, Merged
from streamapp.windows.windowed import Windowed

__all__ = [
    "SECTION",
    "Corrected",
    "Corrections",
    "Joining",
    "joined_outputs",
    "marks_of",
    "meant_for",
    "parts",
    "unaddressed",
    "with_marks",
]

R = TypeVar("R")
B = TypeVar("B", bound=Batch)

#: The part of the state with the marks.
SECTION: Final = b"~redriven/"
#: The results of windows, which have no records any more.
IN_WINDOWS: Final = frozenset({Windowed, WindowedValue})
NO_MARKS: Final[Mapping[int, Headers]] = MappingProxyType({})


class Taken(msgspec.Struct, frozen=True, array_like=True):
    """A redriven record that a join has taken in."""

    source: int
    offset: int
    key: bytes | None
    timestamp: int
    mark: bytes


class Corrected(list[R]):
    """Results, some of which are corrections: these have the marks of the records that they are made of."""

    def __init__(self, results: Iterable[R], marks: Mapping[int, Headers]) -> None:
        super().__init__(results)
        #: By `id` of the result, which lives as long as this list does.
        self.marks = marks


def marks_of(results: Sequence[R]) -> Mapping[int, Headers]:
    """Return the marks of results, by their `id`; most have none."""
    return results.marks if isinstance(results, Corrected) else NO_MARKS


def with_marks(record: Stamped, marks: Sequence[tuple[str, bytes]]) -> Stamped:
    """Return what a result is stamped with, and before its headers the marks; the same if there are none."""
    if not marks:
        return record
    own = [one for one in record.headers if one[0] != HEADER]
    source, tp = (record.source, record.tp) if isinstance(record, Envelope) else (record, None)
    return Envelope(record.key, record.timestamp, [*marks, *own], source, tp)


def unaddressed(headers: Sequence[tuple[str, bytes]]) -> Sequence[tuple[str, bytes]]:
    """Return the headers of a record with its mark, if it has one, as that of a result: for whoever reads it."""
    if not headers or headers[0][0] != HEADER or (mark := decoded_mark(headers[0][1])) is None:
        return headers
    return [mark.header_of_result(), *headers[1:]]


class Titled(Protocol):
    """A join of the app."""

    @property
    def title(self) -> str:
        """What messages call it, and marks."""


class Joining(Protocol):
    """An app with joins."""

    @property
    def joins(self) -> Sequence[Titled]:
        """All of them."""


def meant_for(batch: B, joins: Iterable[Titled], title: str = "") -> B:
    """Return a batch without the redriven records that are for other joins: this one has them as they came first.

    Args:
        batch: the batch.
        joins: those of the app. A record for none of them is for all: the join may have had another name before.
        title: of the join that gets the batch; empty = it is an agent that is none.
    """
    if not batch.redriven:
        return batch
    others = {join.title for join in joins} - {title}
    marks = [decoded_mark(mark_of(record)) for record in batch.records]
    mine = [number for number, mark in enumerate(marks) if mark is None or mark.join not in others]
    return batch if len(mine) == len(batch) else batch.some(mine)


def parts(batch: Merged) -> Iterator[tuple[Merged, bool]]:
    """Divide a batch, so that each redriven record is by itself; and whether it is one."""
    begin = 0
    for number, record in enumerate(batch.records):
        if mark_of(record) is not None:
            if begin < number:
                yield batch.part(begin, number), False
            yield batch.part(number, number + 1), True
            begin = number + 1
    if begin < len(batch):
        yield batch.part(begin, len(batch)), False


def joined_outputs(outputs: Iterable[Output[R]]) -> Output[R]:
    """Return what several outputs of one batch come to."""
    results: list[R] = []
    sides: list[SideOutput] = []
    marks: dict[int, Headers] = {}
    for output in outputs:
        results += output.results
        sides += output.side_outputs
        marks.update(marks_of(output.results))
    return Output(Corrected(results, marks) if marks else results, sides)


class Corrections:
    """The marks of a partition of a join.

    Args:
        state: the part of the join's state that they are in.
        waiting: how far (ms) the clock may go past a record until none of its results is to come.
        tables: the sources whose records are rows of a table: what they do not give at once is no correction.
    """

    def __init__(self, state: State, waiting: int, tables: frozenset[int]) -> None:
        self._state = state
        self._waiting = waiting
        self._tables = tables
        self._marks = {(mark.source, mark.offset): mark for mark in (_decode(row) for _, row in state.scan())}
        #: The record that is being taken in, of which all results come at once.
        self._alone: Taken | None = None

    def __bool__(self) -> bool:
        return self._alone is not None or bool(self._marks)

    def take(self, source: int, record: Record) -> None:
        """Take note of a redriven record, which is to be taken in next, and by itself."""
        if (mark := decoded_mark(mark_of(record))) is None:
            return
        found = Taken(source, record.offset, record.key, record.timestamp, mark.header_of_result()[1])
        if source in self._tables or not self._waiting:
            self._alone = found
        else:
            self._marks[source, record.offset] = found
            self._state.put(_row_of(found), _encode(found))

    def settle(self, output: Output[R], clock: int) -> Output[R]:
        """Return the output of a join with the marks of its results, and forget those that are over by a time (ms)."""
        marks = {id(result): headers for result in output.results if (headers := self._headers(result))}
        self._alone = None
        for side in output.side_outputs:
            if side.reason is not Reason.PARTLY_LATE:
                self._forget(side.side, side.record.offset)
        for mark in [one for one in self._marks.values() if one.timestamp + self._waiting < clock]:
            self._forget(mark.source, mark.offset)
        return Output(Corrected(output.results, marks), output.side_outputs) if marks else output

    def _forget(self, source: int, offset: int) -> None:
        if (mark := self._marks.pop((source, offset), None)) is not None:
            self._state.delete(_row_of(mark))

    def _headers(self, result: object) -> Headers:
        found = dict.fromkeys(mark.mark for mark in self._of(result))
        return [(HEADER, mark) for mark in found]

    def _of(self, result: Any) -> Iterator[Taken]:
        if self._alone is not None and (not isinstance(result, Emitted) or result.record.offset == self._alone.offset):
            yield self._alone
        if type(result) in IN_WINDOWS:
            for mark in self._marks.values():
                if mark.key == result.key and result.start <= mark.timestamp <= result.timestamp:
                    yield mark
        else:
            for place in _places(result):
                if place in self._marks:
                    yield self._marks[place]


def _places(result: Any) -> Iterator[tuple[int, int]]:
    """Go through the sources and offsets of the records that a result is made of."""
    if isinstance(result, Joined):
        sides: Sequence[Any] = (result.left, result.right)
    elif isinstance(result, Enriched):
        sides = (result.record, *result.rows)
    else:
        sides = ()
    for source, side in enumerate(sides):
        if side is not None:
            yield source, getattr(side, "offset", -1)


def _row_of(mark: Taken) -> bytes:
    return ordering.number(mark.source) + ordering.number(mark.offset)


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(Taken).decode
