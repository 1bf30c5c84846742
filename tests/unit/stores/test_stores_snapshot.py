"""A snapshot has the rows of its moment, each once, whatever is written while it is read."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis_server import RedisServer

from streamapp.joins import Row
from streamapp.stores.cache import RowCache
from streamapp.stores.memory import MemoryPartition, OrderedMemoryPartition
from streamapp.stores.partition import Changes, PartitionStore
from streamapp.stores.redis import RedisPartition
from streamapp.stores.rocksdb import RocksDBPartition, shared
from streamapp.stores.snapshot import ClosedError, PositionError, Snapshot

STORES: dict[str, Callable[[Path], PartitionStore]] = {
    "memory": lambda _: MemoryPartition(),
    "ordered memory": lambda _: OrderedMemoryPartition(),
    "rocksdb": lambda directory: RocksDBPartition(directory / "db", shared(8 << 20)),
}
CHANGES = st.dictionaries(st.binary(min_size=1, max_size=2), st.none() | st.builds(Row, st.binary(), st.integers(0, 9)))


def pieces(snapshot: Snapshot, limit: int, start: bytes = b"") -> Iterator[list[tuple[bytes, Row]]]:
    """Go through a snapshot piece by piece."""
    position: bytes | None = snapshot.begin(start)
    while position is not None:
        rows, position = snapshot.read(position, limit)
        yield list(rows)


def rows_of(snapshot: Snapshot, limit: int = 7) -> list[tuple[bytes, Row]]:
    return [row for piece in pieces(snapshot, limit) for row in piece]


def written(store: PartitionStore, *all_changes: Changes) -> dict[bytes, Row]:
    """Write changes, and return what a dict would have by then."""
    model: dict[bytes, Row | None] = {}
    for offset, changes in enumerate(all_changes, 1):
        store.write(changes, offset)
        model.update(changes)
    return {key: row for key, row in model.items() if row is not None}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartitionStore]:
    store = STORES[request.param](tmp_path)
    yield store
    store.close()


@pytest.fixture
def in_redis(redis: RedisServer) -> RedisPartition:
    return RedisPartition(redis.client(), uuid4().hex, RowCache(8 << 20), redis.url)


@pytest.mark.parametrize("kind", STORES)
def test_a_snapshot_is_what_a_dict_was_whatever_is_written_amid_it(kind: str) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(CHANGES, max_size=3), st.lists(CHANGES, max_size=8), st.integers(1, 5))
    def like_a_dict(before: list[Changes], amid: list[Changes], limit: int) -> None:
        with TemporaryDirectory() as directory:
            store = STORES[kind](Path(directory))
            model, found = written(store, *before), []
            snapshot = store.snapshot()
            changes = iter(amid)
            for piece in pieces(snapshot, limit):
                assert len(piece) <= limit
                found += piece
                if (change := next(changes, None)) is not None:
                    store.write(change, 100)
            assert sorted(found) == sorted(model.items())
            assert len(found) == len(dict(found))
            assert snapshot.offset == len(before)
            snapshot.close()
            store.close()

    like_a_dict()


def test_a_piece_is_read_again_from_its_position(store: PartitionStore) -> None:
    written(store, {b"%d" % number: Row(b"v", number) for number in range(10)})
    snapshot = store.snapshot()
    first = snapshot.read(snapshot.begin(b""), 4)
    store.write({b"0": None, b"5": Row(b"new", 99)}, 7)
    assert snapshot.read(snapshot.begin(b""), 4) == first
    assert first.next is not None
    assert snapshot.read(first.next, 4) == snapshot.read(first.next, 4)


def test_reading_goes_on_after_any_row_of_a_piece(store: PartitionStore) -> None:
    model = written(store, {b"%d" % number: Row(b"v", number) for number in range(10)})
    snapshot = store.snapshot()
    begin = snapshot.begin(b"")
    rows, _ = snapshot.read(begin, 6)
    for count in range(1, 7):
        rest = snapshot.read(snapshot.after(begin, count, rows[count - 1][0]), 10).rows
        assert dict([*rows[:count], *rest]) == model


def test_a_store_that_is_cleared_closes_its_snapshots(store: PartitionStore) -> None:
    written(store, {b"a": Row(b"v", 1)})
    snapshot = store.snapshot()
    store.clear()
    with pytest.raises(ClosedError):
        snapshot.read(b"", 1)


def test_a_snapshot_that_is_made_while_rows_are_cleared_is_of_after_that() -> None:
    store, made = MemoryPartition(), list[Snapshot]()
    written(store, {b"a": Row(b"v", 1)})
    close, beside = store._snapshots.close, threading.Thread(target=lambda: made.append(store.snapshot()))

    def close_and_look() -> None:
        close()
        beside.start()
        beside.join(0.2)  # it has to wait for the end

    store._snapshots.close = close_and_look  # type: ignore[method-assign]
    store.clear()
    beside.join(30)
    (snapshot,) = made
    assert (snapshot.offset, rows_of(snapshot)) == (0, [])


@pytest.mark.parametrize("position", [b"x", b"-1", b"11", b"9" * 5_000, b"1.0"])
def test_what_is_no_place_among_the_rows_is_no_position(position: bytes) -> None:
    store = MemoryPartition()
    written(store, {b"%d" % number: Row(b"v", number) for number in range(10)})
    with pytest.raises(PositionError):
        store.snapshot().read(position, 1)


@pytest.mark.parametrize("position", [b"x", b"1", b"-1 0", b"1 x", b"9" * 30 + b" 1", b"99999999999999999999 0"])
def test_what_redis_has_not_told_is_no_position(in_redis: RedisPartition, position: bytes) -> None:
    with pytest.raises(PositionError):
        in_redis.snapshot().read(position, 1)


def test_a_database_with_an_open_snapshot_can_be_closed_and_opened_again(tmp_path: Path) -> None:
    store = RocksDBPartition(tmp_path / "db", shared(8 << 20))
    written(store, {b"a": Row(b"v", 1)})
    snapshot = store.snapshot()
    snapshot.read(b"", 1)
    store.close()
    RocksDBPartition(tmp_path / "db", shared(8 << 20)).close()


def test_rocksdb_begins_at_the_first_key_that_is_asked_for(tmp_path: Path) -> None:
    store = RocksDBPartition(tmp_path / "db", shared(8 << 20))
    written(store, {b"%d" % number: Row(b"v", number) for number in range(10)})
    assert [key for piece in pieces(store.snapshot(), 2, b"75") for key, _ in piece] == [b"8", b"9"]
    store.close()


def test_redis_gives_each_row_that_stays_once(in_redis: RedisPartition) -> None:
    model = written(in_redis, {b"k%d" % number: Row(b"v" * 100, number) for number in range(5_000)})
    scan, found = in_redis.snapshot(), []
    for piece in pieces(scan, 100):
        found += piece
        in_redis.write({b"new%d" % len(found): Row(b"n", 1)}, 1 + len(found))  # the hash grows meanwhile
    kept = [row for row in found if not row[0].startswith(b"new")]
    assert sorted(kept) == sorted(model.items())
    assert not scan.exact


def test_redis_goes_on_after_any_row_of_a_piece(in_redis: RedisPartition) -> None:
    model = written(in_redis, {b"k%d" % number: Row(b"v", number) for number in range(3_000)})
    scan, position, found = in_redis.snapshot(), b"", list[tuple[bytes, Row]]()
    while True:
        rows, following = scan.read(position, 10)
        found += rows[:400]
        if len(rows) > 400:
            position = scan.after(position, 400, rows[399][0])
        elif following is None:
            break
        else:
            position = following
    assert sorted(found) == sorted(model.items())


def test_it_is_known_how_much_there_is(store: PartitionStore, in_redis: RedisPartition) -> None:
    for one in (store, in_redis):
        assert one.measure()[0] == 0
        written(one, {b"a": Row(b"v" * 10_000, 5), b"b": Row(b"v" * 10_000, 3)})
        rows, size, newest, offset = one.measure()
        assert (rows, newest, offset) == (2, None if isinstance(one, OrderedMemoryPartition) else 5, 1)
        assert size > 10_000


@pytest.mark.parametrize("kind", STORES)
def test_a_closed_store_says_so_to_who_asks_for_a_snapshot_and_not_that_it_has_no_rows(
    kind: str, tmp_path: Path
) -> None:
    store = STORES[kind](tmp_path)
    store.close()
    for asked in (store.snapshot, store.measure):
        with pytest.raises(ClosedError):
            asked()
