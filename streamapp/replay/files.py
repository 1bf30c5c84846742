"""Two files of JSON lines, joined."""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.formats.fields import key_bytes, shown
from streamapp.joins import Balance, Driver, Event, Joined, Output, Record, Row, Side, SideOutput, Updates
from streamapp.produce.lines import field_of
from streamapp.produce.source import guess
from streamapp.produce.times import event_time
from streamapp.replay.errors import ReplayError
from streamapp.replay.spec import Fields, Spec

__all__ = ["BATCH_RECORDS", "Order", "raw", "read_records", "replay_files", "text", "time_of"]

#: Records that are joined at a time.
BATCH_RECORDS: Final = 1_000
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
    """Join the lines of two files, each given with its name; at their end all that is still pending comes out.

    Raises:
        ReplayError: for a line that is no record; the text has the file's name and the line's number.
    """
    driver = Driver(spec.join)
    files = (read_records(Side.LEFT, spec.left, *left), read_records(Side.RIGHT, spec.right, *right))
    ordered = (
        sorted(itertools.chain(*files), key=time_of) if order is Order.EVENT_TIME else heapq.merge(*files, key=time_of)
    )
    records = iter(ordered)
    while batch := list(itertools.islice(records, BATCH_RECORDS)):
        yield from _printed(driver.process(batch))
    yield from _printed(driver.finish())
    yield Accounts(driver.operator.balance, driver.operator.updates)


def read_records(source: int, fields: Fields, name: str, lines: Iterable[bytes]) -> Iterator[tuple[int, Event]]:
    """Read the lines of a file, which has a name, as records of a source.

    Raises:
        ReplayError: for a line that is none.
    """
    try:
        for number, line in enumerate(map(bytes.strip, lines), start=1):
            if line:
                try:
                    record = _record(fields, line, number)
                except (msgspec.DecodeError, UnicodeDecodeError) as exc:
                    raise ReplayError(f"{name}:{number}: {exc}: {shown(line)}{guess(line)}") from None
                except ValueError as exc:
                    raise ReplayError(f"{name}:{number}: {exc}") from None
                yield source, record
    except ProduceError as exc:  # of the file
        raise ReplayError(str(exc)) from None


def time_of(record: tuple[int, Event]) -> int:
    """Return the event time (ms) of a record."""
    return record[1].timestamp


def _record(fields: Fields, line: bytes, number: int) -> Event:
    found = _fields(line.decode())
    timestamp = event_time(field_of(found, fields.timestamp), fields.timestamp, fields.unit)
    try:
        key = field_of(found, fields.key)
    except ValueError:  # a null key
        key = NULL
    value = line if fields.value is None else bytes(field_of(found, fields.value))
    return Event(
        None if bytes(key) == b"null" else key_bytes(key, fields.key),
        None if value == b"null" else value,
        timestamp,
        number,
    )


def _printed(output: Output[Joined]) -> Iterator[Result | Unjoined]:
    for joined in output.results:
        yield Result(text(joined.key), raw(joined.left), raw(joined.right), joined.timestamp)
    for one in output.side_outputs:
        yield _unjoined(one)


def _unjoined(one: SideOutput) -> Unjoined:
    record, side = one.record, Side(one.side).name.lower()
    return Unjoined(one.reason, side, text(record.key), raw(record), record.timestamp, one.late_by, one.detail)


def text(key: bytes | None) -> str | None:
    """Return a key as it is printed."""
    return None if key is None else key.decode()


def raw(side: Record | Row | None) -> msgspec.Raw:
    """Return a value as it is printed."""
    return NULL if side is None or side.value is None else msgspec.Raw(side.value)
