"""What a join holds for a key: records that wait or may match again, rows, and past rows."""

from __future__ import annotations

from streamapp.joins import AsOfJoin, Event, Holding, MemoryStore, Side, State, StreamStreamJoin, StreamTableJoin
from streamapp.joins.held import version_at
from streamapp.joins.table_table import TableTableJoin


def event(time: int, value: bytes | None = b"v", key: bytes = b"k") -> Event:
    return Event(key, value, time, time)


def test_a_stream_stream_join_holds_what_is_pending_and_what_may_match_again() -> None:
    operator = StreamStreamJoin(before=10, after=10, grace=5).start(State(MemoryStore()))
    operator.process([(Side.LEFT, event(100)), (Side.RIGHT, event(105)), (Side.LEFT, event(120))])
    assert [(one.source, one.holding, one.timestamp, one.until) for one in operator.held(b"k")] == [
        (0, Holding.PENDING, 120, 136),
        (1, Holding.BUFFERED, 105, 121),
    ]
    assert operator.held(b"nobody") == []


def test_an_as_of_join_holds_left_records_that_wait_and_right_ones_that_they_may_join() -> None:
    operator = AsOfJoin(tolerance=10, grace=5).start(State(MemoryStore()))
    operator.process([(Side.RIGHT, event(98)), (Side.LEFT, event(100))])
    assert [(one.source, one.holding, one.timestamp) for one in operator.held(b"k")] == [
        (0, Holding.PENDING, 100),
        (1, Holding.BUFFERED, 98),
    ]


def test_a_versioned_table_has_the_row_of_each_time_that_its_history_reaches_back_to() -> None:
    operator = StreamTableJoin(history=1_000, grace=50).start(State(MemoryStore()))
    operator.process([(Side.RIGHT, event(100, b"a")), (Side.RIGHT, event(200, None)), (Side.RIGHT, event(300, b"c"))])
    operator.process([(Side.LEFT, event(310))])
    held = operator.held(b"k")
    assert [(one.holding, one.timestamp, one.value) for one in held] == [
        (Holding.PENDING, 310, b"v"),
        (Holding.ROW, 300, b"c"),
        (Holding.VERSION, 200, None),
        (Holding.VERSION, 100, b"a"),
    ]
    as_of = {time: [one.value for one in version_at(held, time)] for time in (99, 100, 199, 200, 299, 300)}
    assert as_of == {99: [], 100: [b"a"], 199: [b"a"], 200: [], 299: [], 300: [b"c"]}


def test_a_table_table_join_holds_the_rows_of_both_tables() -> None:
    operator = TableTableJoin().start(State(MemoryStore()))
    operator.process([(Side.LEFT, event(1, b"l")), (Side.RIGHT, event(2, b"r"))])
    assert [(one.source, one.holding, one.value) for one in operator.held(b"k")] == [
        (0, Holding.ROW, b"l"),
        (1, Holding.ROW, b"r"),
    ]
