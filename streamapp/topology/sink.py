"""The sink of a join: makes records of its results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from streamapp.explain.lineage import Lineage
from streamapp.formats.content import are_of_another, headers_of_result
from streamapp.joins import Enriched, Event, Joined, Record, Row, Side, WindowedValue
from streamapp.joins.records import Buffered
from streamapp.kafka.record import Envelope, Headers, Result, Stamped
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import Output
from streamapp.topology.copies import HEADER, without_mark
from streamapp.topology.corrections import marks_of, with_marks
from streamapp.windows.aggregate import Value
from streamapp.windows.enrichment import Featured
from streamapp.windows.gathering import Gathered

__all__ = ["NO_HEADERS", "MakeValue", "Sink", "json_value", "record_of", "stamped"]

R = TypeVar("R")
#: Makes the value of a result: bytes, None (a tombstone), or what becomes JSON.
MakeValue = Callable[[Value], object]

#: What a side of a result may be that is no record as it came: such have no headers.
WITHOUT_HEADERS: Final = frozenset({type(None), Row, Buffered, Event})
#: The results that are a record with something.
WITH_RECORD: Final = frozenset({Enriched, Featured, Gathered})
#: One list for all results without headers: a new one for each would be more work for the garbage collector.
NO_HEADERS: Final[Headers] = []
_encode = msgspec.json.Encoder().encode


def json_value(result: object) -> bytes | None:
    """Return a result as JSON, from values that are JSON; they are not parsed.

    A `Joined` is ``{"left": …, "right": …}``, an `Enriched` ``{"record": …, "rows": […]}``, a `WindowedValue` has
    ``start``, ``end`` and ``value``.
    """
    if type(result) is Joined:
        left, right = result.left, result.right
        if left is None and right is None:
            return None
        return b'{"left":%b,"right":%b}' % (
            b"null" if left is None or left.value is None else left.value,
            b"null" if right is None or right.value is None else right.value,
        )
    if type(result) is Enriched:
        return b'{"record":%b,"rows":[%b]}' % (_json(result.record), b",".join(map(_json, result.rows)))
    if type(result) is WindowedValue:
        return _encode({"start": result.start, "end": result.end, "value": result.value})
    return _encode(result)


def _json(side: Record | Row | None) -> bytes:
    return b"null" if side is None or side.value is None else side.value


@dataclasses.dataclass(eq=False)
class Sink(Generic[R]):
    """Sends the results of a join to a topic."""

    output: Output
    value: MakeValue | None = None
    _: dataclasses.KW_ONLY
    #: Makes headers that name what a result is made of; None = there are none.
    lineage: Lineage | None = None
    #: The topic of each source: a record goes to the dead letters if the broker refuses its result.
    topics: Mapping[int, str] = dataclasses.field(default_factory=dict)

    @property
    def outputs(self) -> list[Output]:
        """The topics that it sends to."""
        return [self.output]

    def send(self, batch: Batch, results: Sequence[R]) -> None:
        """Send results of a batch once the agent is done with it."""
        value: MakeValue = json_value if self.value is None else self.value
        records: list[Result] = []
        for result in results:
            made = value(result)
            if made is not None and type(made) is not bytes:
                made = _encode(made)
            records.append((stamped(result), made))
        if (lineage := self.lineage) is not None:
            made_of = [lineage.headers(result, batch.partition) for result in results]
            records = [(_with(record, headers), made) for (record, made), headers in zip(records, made_of, strict=True)]
        if marks := marks_of(results):
            marked = [marks.get(id(result), ()) for result in results]
            records = [(with_marks(record, own), made) for (record, made), own in zip(records, marked, strict=True)]
        self.output.send(batch, records, origin=self._origin)

    def _origin(self, sent: Stamped) -> tuple[str, Record] | None:
        """Find the record that gave a result: that of the left side, if there is one."""
        result: object = sent.source if isinstance(sent, Envelope) else sent
        side, found = Side.LEFT, result
        if type(result) is Joined:
            side, found = (Side.LEFT, result.left) if result.left is not None else (Side.RIGHT, result.right)
        elif type(result) in WITH_RECORD:
            found = cast(Enriched, result).record
        if found is None or side not in self.topics or getattr(found, "offset", -1) < 0:
            return None  # it is made of many, or of a row that does not tell
        if type(found) is Row:
            found = Event(sent.key, found.value, found.timestamp, found.offset)
        return self.topics[side], cast(Record, found)


def stamped(result: Value) -> Stamped:
    """Return what a result is stamped with: the stream record that it is of, with its headers, or an envelope."""
    kind = type(result)
    record: Any = result.left if kind is Joined else result.record if kind in WITH_RECORD else None
    if type(record) in WITHOUT_HEADERS or record.timestamp != result.timestamp:
        return Envelope(result.key, result.timestamp, NO_HEADERS, result)
    if record.headers and (own := _own(record.headers)) is not None:
        return Envelope(result.key, result.timestamp, own, result)
    return cast(Stamped, record)


def record_of(result: Value) -> Record | None:
    """Return the stream record that a result is of; None = it is made of many, or of rows."""
    kind = type(result)
    record: Any = result.left if kind is Joined else result.record if kind in WITH_RECORD else None
    return None if type(record) is Row or getattr(record, "offset", -1) < 0 else cast(Record, record)


def _own(headers: Sequence[tuple[str, bytes]]) -> Headers | None:
    """Return the headers of a result that is made of a record with these; None = the same."""
    if are_of_another(headers):
        return headers_of_result(without_mark(headers))
    return list(headers[:-1]) if headers[-1][0] == HEADER else None


def _with(record: Stamped, headers: Headers) -> Envelope:
    """Put headers before those of a result."""
    source = record.source if isinstance(record, Envelope) else record
    return Envelope(record.key, record.timestamp, [*headers, *record.headers], source)
