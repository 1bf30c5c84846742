"""What a join holds for a key: records that wait or may match again, rows, and past rows."""

from __future__ import annotations

from streamapp.joins import (
    AsOfJoin,
    Event,
    ForeignKeyJoin,
    Holding,
    MemoryStore,
    Side,
    State,
    StreamStreamJoin,
    StreamTableJoin,
)
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.joins.foreign_key_sides import FOLLOWERS_TOLD, Subscription
from streamapp.joins.held import Held, version_at
from streamapp.joins.table_table import TableTableJoin
from streamapp.joins.windowed_reduce import WindowedReduce, WindowedValue
from streamapp.windows import Count, Enrichment, Feature, Sum
from streamapp.windows.enrichment import RECORDS_TOLD
from streamapp.windows.gathering import LOOKED_THROUGH, Gathering, Original


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


def test_a_foreign_key_join_holds_rows_and_for_a_right_one_the_left_ones_that_name_it() -> None:
    operator = ForeignKeyJoin(foreign_key=lambda record: record.value).start(State(MemoryStore()))
    lefts = [(Side.LEFT, event(time, b"r", key)) for time, key in ((3, b"b"), (4, b"a"))]
    operator.process([*lefts, (Side.RIGHT, event(5, b"right", b"r"))])
    assert operator.held(b"a") == [Held(0, Holding.ROW, 4, b"r", 4, names=b"r")]
    assert operator.held(b"r") == [
        Held(0, Holding.BUFFERED, 4, b"r", 4, names=b"r", key=b"a"),
        Held(0, Holding.BUFFERED, 3, b"r", 3, names=b"r", key=b"b"),
        Held(1, Holding.ROW, 5, b"right", 5),
    ]
    operator.process([(Side.LEFT, event(6, None, b"a")), (Side.RIGHT, event(7, None, b"r"))])
    assert operator.held(b"a") == []
    assert [one.key for one in operator.held(b"r")] == [b"b"]


def test_the_left_half_of_a_foreign_key_join_waits_for_the_answer_and_tells_what_the_row_names() -> None:
    left = LeftHalf(foreign_key=lambda record: record.value).start(State(MemoryStore()))
    (asked,) = left.process([(Side.LEFT, event(3, b"r", b"a"))]).results
    assert left.held(b"a") == [Held(0, Holding.PENDING, -1, None, 3, names=b"r")]
    assert isinstance(asked, Subscription)
    right = RightHalf().start(State(MemoryStore()))
    (answer,) = right.process([(Side.LEFT, Event(b"r", asked.encode(), 3, 0))]).results
    left.process([(Side.RIGHT, Event(b"a", answer.encode(), 3, 0))])  # type: ignore[union-attr]
    assert left.held(b"a") == [Held(0, Holding.ROW, -1, None, 3, names=b"r")]
    assert right.held(b"r") == [Held(0, Holding.BUFFERED, 3, b"r", 3, names=b"r", key=b"a")]


def test_of_many_left_rows_that_name_a_right_one_the_first_are_told() -> None:
    operator = ForeignKeyJoin(foreign_key=lambda record: record.value).start(State(MemoryStore()))
    operator.process([(Side.LEFT, event(1, b"r", b"%05d" % number)) for number in range(FOLLOWERS_TOLD + 5)])
    assert [one.key for one in operator.held(b"r")] == [b"%05d" % number for number in range(FOLLOWERS_TOLD)]


def test_what_is_reduced_holds_no_records_but_open_windows() -> None:
    join = WindowedReduce(size=10, grace=0, initial=int, reduce=lambda total, *_: total + 1, value=int)
    operator = join.start(State(MemoryStore()))
    operator.process([(0, event(1)), (1, event(5)), (0, event(12)), (0, event(12, key=b"other"))])
    assert operator.held(b"k") == []
    assert list(operator.windows(b"k")) == [WindowedValue(b"k", 10, 20, 1, 12)]
    assert list(operator.windows(b"nobody")) == []


def test_features_hold_the_newest_records_that_they_can_reach_with_their_fields() -> None:
    features = {"n": Feature(Count(), 100), "total": Feature(Sum("amount"), 100)}
    operator = Enrichment(features=features, grace=10).start(State(MemoryStore()))
    records = [event(time, b'{"amount": %d}' % time) for time in (1, 100, 95, 150)]
    operator.process([(0, record) for record in records])
    assert operator.held(b"k") == [
        Held(0, Holding.BUFFERED, time, b'{"amount":%d}' % time, until=time + 110) for time in (95, 100, 150)
    ]
    assert operator.held(b"nobody") == []
    wide = Enrichment(features={"n": Feature(Count(), 10_000)}).start(State(MemoryStore()))
    wide.process([(0, event(number, b"{}")) for number in range(RECORDS_TOLD + 5)])
    assert [one.timestamp for one in wide.held(b"k")] == [*range(5, RECORDS_TOLD + 5)]


def test_records_that_wait_for_features_are_told_by_their_keys_unless_they_are_many() -> None:
    operator = Gathering(groups=("ip",)).start(State(MemoryStore()))
    waiting = [Original(key, b"{}", time, time, [], ("ip",)) for time, key in enumerate((b"k", b"other", b"k"))]
    operator.process([(0, one) for one in waiting])
    assert operator.held(b"k") == [Held(0, Holding.PENDING, time, b"{}", time) for time in (0, 2)]
    operator.process([(0, Original(b"k", b"{}", 5, 5 + n, [], ("ip",))) for n in range(LOOKED_THROUGH)])
    assert operator.held(b"k") is None
