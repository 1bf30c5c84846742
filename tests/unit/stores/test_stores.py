"""Every store keeps what a plain dict would, over restarts where it is on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from redis_server import RedisServer

from streamapp.joins import Row
from streamapp.stores.cache import RowCache
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.partition import PartitionStore
from streamapp.stores.redis import RedisPartition
from streamapp.stores.rocksdb import RocksDBPartition, shared
from streamapp.stores.standing import Standing

#: How each store opens the partition of a test, which lives in its directory; a new one has one line here.
STORES: dict[str, Callable[[Path, RedisServer], PartitionStore]] = {
    "memory": lambda *_: MemoryPartition(),
    "rocksdb": lambda directory, _: RocksDBPartition(directory / "db", shared(8 << 20)),
    "rocksdb with hardly a cache": lambda directory, _: RocksDBPartition(directory / "db", shared(4 << 10)),
    "redis": lambda directory, redis: in_redis(directory, redis, 8 << 20),
    "redis with hardly a cache": lambda directory, redis: in_redis(directory, redis, 4 << 10),
}
#: Those whose rows are gone once they are closed.
VOLATILE = {"memory"}

Open = Callable[[], PartitionStore]


def in_redis(directory: Path, redis: RedisServer, cache: int) -> RedisPartition:
    return RedisPartition(redis.client(), str(directory), RowCache(cache), redis.url)


TIMES = st.integers(-(2**40), 2**45)
KEYS = st.binary(min_size=1, max_size=2)
ROWS = st.builds(Row, st.binary(max_size=200), TIMES)
CHANGES = st.dictionaries(KEYS, st.none() | ROWS, max_size=20)


@pytest.fixture(params=STORES)
def open_store(request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer) -> Iterator[Open]:
    """Opens the partition; once more is after a restart, without the one before having been closed by the test."""
    opened: list[PartitionStore] = []

    def open_again() -> PartitionStore:
        while opened:
            opened.pop().close()
        opened.append(STORES[request.param](tmp_path, redis))
        return opened[-1]

    yield open_again
    while opened:
        opened.pop().close()


@pytest.fixture
def store(open_store: Open) -> PartitionStore:
    return open_store()


@pytest.fixture
def durable(request: pytest.FixtureRequest) -> bool:
    return request.node.callspec.params["open_store"] not in VOLATILE


class LikeADict(RuleBasedStateMachine):
    """Does to a store and to a dict what a worker does to a partition, in any order."""

    def __init__(self, kind: str, redis: RedisServer) -> None:
        super().__init__()
        self._kind = kind
        self._redis = redis
        self._exit = ExitStack()
        self._directory = Path(self._exit.enter_context(TemporaryDirectory()))
        self.model: dict[bytes, Row] = {}
        self.offset: int | None = None

    @initialize()
    def open(self) -> None:
        self.store = STORES[self._kind](self._directory, self._redis)

    def teardown(self) -> None:
        with self._exit:
            self.store.close()

    def _changed(self, changes: dict[bytes, Row | None]) -> int:
        for key, row in changes.items():
            self.model.pop(key, None) if row is None else self.model.update({key: row})
        self.offset = (self.offset or 0) + len(changes)
        return self.offset

    @rule(changes=CHANGES)
    def write(self, changes: dict[bytes, Row | None]) -> None:
        self.store.write(changes, self._changed(changes))

    @rule(changes=CHANGES)
    def restore(self, changes: dict[bytes, Row | None]) -> None:
        self.store.restore(changes, self._changed(changes))

    @rule()
    def close_and_open(self) -> None:
        self.store.close()
        self.open()
        if self._kind in VOLATILE:
            self.model, self.offset = {}, None

    @rule()
    def clear(self) -> None:
        self.store.clear()
        self.model, self.offset = {}, None

    @rule(key=KEYS)
    def get(self, key: bytes) -> None:
        assert self.store.get(key) == self.model.get(key)

    @rule(keys=st.lists(KEYS, max_size=30))
    def get_many(self, keys: list[bytes]) -> None:
        assert self.store.get_many(keys) == [self.model.get(key) for key in keys]

    @rule(keys=st.lists(KEYS, max_size=30), then=st.none() | CHANGES)
    def get_many_ahead(self, keys: list[bytes], then: dict[bytes, Row | None] | None) -> None:
        self.store.read_ahead(keys)
        if then is not None:
            self.write(then)
        self.get_many(keys)

    @rule(before=TIMES, limit=st.integers(0, 10))
    def expired(self, before: int, limit: int) -> None:
        times = sorted(row.timestamp for row in self.model.values() if row.timestamp < before)
        keys = self.store.expired(before, limit)
        assert len(set(keys)) == len(keys)
        assert [self.model[key].timestamp for key in keys] == times[:limit]

    @rule(before=TIMES)
    def expire(self, before: int) -> None:
        while keys := self.store.expired(before, 5):
            self.write(dict.fromkeys(keys))
        assert all(row.timestamp >= before for row in self.model.values())

    @invariant()
    def same(self) -> None:
        assert dict(self.store.items()) == self.model
        assert self.store.offset == self.offset


@pytest.mark.parametrize("kind", STORES)
def test_a_store_keeps_what_a_dict_would(kind: str, redis: RedisServer) -> None:
    few = settings(max_examples=40, stateful_step_count=25, deadline=None)
    run_state_machine_as_test(lambda: LikeADict(kind, redis), settings=few)  # type: ignore[arg-type]


def test_a_new_store_has_no_rows_and_no_offset(store: PartitionStore) -> None:
    assert (store.offset, dict(store.items()), store.get(b"key"), store.get_many([])) == (None, {}, None, [])


def test_how_a_store_stands_to_its_changelog_is_kept_until_it_is_cleared(store: PartitionStore) -> None:
    assert store.standing == Standing()
    store.stand(Standing("id", 1_000, "next", {"clicks": "another"}))
    store.write({}, 5)
    assert store.standing == Standing("id", 1_000, "next", {"clicks": "another"})
    store.clear()
    assert store.standing == Standing()


def test_a_write_of_nothing_still_moves_the_offset(store: PartitionStore) -> None:
    store.write({}, 5)
    assert store.offset == 5


def test_rows_that_are_looked_up_more_than_once_come_once_for_each(store: PartitionStore) -> None:
    store.write({b"a": Row(b"1", 1), b"b": Row(b"2", 2)}, 1)
    assert store.get_many([b"b", b"a", b"no", b"b"]) == [Row(b"2", 2), Row(b"1", 1), None, Row(b"2", 2)]


def test_a_row_that_was_looked_up_is_seen_as_it_was_written_after(store: PartitionStore) -> None:
    store.write({b"key": Row(b"old", 1), b"gone": Row(b"", 1)}, 1)
    assert store.get_many([b"key", b"gone", b"new"]) == [Row(b"old", 1), Row(b"", 1), None]
    store.write({b"key": Row(b"young", 2), b"gone": None, b"new": Row(b"", 3)}, 2)
    assert store.get_many([b"key", b"gone", b"new"]) == [Row(b"young", 2), None, Row(b"", 3)]
    store.restore({b"key": Row(b"restored", 3)}, 3)
    assert store.get(b"key") == Row(b"restored", 3)


def test_the_oldest_rows_expire_first_and_are_not_found_again_once_deleted(store: PartitionStore) -> None:
    store.write({b"%d" % time: Row(b"", time) for time in range(10)}, 1)
    assert store.expired(5, 3) == [b"0", b"1", b"2"]
    store.write(dict.fromkeys([b"0", b"1", b"2"]), 2)
    assert store.expired(5, 3) == [b"3", b"4"]
    store.write({b"late": Row(b"", 1)}, 3)
    assert store.expired(5, 1) == [b"late"]


def test_a_row_expires_by_its_latest_time_however_it_was_written(store: PartitionStore) -> None:
    store.restore({b"a": Row(b"", 1), b"b": Row(b"", 1), b"c": Row(b"", 1)}, 1)
    store.restore({b"a": Row(b"", 9), b"b": None}, 2)
    assert store.expired(5, 10) == [b"c"]
    store.write({b"c": Row(b"", 9)}, 3)
    assert store.expired(5, 10) == []
    assert store.expired(10, 10) == [b"a", b"c"]


def test_a_cleared_store_is_as_new_and_can_be_written(open_store: Open, durable: bool) -> None:
    store = open_store()
    store.write({b"key": Row(b"value", 1)}, 7)
    store.clear()
    assert (store.offset, dict(store.items()), store.get(b"key"), store.expired(10, 10)) == (None, {}, None, [])
    store.write({b"other": Row(b"value", 2)}, 1)
    if durable:
        store = open_store()
    assert (store.offset, dict(store.items())) == (1, {b"other": Row(b"value", 2)})


def test_a_durable_store_is_the_same_after_it_was_closed(open_store: Open, durable: bool) -> None:
    store = open_store()
    store.write({b"key": Row(b"value", -5), b"gone": Row(b"", 1)}, 3)
    store.write({b"gone": None}, 4)
    store = open_store()
    assert (store.offset, dict(store.items())) == ((4, {b"key": Row(b"value", -5)}) if durable else (None, {}))
