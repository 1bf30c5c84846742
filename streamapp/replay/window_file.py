"""A file of JSON lines in windows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from streamapp.joins import Balance, Driver, Event, Output, SideOutput
from streamapp.replay.files import BATCH_RECORDS, Order, raw, read_records, text, time_of
from streamapp.replay.window_spec import WindowSpec
from streamapp.windows import Windowed

__all__ = ["replay_windows"]


class WindowLine(msgspec.Struct, frozen=True):
    """A result, as it is printed; no values: that window is no more. Times are in ms."""

    key: str | None
    start: int
    end: int
    values: dict[str, Any] | None
    ts: int
    final: bool


class Uncounted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that is late, partly late or rejected, as it is printed."""

    reason: str
    key: str | None
    value: msgspec.Raw
    ts: int
    late_by_ms: int = 0
    detail: str = ""


class Account(msgspec.Struct, frozen=True):
    """The last line: what became of the records."""

    balance: Balance


def replay_windows(
    spec: WindowSpec, order: Order, name: str, lines: Iterable[bytes]
) -> Iterator[WindowLine | Uncounted | Account]:
    """Put the lines of a file, which has a name, into windows; at its end those that are open close.

    Raises:
        ReplayError: for a line that is no record; the text has the file's name and the line's number.
    """
    driver = Driver(spec.join)
    records: Iterator[tuple[int, Event]] = read_records(0, spec.fields, name, lines)
    if order is Order.EVENT_TIME:
        records = iter(sorted(records, key=time_of))
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        yield from _printed(spec, driver.process(batch))
    yield from _printed(spec, driver.finish())
    yield Account(driver.operator.balance)


def _printed(spec: WindowSpec, output: Output[Windowed]) -> Iterator[WindowLine | Uncounted]:
    names = list(spec.join.aggregates)
    for one in output.results:
        values = None if one.values is None else dict(zip(names, one.values, strict=True))
        yield WindowLine(text(one.key), one.start, one.end, values, one.timestamp, one.final)
    yield from map(_uncounted, output.side_outputs)


def _uncounted(one: SideOutput) -> Uncounted:
    record = one.record
    return Uncounted(one.reason, text(record.key), raw(record), record.timestamp, one.late_by, one.detail)
