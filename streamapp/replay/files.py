"""Two files of JSON lines, joined."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.joins import Balance, Driver, Event, Joined, Record, Row, Side, SideOutput, Updates
from streamapp.produce.lines import field_of, key_bytes
from streamapp.produce.source import guess
from streamapp.produce.times import event_time, shown
from streamapp.replay.errors import ReplayError
from streamapp.replay.spec import Fields, Spec

__all__ = ["Order", "replay_files"]

#: Records that are joined at a time.
BATCH: Final = 1_000
NULL: Final = msgspec.Raw(b"null")

_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Order(enum.StrEnum):
    """In which order the lines of the two files come.

    ARRIVAL: as they are in each file; of the two lines that come next, the one with the earlier event time, as a worker
    aligns two topics. EVENT_TIME: sorted, so that no record is late. Of one event time, the left line comes first.
    """

    ARRIVAL = "arrival"
    EVENT_TIME = "event-time"


class Result(msgspec.Struct, frozen=True):
    """A result, as it is printed; both sides null is a tombstone. ``ts`` is in ms."""

    key: str | None
    left: msgspec.Raw
    right: msgspec.Raw
    ts: int


class Unjoined(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record that is not matched, as it is printed."""

    reason: str
    side: str
    key: str | None
    value: msgspec.Raw
    ts: int
    late_by_ms: int = 0
    detail: str = ""


class Accounts(msgspec.Struct, frozen=True):
    """The last line: what became of the records, and of those that update a table."""

    balance: Balance
    updates: Updates


def replay_files(
    spec: Spec, order: Order, left: tuple[str, Iterable[bytes]], right: tuple[str, Iterable[bytes]]
) -> Iterator[Result | Unjoined | Accounts]:
    """Join the lines of two files; at their end all that is still pending comes out.

    Args:
        spec: the join.
        order: in which the lines come.
        left: name and lines of the left file.
        right: those of the right one.

    Raises:
        ReplayError: for a line that is no record; the text has the file's name and the line's number.
    """
    driver = Driver(spec.join())
    records = _ordered(order, _read(Side.LEFT, spec.left, *left), _read(Side.RIGHT, spec.right, *right))
    while batch := list(itertools.islice(records, BATCH)):
        output = driver.process(batch)
        yield from map(_result, output.results)
        yield from map(_unjoined, output.side_outputs)
    output = driver.finish()
    yield from map(_result, output.results)
    yield from map(_unjoined, output.side_outputs)
    yield Accounts(driver.operator.balance, driver.operator.updates)


def _ordered(order: Order, *files: Iterator[tuple[Side, Event]]) -> Iterator[tuple[Side, Event]]:
    if order is Order.EVENT_TIME:
        return iter(sorted(itertools.chain(*files), key=_time))
    return heapq.merge(*files, key=_time)


def _time(record: tuple[Side, Event]) -> int:
    return record[1].timestamp


def _read(side: Side, fields: Fields, name: str, lines: Iterable[bytes]) -> Iterator[tuple[Side, Event]]:
    try:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield side, _checked(fields, line.strip(), f"{name}:{number}", number)
    except ProduceError as exc:
        raise ReplayError(str(exc)) from None


def _checked(fields: Fields, line: bytes, place: str, number: int) -> Event:
    try:
        return _record(fields, line, number)
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        raise ReplayError(f"{place}: {exc}: {shown(line)}{guess(line)}") from None
    except ValueError as exc:
        raise ReplayError(f"{place}: {exc}") from None


def _record(fields: Fields, line: bytes, number: int) -> Event:
    found = _fields(line.decode())
    timestamp = event_time(field_of(found, fields.timestamp), fields.timestamp, fields.unit)
    key = _key(found, fields.key)
    value = line if fields.value is None else bytes(field_of(found, fields.value))
    return Event(
        None if bytes(key) == b"null" else key_bytes(key, fields.key),
        None if value == b"null" else value,
        timestamp,
        number,
    )


def _key(found: dict[str, msgspec.Raw], name: str) -> msgspec.Raw:
    try:
        return field_of(found, name)
    except ValueError:  # a null key
        return NULL


def _result(joined: Joined) -> Result:
    return Result(_text(joined.key), _raw(joined.left), _raw(joined.right), joined.timestamp)


def _unjoined(told: SideOutput) -> Unjoined:
    record = told.record
    side = Side(told.side).name.lower()
    return Unjoined(told.reason, side, _text(record.key), _raw(record), record.timestamp, told.late_by, told.detail)


def _text(key: bytes | None) -> str | None:
    return None if key is None else key.decode()


def _raw(side: Record | Row | None) -> msgspec.Raw:
    return NULL if side is None or side.value is None else msgspec.Raw(side.value)
