"""What a join says of a record when it is asked is what it did with it, at any time and after any restart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from join_models import LEFT, RIGHT, Arrival, Updates
from test_joins_models import ALL_WAYS, SPANS, TWO_WAYS, arrivals, tables

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    Enriched,
    Event,
    Explanation,
    ForeignKeyJoin,
    Joined,
    NWayJoin,
    Refused,
    SideOutput,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    Verdict,
    WindowedReduce,
    WindowedValue,
)

#: Says what became of a record of a source; the side output is the one that it came out with, if it did.
Fate = Callable[[int, Event, SideOutput | None], Verdict]


class Asked:
    """A run of a join that is asked about each of its records, again and again."""

    def __init__(self, join: Any, records: list[Arrival], data: st.DataObject) -> None:
        self.join = join
        self.driver: Driver[Any] = Driver(join)
        self.records = [(r.source, Event(r.key, r.value, r.timestamp, n)) for n, r in enumerate(records)]
        self._data = data

    def batches(self) -> Iterator[list[tuple[int, Event]]]:
        """Send the records in batches; gives all that were sent, after each of them and perhaps a restart."""
        end = 0
        while end < len(self.records):
            begin, end = end, end + self._data.draw(st.integers(1, 20), "batch")
            self.driver.process(self.records[begin:end])
            if self._data.draw(st.booleans(), "restart"):
                self.driver.restart()
            yield self.records[:end]

    @property
    def told(self) -> dict[tuple[int, int], SideOutput]:
        return {(side.side, side.record.offset): side for side in self.driver.side_outputs}

    def matched(self) -> set[tuple[int, int]]:
        """Source and offset of the records that joined others."""
        found = set()
        for result in self.driver.results:
            match result:
                case Joined() if result.left is not None and result.right is not None:
                    found |= {(LEFT, result.left.offset), (RIGHT, result.right.offset)}
                case Enriched() if all(result.rows):
                    found.add((LEFT, result.record.offset))
                case WindowedValue():
                    found |= set(result.value)
        return found

    def agrees(self, fates: Callable[[list[tuple[int, Event]]], Fate]) -> None:
        for records in self.batches():
            fate, told = fates(records), self.told
            for source, record in records:
                explained = self.driver.operator.explain(source, record)
                side = told.get((source, record.offset))
                settled = explained.settled(side)
                expected = fate(source, record, side)
                assert settled.verdict == expected, (source, record, explained, side)
                if side is None or side.reason not in explained.reasons:
                    assert explained.verdict in {expected, Verdict.OVER}
                if settled.verdict is Verdict.LATE:
                    assert 0 < settled.late_by <= max(explained.late_by, settled.late_by)
                    assert explained.verdict is not Verdict.LATE or settled.late_by <= explained.late_by
                self.check_candidates(source, record, settled)

    def check_candidates(self, source: int, record: Event, explained: Explanation) -> None:
        """A candidate is a record that came; of streams, those inside of the window joined it, if anything did."""
        pairs = {
            (r.left.offset, r.right.offset) for r in self.driver.results if isinstance(r, Joined) and r.left and r.right
        }
        for one in explained.candidates:
            there = self.records[one.offset][1]
            assert (one.timestamp, one.key) == (there.timestamp, there.key)
            if explained.window is not None:
                first, last = explained.window
                before = 0 if first is None else min(0, one.timestamp - first)
                assert one.outside_by == before + (0 if last is None else max(0, one.timestamp - last))
            if isinstance(self.join, StreamStreamJoin) and not one.outside_by:
                pair = (record.offset, one.offset) if source == LEFT else (one.offset, record.offset)
                assert (explained.verdict is Verdict.MATCHED) == (pair in pairs)
                assert explained.verdict in {Verdict.MATCHED, Verdict.LATE, Verdict.NULL_KEY, Verdict.NULL_VALUE}


def of_streams(asked: Asked, updates: bool = False) -> Callable[[list[tuple[int, Event]]], Fate]:
    """Stream records that did not come out at the side joined, or wait; updates are applied."""

    def fates(records: list[tuple[int, Event]]) -> Fate:
        matched = asked.matched()

        def fate(source: int, record: Event, told: SideOutput | None) -> Verdict:
            if told is not None:
                return Verdict(told.reason.value)
            if updates and source != LEFT:
                return Verdict.APPLIED
            return Verdict.MATCHED if (source, record.offset) in matched else Verdict.PENDING

        return fate

    return fates


def stream_stream(data: st.DataObject) -> None:
    before, after = data.draw(st.integers(-40, 40)), data.draw(st.integers(-40, 40))
    after = max(after, -before)
    join = StreamStreamJoin(before=before, after=after, grace=data.draw(SPANS), how=data.draw(ALL_WAYS))
    asked = Asked(join, data.draw(arrivals()), data)
    asked.agrees(of_streams(asked))


def as_of(data: st.DataObject) -> None:
    direction = data.draw(st.sampled_from(Direction))
    join = AsOfJoin(tolerance=data.draw(SPANS), grace=data.draw(SPANS), direction=direction, how=data.draw(TWO_WAYS))
    asked = Asked(join, data.draw(arrivals()), data)
    asked.agrees(of_streams(asked, updates=True))


def stream_table(data: st.DataObject) -> None:
    (join,) = tables(data, 1)
    asked = Asked(join, data.draw(arrivals()), data)
    asked.agrees(of_streams(asked, updates=True))


def n_way(data: st.DataObject) -> None:
    asked = Asked(NWayJoin(tables(data, 2)), data.draw(arrivals(sources=3)), data)
    asked.agrees(of_streams(asked, updates=True))


def table_table(data: st.DataObject) -> None:
    histories = st.none() | st.integers(0, 100)
    join = TableTableJoin(
        how=data.draw(ALL_WAYS), left_history=data.draw(histories), right_history=data.draw(histories)
    )

    def fates(records: list[tuple[int, Event]]) -> Fate:
        sides = Updates(join.left_history), Updates(join.right_history)
        for source, record in records:
            if record.key is not None:
                sides[source].accept(Arrival(source, record.key, record.value, record.timestamp))

        def fate(source: int, record: Event, told: SideOutput | None) -> Verdict:
            mine, other = (sides[one].current(record.key or b"") for one in (source, 1 - source))
            if record.key is not None and record.value is not None and mine is not None and mine.value == record.value:
                return Verdict.UNMATCHED if other is None or other.value is None else Verdict.MATCHED
            return Verdict.MATCHED if told is None else Verdict(told.reason.value)

        return fate

    Asked(join, data.draw(arrivals()), data).agrees(fates)


def named(record: Any) -> bytes | None:
    """The key that a record names; some are refused."""
    number, name = record.value.split(b"|")
    if int(number) % 7 == 0:
        raise Refused("it is the seventh")
    return name or None


def looked_up(data: st.DataObject) -> None:
    join = StreamTableJoin(data.draw(TWO_WAYS), data.draw(st.integers(0, 100)), key=named)
    asked = Asked(join, data.draw(arrivals(foreign=True)), data)
    asked.agrees(of_streams(asked, updates=True))


def foreign_key(data: st.DataObject) -> None:
    join = ForeignKeyJoin(how=data.draw(TWO_WAYS), foreign_key=named)

    def fates(records: list[tuple[int, Event]]) -> Fate:
        sides: tuple[dict[bytes, Event], dict[bytes, Event]] = ({}, {})
        for source, record in records:
            if record.key is not None and (source == RIGHT or record.value is None or record.offset % 7):
                sides[source][record.key] = record

        def fate(source: int, record: Event, told: SideOutput | None) -> Verdict:
            if record.key is None or record.value is None or sides[source].get(record.key) is not record:
                return Verdict.MATCHED if told is None else Verdict(told.reason.value)
            if source == RIGHT:
                there = any(left.value and named(left) == record.key for left in sides[LEFT].values())
            elif (name := named(record)) is None:
                return Verdict.NULL_KEY
            else:
                there = name in sides[RIGHT] and sides[RIGHT][name].value is not None
            return Verdict.MATCHED if there else Verdict.UNMATCHED

        return fate

    Asked(join, data.draw(arrivals(foreign=True)), data).agrees(fates)


def windowed_reduce(data: st.DataObject) -> None:
    def reduce(values: list[tuple[int, int]], side: int, record: Any) -> list[tuple[int, int]]:
        if record.offset % 7 == 0:
            raise Refused("it is the seventh")
        return [*values, (side, record.offset)]

    size = data.draw(st.integers(1, 40))
    join = WindowedReduce(
        size=size,
        advance=data.draw(st.none() | st.integers(1, size)),
        grace=data.draw(SPANS),
        initial=list,
        reduce=reduce,
        value=list[tuple[int, int]],
    )
    asked = Asked(join, data.draw(arrivals()), data)
    asked.agrees(of_streams(asked))


Kind = Callable[[st.DataObject], None]
KINDS: list[Kind] = [
    stream_stream,
    as_of,
    stream_table,
    n_way,
    looked_up,
    table_table,
    foreign_key,
    windowed_reduce,
]


def check(kind: Kind, examples: int) -> None:
    limits = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    limits(given(st.data())(kind))()


@pytest.mark.parametrize("kind", KINDS)
def test_a_join_says_of_each_record_what_it_did_with_it(kind: Kind) -> None:
    check(kind, 100)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_join_says_of_each_record_what_it_did_with_it_10_000_times(kind: Kind) -> None:
    check(kind, 10_000)
