"""Lineage: headers of a result that name the records which it is made of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from faust.types import TP

from streamapp.explain.evidence import Match
from streamapp.joins import Enriched, Joined, Record, Row
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.record import Headers

__all__ = ["Lineage"]


class Lineage:
    """Makes the headers, and reads them: ``left_topic``, ``left_partition``, ``left_offset``, and ``right_…`` so.

    A result of a record and the rows of several tables has those of ``record``, ``row1``, ``row2`` and so on. A side
    that is missing has none, nor has a row of which it is not known where it is from: of a global table, or one that an
    earlier version wrote.
    """

    def __init__(self, topics: Mapping[int, str]) -> None:
        self._topics = {source: topic.encode() for source, topic in topics.items()}
        self._sides = ("left", "right") if len(topics) < 3 else ("record", *(f"row{n}" for n in range(1, len(topics))))

    def headers(self, result: object, partition: int) -> Headers:
        """Return the headers of a result of this partition."""
        found: Headers = []
        for source, side in enumerate(_sides(result)):
            if side is not None and side.offset >= 0 and source in self._topics:
                name, where = self._sides[source], getattr(side, "partition", partition)
                found += [
                    (f"{name}_topic", self._topics[source]),
                    (f"{name}_partition", b"%d" % where),
                    (f"{name}_offset", b"%d" % side.offset),
                ]
        return found

    def read(self, found: Logged, record: Logged) -> Match | None:
        """Return what a record was joined with if a result names it and the others; None = it does not."""
        places, this = list(self._places(found.named)), (record.tp, record.offset)
        if this not in places or len(places) < len(self._sides):
            return None
        return Match([place for place in places if place != this])

    def _places(self, headers: Mapping[str, bytes]) -> Iterator[tuple[TP, int]]:
        for name in self._sides:
            if f"{name}_offset" in headers:
                topic, partition, offset = (headers[f"{name}_{part}"] for part in ("topic", "partition", "offset"))
                yield TP(topic.decode(), int(partition)), int(offset)


def _sides(result: object) -> tuple[Record | Row | None, ...]:
    if isinstance(result, Enriched):
        return (result.record, *result.rows)
    return (result.left, result.right) if isinstance(result, Joined) else ()
