"""Buffers keep what is needed, find it, forget it, and are the same after a restart."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Driver, Event, How, MemoryStore, Side, State, StreamStreamJoin, StreamTableJoin
from streamapp.joins.buffer import Buffer
from streamapp.joins.calendar import Calendar
from streamapp.joins.clock import BEGINNING, END
from streamapp.joins.journal import FULL, Journal
from streamapp.joins.records import Buffered
from streamapp.joins.timeline import Timeline
from streamapp.joins.windows import Window, Windows, at_or_after, at_or_before, between, place

TIMES = st.integers(0, 300)


@given(width=st.integers(0, 50), steps=st.lists(st.tuples(TIMES, TIMES)))
def test_a_timeline_gives_what_is_older_and_keeps_the_rest(width: int, steps: list[tuple[int, int]]) -> None:
    timeline, model = Timeline(width), []
    for number, (timestamp, before) in enumerate(steps):
        record = Buffered(b"", b"", timestamp, 0, number)
        timeline.add(record)
        model.append(record)
        assert timeline.calm <= min(record.timestamp for record in model)
        taken = {record.number for record in timeline.take(before)}
        assert taken == {record.number for record in model if record.timestamp < before}
        model = [record for record in model if record.number not in taken]
    assert len(timeline.take(END)) == len(model)
    assert timeline.calm == END


@given(
    records=st.lists(st.tuples(st.sampled_from([b"a", b"b"]), TIMES), max_size=300),
    asked=st.lists(st.tuples(st.sampled_from([b"a", b"b", b"c"]), TIMES, TIMES), max_size=20),
    now=TIMES,
)
def test_windows_find_what_a_search_through_all_records_finds(
    records: list[tuple[bytes, int]], asked: list[tuple[bytes, int, int]], now: int
) -> None:
    windows, reach = Windows(10, 20), 20
    buffered = [Buffered(key, b"", timestamp, 0, number) for number, (key, timestamp) in enumerate(records)]
    half, over = len(buffered) // 2, now - reach
    late = [record for record in buffered[half:] if record.timestamp >= over]
    for record in buffered[:half]:
        place(windows[record.key].right, record)
    windows.tidy(now)
    for record in late:
        place(windows[record.key].right, record)
    kept = [record for record in buffered[:half] if record.timestamp >= over] + late
    kept.sort(key=lambda record: (record.timestamp, record.number))
    for key, first, last in asked:
        window = windows.look(key).right
        mine = [record for record in kept if record.key == key]
        assert list(between(window, first, last)) == [one for one in mine if first <= one.timestamp <= last]
        before = [record for record in mine if record.timestamp <= first]
        after = [record for record in mine if record.timestamp >= first]
        same = [record for record in after if record.timestamp == after[0].timestamp]
        assert at_or_before(window, first) == (before[-1] if before else None)
        assert at_or_after(window, first) == (same[-1] if same else None)


@given(width=st.integers(0, 50), steps=st.lists(st.tuples(TIMES, TIMES)))
def test_a_calendar_gives_what_is_due_never_early_and_at_most_a_slice_late(
    width: int, steps: list[tuple[int, int]]
) -> None:
    calendar: Calendar[int] = Calendar(width)
    model: list[int] = []
    for time, before in steps:
        calendar.add(time, time)
        model.append(time)
        taken = calendar.take(before)
        assert all(time < before for time in taken)
        for time in taken:
            model.remove(time)
        assert all(time >= before - max(1, width) for time in model)


def test_a_batch_is_one_row_however_many_records_it_has() -> None:
    state = State(MemoryStore())
    buffer = Buffer(state, span=100)
    for number in range(1_000):
        buffer.add(b"%d" % number, b"value", number, 0)
    buffer.save(BEGINNING, 1_000)
    assert len(state.changes) == 1


def test_a_row_stays_far_below_what_a_changelog_takes() -> None:
    state = State(MemoryStore())
    journal = Journal(state)
    records = [Buffered(b"key", b"x" * size, 0, 0, number) for number, size in enumerate([10, 3 * FULL, *[999] * 999])]
    journal.write(records, [], 0)
    sizes = sorted(len(row) for row in state.changes.values() if row is not None)
    assert sizes[-2] < 1.2 * FULL
    assert sizes[-1] < 3.1 * FULL
    assert [record.number for record in Journal(state).read()] == [record.number for record in records]


@pytest.mark.parametrize("how", How)
def test_once_the_clock_has_passed_all_windows_the_state_is_empty(how: How) -> None:
    store = MemoryStore()
    driver = Driver(StreamStreamJoin(before=10, after=10, grace=5, how=how), store)
    for number in range(1_000):
        driver.send(number % 2, b"%d" % (number // 3), b"", number)
    driver.send(Side.LEFT, b"last", b"", 10_000)
    rows = Counter(key.partition(b"/")[0] for key, _ in store.scan(b"", None))
    assert rows == {b"~declared": 1, b"~ledger": 1, b"left": 1}
    assert driver.operator.balance.pending == 1
    operator: Any = driver.operator
    windows = operator._windows
    assert not any(windows.look(b"%d" % number).side(side) for side in Side for number in range(1_000))


class Counted(int):
    """A timestamp that counts how often it is compared."""

    comparisons = 0

    def __lt__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) < int(other)

    def __gt__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) > int(other)

    def __le__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) <= int(other)

    def __ge__(self, other: int) -> bool:
        Counted.comparisons += 1
        return int(self) >= int(other)


def test_a_match_in_a_window_of_100_000_records_of_one_key_looks_at_few_of_them() -> None:
    window: list[Buffered] = []
    for timestamp in range(100_000):
        place(window, Buffered(b"hot", b"", Counted(timestamp), 0, timestamp))
    Counted.comparisons = 0
    assert len(between(window, 50_000, 50_002)) == 3
    assert Counted.comparisons < 2 * 18
    place(window, Buffered(b"hot", b"", Counted(50_000), 0, 100_000))
    assert Counted.comparisons < 4 * 18


def test_a_buffer_forgets_what_is_over_while_its_key_goes_on() -> None:
    join = StreamStreamJoin(before=10, after=10, grace=0)
    operator = join.start(State(MemoryStore()))
    for timestamp in range(10_000):
        operator.process([(Side.LEFT, Buffered(b"hot", b"", timestamp, 0, 0))])
    assert len(operator._windows.look(b"hot").left) < 200


def test_looking_at_a_key_leaves_nothing_behind() -> None:
    windows = Windows(10, 10)
    assert windows.look(b"none") == Window([], [], b"none")
    assert not windows


def test_rows_past_their_ttl_and_history_leave_the_state() -> None:
    for join in (
        StreamTableJoin(ttl=50),
        StreamTableJoin(ttl=50, history=20),
        StreamTableJoin(ttl=50, history=20, grace=5),
    ):
        store = MemoryStore()
        driver = Driver(join, store)
        for number in range(100):
            driver.send(Side.RIGHT, b"%d" % (number % 7), None if number % 5 == 0 else b"", number)
            driver.send(Side.LEFT, b"none", b"", number)
        driver.send(Side.RIGHT, b"new", b"", 1_000)
        driver.send(Side.LEFT, b"none", b"", 1_000)
        rows = [key for key, _ in store.scan(b"table1/", b"table1/\xff") if not key.endswith(b"clock")]
        assert len(rows) == 2, (join, rows)


def test_an_update_that_is_past_its_ttl_when_it_comes_leaves_the_state_too() -> None:
    store = MemoryStore()
    driver = Driver(StreamTableJoin(ttl=50), store)
    driver.send(Side.LEFT, b"none", b"", 1_000)
    driver.send(Side.RIGHT, b"old", b"", 100)
    driver.send(Side.LEFT, b"none", b"", 1_001)
    assert [key for key, _ in store.scan(b"table1/", b"table1/\xff")] == []


@pytest.mark.parametrize(
    ("join", "side"),
    [
        (StreamStreamJoin(before=0, after=10_000, grace=0), Side.LEFT),
        (StreamTableJoin(history=1_000, grace=0), Side.RIGHT),
    ],
)
def test_no_record_is_late_since_a_crash_kept_only_the_first_row_of_its_batch(
    join: StreamStreamJoin | StreamTableJoin, side: Side
) -> None:
    """A changelog gets rows in the order of their keys; what was not committed is joined again."""
    batch = [(side, Event(b"k", b"A", 0)), (side, Event(b"other", b"B", 5_000))]
    whole = MemoryStore()
    Driver(join, whole).process(batch)
    written = list(whole.scan(b"", None))
    assert len(written) > 1
    for kept in range(len(written)):
        driver = Driver(join, MemoryStore(dict(written[:kept])))
        driver.process(batch)
        assert driver.send(1 - side, b"k", b"C", 6_000).results, written[:kept]
