"""Windows by count: each so many records of a key, or for each record the last so many.

They are counted in the order of (event time, arrival), and not in that in which they happen to come: so results are
the same for any order of arrival within the grace, and when old data are read again. A record is counted once the clock
is at ``timestamp + grace``, for then none can come any more that is before it. Without a grace that is at once, and a
record that is behind the clock is late.
"""

from __future__ import annotations

import dataclasses
import operator
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from streamapp.joins.declared import earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.horizon import Horizon
from streamapp.joins.join import Operator
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Value
from streamapp.windows.emission import Emission
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.record_pages import RecordPages
from streamapp.windows.waiting import Waiting
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["CountWindows", "CountWindowsOperator", "each", "last"]

#: Records of a window: a key's are one row of the state.
COUNT_MAX: Final = 10_000
#: Few windows wait for longer (ms) until they are full.
LONG_MS: Final = 86_400_000


@dataclasses.dataclass(frozen=True)
class CountWindows:
    """Windows of a number of records of a key.

    The start of a window is the time of its first record, its end that of its last one.

    Args:
        records: which: ``each 100``, for windows that follow each other and give their results when they are full; or
            ``last 100``, for a window for each record, of it and those before it, of which there may be fewer at first.

    Raises:
        ValueError: for another text, or a number that is less than 1 or more than 10,000.
    """

    records: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"(each|last) \d+", self.records):
            raise ValueError(f"windows by count are such as each 100, or last 100, and not {self.records}")
        if not 1 <= self.count <= COUNT_MAX:
            raise ValueError(f"a window by count has 1 to {COUNT_MAX:,} records, and not {self.count:,}")

    @property
    def count(self) -> int:
        """How many records a window has."""
        return int(self.records.split()[1])

    @property
    def sliding(self) -> bool:
        """Whether each record has a window."""
        return self.records.startswith("last")

    @property
    def kind(self) -> str:
        """What they are called in a declaration."""
        return "aggregates in windows by count"

    @property
    def span(self) -> int:
        """How far (ms) the end of a window may be behind a record in it, as a rule: some wait for longer."""
        return LONG_MS

    def check(self, join: WindowedAggregate) -> None:
        """Take any aggregates, for final results."""
        if join.emission is not Emission.FINAL:
            raise ValueError(f"windows by count have final results only, and no emission={join.emission.value!r}")

    def start(self, join: WindowedAggregate, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state of a partition holds."""
        return CountWindowsOperator(join, self, state)


def each(count: int) -> CountWindows:
    """Return windows that follow each other, of so many records of a key."""
    return CountWindows(f"each {count}")


def last(count: int) -> CountWindows:
    """Return for each record the window of the last so many of its key, which it is in itself."""
    return CountWindows(f"last {count}")


class _Open(msgspec.Struct, array_like=True):
    """The records of a key that its next result needs, in columns; the names are those of their fields."""

    fields: list[str]
    times: list[int]
    columns: list[list[Value]]

    @property
    def numbers(self) -> Sequence[int]:
        """In which order they are."""
        return range(len(self.times))


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Open).decode


class CountWindowsOperator(Accounting[Windowed]):
    """Windows by count at work on one partition.

    All records count in its balance; one is matched when the first window that it is in gives its result.
    """

    def __init__(self, join: WindowedAggregate, windows: CountWindows, state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._window_records, self._sliding = windows.count, windows.sliding
        self._values = join.values
        self._horizon = Horizon(state, self.clock, join.grace, was.grace)
        self._plan = plan = Plan([(aggregate, 1) for aggregate in join.aggregates.values()])
        self._rows = state.section(b"open/")
        self._open: dict[bytes, _Open] = {}
        for key, encoded in self._rows.scan():
            stored = _decode(encoded)
            found = dict(zip(stored.fields, stored.columns, strict=True))
            columns = [found.get(field, [None] * len(stored.times)) for field in plan.fields]
            self._open[key] = _Open(plan.fields, stored.times, columns)
        self._changed: set[bytes] = set()
        self._pages = RecordPages(state.section(b"waiting/"), plan.fields)
        #: The key and the values, by field, of those that are not counted yet.
        self._waiting: Waiting[tuple[bytes, Sequence[Value]]] = Waiting()
        #: The same of this batch, with their times (ms).
        self._added: list[tuple[bytes, int, Sequence[Value]]] = []
        counted = max(self._ledger.reached - was.grace, self._horizon.floor)
        waiting = [
            (timestamp, number, name, row)
            for name, kept in self._pages.read(counted + 1).items()
            for timestamp, number, row in zip(kept.times, kept.numbers, kept.rows, strict=True)
        ]
        for timestamp, _, name, row in sorted(waiting, key=operator.itemgetter(1)):
            self._waiting.add(timestamp, (name, row))
        if self._ledger.set_back:
            self._pages.forget(counted + 1)

    def process(self, batch: Batch) -> Output[Windowed]:
        """Take records in, and count those whose time has come."""
        ledger, horizon, picked = self._ledger, self._horizon, self._plan.picked
        now, limit = self.clock.time, self.clock.wall.limit
        since, received = horizon.at(now), 0
        for source, record in batch:
            received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                reason = Reason.NULL_VALUE if record.value is None else Reason.NULL_KEY
                ledger.rejected(self.balance, source, record, reason)
                continue
            if timestamp < since:
                ledger.late(self.balance, source, record, since - timestamp)
                continue
            try:
                row = self._values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            values = [row[slot] for slot in picked]
            self._waiting.add(timestamp, (key, values))
            self._added.append((key, timestamp, values))
            if timestamp > now:
                if timestamp > limit:
                    self.clock.advance(timestamp)
                else:
                    now = timestamp
                    since = horizon.at(now)
        self.balance.received += received
        return self.advance(now)

    def advance(self, to: int) -> Output[Windowed]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        until = self._horizon.time
        for timestamp, (key, values) in self._waiting.take(until):
            self._count(key, timestamp, values)
        # What has been counted is in the rows of its key.
        if added := [one for one in self._added if one[1] > until]:
            keys, times, rows = map(list, zip(*added, strict=True))
            columns = [list(column) for column in zip(*rows, strict=True)]
            self._pages.write(keys, times, columns, self.clock.time)
        self._added = []
        self._pages.drop(until)
        for key in self._changed:
            if key in self._open:
                self._rows.put(key, _encode(self._open[key]))
            else:
                self._rows.delete(key)
        self._changed.clear()
        self.balance.pending = self.balance.received - self.balance.late - self.balance.rejected - self.balance.matched
        return self._ledger.close()

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells."""
        if record.key is None or record.value is None:
            return unusable(record, self.clock, None)
        opened, horizon = self._open.get(record.key), self._horizon.time
        in_time = record.timestamp >= horizon
        unfinished = not self._sliding and opened is not None and opened.times[0] <= record.timestamp
        fate = Verdict.PENDING if record.timestamp > horizon or unfinished else Verdict.MATCHED
        return Explanation(
            verdict=fate if in_time else Verdict.OVER,
            clock=self.clock.now,
            grace=self.join.grace,
            until=record.timestamp + self.join.grace,
            untold=fate,
            windows=(),
            reasons=frozenset({Reason.REFUSED} if in_time else {Reason.LATE, Reason.REFUSED}),
        )

    def windows(self, key: bytes) -> Iterator[Windowed]:
        """Return the window of a key as it is now, if it has records that have been counted."""
        if (opened := self._open.get(key)) is not None:
            yield self._told(key, opened, final=False)

    def _count(self, key: bytes, timestamp: int, values: Sequence[Value]) -> None:
        """Put a record into the window of its key, and give the result if there is one."""
        opened = self._open.get(key)
        if opened is None:
            fields = self._plan.fields
            opened = self._open[key] = _Open(fields, [], [[] for _ in fields])
        opened.times.append(timestamp)
        for column, value in zip(opened.columns, values, strict=True):
            column.append(value)
        self._changed.add(key)
        count = self._window_records
        if self._sliding:
            for column in (opened.times, *opened.columns):
                del column[:-count]
            self._ledger.results.append(self._told(key, opened, final=True))
            self.balance.matched += 1
        elif len(opened.times) == count:
            self._ledger.results.append(self._told(key, opened, final=True))
            self.balance.matched += count
            del self._open[key]

    def _told(self, key: bytes, opened: _Open, *, final: bool) -> Windowed:
        plan, states = self._plan, self._plan.initial()
        plan.add_stretch(states, range(len(states)), opened, 0, len(opened.times))
        told = tuple(one.result(state) for one, state in zip(plan.aggregates, states, strict=True))
        return Windowed(key, opened.times[0], opened.times[-1], told, opened.times[-1], final)
