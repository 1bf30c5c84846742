"""The sink of a join: makes records of its results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Generic, TypeVar, cast

import msgspec

from streamapp.batching.batch import Batch
from streamapp.batching.content import Content, content_of, content_type, headers_of_result
from streamapp.batching.output import Envelope, Headers, Output, Result, Stamped
from streamapp.joins import Enriched, Event, Joined, Record, Row, Side, WindowedValue
from streamapp.joins.records import Buffered
from streamapp.topology.lineage import Lineage

__all__ = ["NO_HEADERS", "Sink", "json_value"]

R = TypeVar("R")

#: What a side of a result may be that is no record as it came: such have no headers.
WITHOUT_HEADERS: Final = frozenset({type(None), Row, Buffered, Event})
#: One list for all results without headers: a new one for each would be more work for the garbage collector.
NO_HEADERS: Final[Headers] = []
NO_TOPICS: Final[Mapping[int, str]] = MappingProxyType({})
_encode = msgspec.json.Encoder().encode


class Sink(Generic[R]):
    """Sends the results of a join to a topic.

    Args:
        output: the topic.
        value: makes the value of a result: bytes, None (a tombstone), or what becomes JSON; default: `json_value`.
        rekeyed: whether results have other keys than the records that gave them.
        lineage: makes headers that name what a result is made of; None = there are none.
        topics: the topic of each source: a record goes to the dead letters if the broker refuses its result.
    """

    def __init__(
        self,
        output: Output,
        value: Callable[[R], Any] | None = None,
        *,
        rekeyed: bool = False,
        lineage: Lineage | None = None,
        topics: Mapping[int, str] = NO_TOPICS,
    ) -> None:
        self.output = output
        self.lineage = lineage
        self._topics = topics
        self._value: Callable[[Any], Any] = json_value if value is None else value
        self._rekeyed = rekeyed

    @property
    def outputs(self) -> list[Output]:
        """The topics that it sends to."""
        return [self.output]

    def send(self, batch: Batch, results: Sequence[R]) -> None:
        """Send results of a batch once the agent is done with it."""
        value = self._value
        records: list[Result] = []
        for result in results:
            made = value(result)
            if made is not None and type(made) is not bytes:
                made = _encode(made)
            records.append((_stamped(result), made))
        if (lineage := self.lineage) is not None:
            made_of = [lineage.headers(result, batch.partition) for result in results]
            records = [(_with(record, headers), made) for (record, made), headers in zip(records, made_of, strict=True)]
        self.output.send(batch, records, rekeyed=self._rekeyed, origin=self._origin)

    def _origin(self, stamped: Stamped) -> tuple[str, Record] | None:
        """Find the record that gave a result: that of the left side, if there is one."""
        result: Any = stamped.source if isinstance(stamped, Envelope) else stamped
        side, found = Side.LEFT, result
        if type(result) is Joined:
            side, found = (Side.LEFT, result.left) if result.left is not None else (Side.RIGHT, result.right)
        elif type(result) is Enriched:
            found = result.record
        if found is None or side not in self._topics or getattr(found, "offset", -1) < 0:
            return None  # it is made of many, or of a row that does not tell
        if type(found) is Row:
            found = Event(result.key, found.value, found.timestamp, found.offset)
        return self._topics[side], found


def json_value(result: Any) -> bytes | None:
    """Give a result as JSON, from values that are JSON; they are not parsed.

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


def _stamped(result: Any) -> Stamped:
    """Give what a result is stamped with: the stream record that it is of, with its headers, or an envelope."""
    kind = type(result)
    record: Any = result.left if kind is Joined else result.record if kind is Enriched else None
    if type(record) in WITHOUT_HEADERS or record.timestamp != result.timestamp:
        return Envelope(result.key, result.timestamp, NO_HEADERS, result)
    if record.headers and content_of(content_type(record.headers)) is Content.EVENT:
        return Envelope(result.key, result.timestamp, headers_of_result(record.headers), result)
    return cast(Stamped, record)


def _with(record: Stamped, headers: Headers) -> Envelope:
    """Put headers before those of a result."""
    source: Any = record.source if isinstance(record, Envelope) else record
    return Envelope(record.key, record.timestamp, [*headers, *record.headers], source)
