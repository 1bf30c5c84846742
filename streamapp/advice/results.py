"""The results of a join or of windows, told apart: which they are, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from streamapp.joins import Enriched, Join, Joined, Record, Row, Side, StreamStreamJoin, WindowedValue
from streamapp.measures.lateness import Place
from streamapp.windows.enrichment import Featured
from streamapp.windows.windowed import Windowed

__all__ = ["Locate", "Result", "What", "told"]

#: Returns where a record of a source is.
Locate = Callable[[int, int], Place | None]


class What(NamedTuple):
    """Which result it is: of which records, or of which key and window."""

    key: bytes | None
    places: tuple[Place | None, ...]
    start: int | None = None
    end: int | None = None


class Result(NamedTuple):
    """A result: what it is, what it says, and the records of streams that it is made of, by source."""

    what: What
    says: object
    records: tuple[tuple[int, Place], ...]
    #: Whether each side is there.
    complete: bool
    #: By how much (ms) the record was late, of which a result tells although it was.
    late_by: int = 0


def told(join: Join[Any], result: object, locate: Locate) -> Result:
    """Return what a result of a join is.

    Of pairs and of tables it is which records they are of; where records of one stream give a result each, it is which
    of these it is of, and what it says is which rows it got: so that another row makes it a changed one.
    """
    match result:
        case Joined(key=key, left=left, right=right, timestamp=timestamp):
            places = _place(left, Side.LEFT, locate), _place(right, Side.RIGHT, locate)
            complete = left is not None and right is not None
            tables = join.tables
            records = tuple((source, place) for source, place in enumerate(places) if place and source not in tables)
            if isinstance(join, StreamStreamJoin) or Side.LEFT in tables:
                return Result(What(key, places), timestamp, records, complete)
            row = None if right is None else right.value
            return Result(What(key, places[:1]), (timestamp, places[1], row), records[:1], complete)
        case Enriched(key=key, record=record, rows=rows, timestamp=timestamp):
            place = locate(0, record.offset)
            found = tuple(_place(each, n, locate) for n, each in enumerate(rows, 1))
            return Result(What(key, (place,)), (timestamp, found), _of(place), None not in rows)
        case Windowed(key=key, start=start, end=end):
            return Result(What(key, (), start, end), (result.values, result.final), (), complete=True)
        case WindowedValue(key=key, start=start, end=end, value=value):
            return Result(What(key, (), start, end), value, (), complete=True)
        case Featured(record=record, values=values, late_by=late_by):
            place = locate(0, record.offset)
            return Result(What(record.key, (place,)), values, _of(place), not late_by, late_by)
    raise TypeError(f"{type(result).__name__} is no result of a join or of windows")


def _of(place: Place | None) -> tuple[tuple[int, Place], ...]:
    return () if place is None else ((0, place),)


def _place(side: Record | Row | None, source: int, locate: Locate) -> Place | None:
    return None if side is None else locate(source, side.offset)
