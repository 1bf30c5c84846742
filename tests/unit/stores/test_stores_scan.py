"""An ordered table is read in the order of its keys, with what is not in the store yet."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from faust.types import TP
from redis_server import RedisServer

from streamapp.joins import Row
from streamapp.runtime.rows import Rows
from streamapp.runtime.uncommitted import OrderedUncommitted
from streamapp.runtime.work import Work
from streamapp.stores.cache import RowCache
from streamapp.stores.memory import SCANNED_ROWS, OrderedMemoryPartition
from streamapp.stores.partition import OrderedStore
from streamapp.stores.redis import RedisPartition
from streamapp.stores.rocksdb import RocksDBPartition, shared

STORES: dict[str, Callable[[Path, RedisServer], OrderedStore]] = {
    "memory": lambda *_: OrderedMemoryPartition(),
    "rocksdb": lambda directory, _: RocksDBPartition(directory / "db", shared(8 << 20), aging=False),
    "redis": lambda directory, redis: RedisPartition(
        redis.client(), str(directory), RowCache(4 << 10), redis.url, ordered=True
    ),
}


@pytest.fixture(params=STORES)
def rows(request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer) -> OrderedUncommitted:
    return OrderedUncommitted(STORES[request.param](tmp_path, redis), TP("changelog", 0))


def put(*keys: bytes, at: int = 0) -> dict[bytes, Row | None]:
    return {key: Row(b"", at) for key in keys}


def test_a_scan_gives_stored_frozen_fresh_and_just_written_rows_in_order(rows: OrderedUncommitted) -> None:
    rows.merge(put(b"a", b"d", b"g"))
    rows.freeze()
    rows.store()
    rows.merge(put(b"b", b"e"))
    rows.freeze()
    rows.merge(put(b"c"))
    working = Rows(rows, Work())
    working.write(put(b"f"))
    assert [key for key, _ in working.scan(b"", None)] == [b"a", b"b", b"c", b"d", b"e", b"f", b"g"]
    assert [key for key, _ in working.scan(b"b", b"f")] == [b"b", b"c", b"d", b"e"]


def test_a_scan_gives_the_last_row_of_a_key_and_none_of_a_deleted_one(
    rows: OrderedUncommitted,
) -> None:
    rows.merge(put(b"a", b"b", b"c", b"d"))
    rows.freeze()
    rows.store()
    rows.merge({**put(b"a", at=1), b"b": None})
    rows.freeze()
    rows.merge({b"c": None})
    working = Rows(rows, Work())
    working.write(put(b"b", at=3))
    assert [(key, row.timestamp) for key, row in working.scan(b"", None)] == [(b"a", 1), (b"b", 3), (b"d", 0)]


def test_a_scan_goes_on_over_a_commit(rows: OrderedUncommitted) -> None:
    keys = [b"%04d" % number for number in range(2 * SCANNED_ROWS)]
    rows.merge(put(*keys))
    rows.freeze()
    scan = rows.scan(b"", None)
    assert next(scan)[0] == keys[0]
    rows.store()
    assert [key for key, _ in scan] == keys[1:]


def test_a_scan_knows_nothing_of_rows_that_were_cleared(rows: OrderedUncommitted) -> None:
    rows.committed.write(put(b"a"), 1)
    rows.committed.clear()
    rows.committed.write(put(b"b"), 1)
    assert [key for key, _ in rows.scan(b"", None)] == [b"b"]


def test_its_rows_do_not_expire(rows: OrderedUncommitted) -> None:
    rows.merge({b"old": Row(b"", 1)})
    rows.freeze()
    rows.store()
    assert rows.get(b"old") == Row(b"", 1)
    with pytest.raises(TypeError, match="the rows of an ordered table do not expire"):
        rows.committed.expired(2, 1)
