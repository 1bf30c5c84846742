"""Hot rows: always those of the store, and never more of them than were allowed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Row
from streamapp.stores.cache import RowCache

KEYS = st.binary(min_size=1, max_size=1)
ROWS = st.builds(Row, st.binary(max_size=300), st.just(1))
STEPS = st.lists(
    st.tuples(st.just("write"), st.dictionaries(KEYS, st.none() | ROWS, max_size=5))
    | st.tuples(st.just("get_many"), st.lists(KEYS, max_size=9))
    | st.tuples(st.just("get"), KEYS)
    | st.tuples(st.just("read_ahead"), st.lists(KEYS, max_size=9))
    | st.tuples(st.just("get_ahead"), st.none())
    | st.tuples(st.just("clear"), st.none()),
    max_size=60,
)


class Stored:
    """A store that counts what is read from it."""

    def __init__(self, rows: dict[bytes, Row] | None = None) -> None:
        self.rows: dict[bytes, Row | None] = dict(rows or {})
        self.read: list[bytes] = []

    def load(self, keys: Sequence[bytes]) -> list[Row | None]:
        assert len(set(keys)) == len(keys)
        self.read += keys
        return [self.rows.get(key) for key in keys]

    def begin(self, keys: Sequence[bytes]) -> Callable[[], list[Row | None]]:
        """Read at once what is asked for later."""
        rows = self.load(keys)
        return lambda: rows


def users(count: int) -> dict[bytes, Row]:
    return {b"%d" % number: Row(b"x" * 50, number) for number in range(count)}


@given(steps=STEPS, capacity=st.integers(0, 5_000))
def test_rows_are_those_of_the_store_whatever_the_cache_has_room_for(steps, capacity: int) -> None:
    cache = RowCache(capacity)
    stores = Stored(), Stored()
    parts = [cache.partition(stored.begin) for stored in stores]
    ahead: list[list[bytes]] = [[], []]
    for number, (step, what) in enumerate(steps):
        stored, rows = stores[number % 2], parts[number % 2]
        if step == "write":
            stored.rows |= what
            rows.written(what)
        elif step == "get_many":
            assert rows.get_many(what) == [stored.rows.get(key) for key in what]
        elif step == "read_ahead":
            rows.read_ahead(what)
            ahead[number % 2] = what
        elif step == "get_ahead":
            keys = list(ahead[number % 2])
            assert rows.get_many(keys) == [stored.rows.get(key) for key in keys]
        elif step == "get":
            assert rows.get(what) == stored.rows.get(what)
        else:
            stored.rows.clear()
            rows.clear()


def test_a_row_is_read_from_the_store_once_while_it_is_hot() -> None:
    stored = Stored(users(10))
    rows = RowCache(1 << 20).partition(stored.begin)
    for _ in range(3):
        assert rows.get_many([b"1", b"2", b"1", b"missing"]) == [*map(stored.rows.get, (b"1", b"2", b"1")), None]
        assert rows.get(b"3") == stored.rows[b"3"]
    assert sorted(stored.read) == [b"1", b"2", b"3", b"missing"]


def test_a_row_in_use_stays_while_others_go() -> None:
    stored = Stored(users(10_000))
    rows = RowCache(100_000).partition(stored.begin)
    for number in range(10_000):
        rows.get(b"%d" % number)
        rows.get(b"7")
    assert stored.read.count(b"7") == 1
    rows.get(b"1")
    assert stored.read.count(b"1") == 2


def test_rows_that_hardly_come_again_leave_those_in_use() -> None:
    stored = Stored(users(10_000))
    rows = RowCache(100_000).partition(stored.begin)
    hot = [b"%d" % number for number in range(100)]
    rows.get_many(hot)
    for start in range(100, 10_000, 100):
        rows.get_many([b"%d" % number for number in range(start, start + 100)])
        if start % 400 == 0:
            rows.get_many(hot)
    assert sum(map(stored.read.count, hot)) == len(hot)


def test_partitions_together_keep_no_more_bytes_than_allowed() -> None:
    capacity = 1_000_000
    cache = RowCache(capacity)
    stored = Stored({b"%d" % number: Row(b"x" * (number % 500), number) for number in range(20_000)})
    parts = [cache.partition(stored.begin) for _ in range(3)]
    largest = 0
    for start in range(0, 20_000, 100):
        parts[start // 100 % 3].get_many([b"%d" % number for number in range(start, start + 100)])
        kept = [rows for part in parts for rows in (part._young, part._old)]
        largest = max(largest, sum(map(size, kept)))
    assert capacity / 3 < largest <= capacity


def size(rows: dict[bytes, Row | None]) -> int:
    objects = [thing for key, row in rows.items() if row for thing in (key, row, row.value, row.timestamp)]
    return sys.getsizeof(rows) + sum(map(sys.getsizeof, objects))


def test_a_row_written_while_it_is_read_is_not_kept_as_it_was_before() -> None:
    stored = Stored({b"key": Row(b"old", 1)})

    def load(keys: Sequence[bytes]) -> list[Row | None]:
        found = stored.load(keys)
        if stored.rows[b"key"] == Row(b"old", 1):
            stored.rows[b"key"] = Row(b"new", 2)
            rows.written({b"key": Row(b"new", 2), b"large": Row(bytes(2_000), 1)})
        return found

    for capacity in (1 << 20, 1_000):
        stored.rows[b"key"] = Row(b"old", 1)
        rows = RowCache(capacity).partition(lambda keys: partial(load, keys))
        assert rows.get(b"key") == Row(b"old", 1)
        assert rows.get(b"key") == Row(b"new", 2)


def test_rows_that_were_read_ahead_are_not_read_again() -> None:
    stored = Stored(users(10))
    rows = RowCache(1 << 20).partition(stored.begin)
    keys = [b"1", b"2", b"1", b"missing"]
    rows.read_ahead(keys)
    assert rows.get_many([b"3"]) == [stored.rows[b"3"]]
    assert rows.get_many(list(keys)) == [*map(stored.rows.get, (b"1", b"2", b"1")), None]
    assert stored.read == [b"1", b"2", b"missing", b"3"]


def test_rows_that_were_read_ahead_of_a_write_are_read_again() -> None:
    stored = Stored(users(10))
    rows = RowCache(1 << 20).partition(stored.begin)
    rows.read_ahead([b"1", b"2"])
    stored.rows[b"2"] = Row(b"new", 1)
    rows.written({b"2": Row(b"new", 1)})
    assert rows.get_many([b"1", b"2"]) == [stored.rows[b"1"], Row(b"new", 1)]
    rows.read_ahead([b"1", b"2"])
    stored.rows.clear()
    rows.clear()
    assert rows.get_many([b"1", b"2"]) == [None, None]


def test_what_is_read_ahead_takes_no_more_bytes_than_a_generation() -> None:
    stored = Stored({b"%d" % number: Row(b"x" * 1_000, 1) for number in range(100)})
    cache = RowCache(100_000)
    first, second = (cache.partition(stored.begin) for _ in range(2))
    keys = [b"%d" % number for number in range(30)]
    first.get_many([b"99"])
    first.read_ahead(keys)
    second.read_ahead(keys)
    assert stored.read == [b"99", *keys]
    assert first.get_many(keys) == second.get_many(keys)
