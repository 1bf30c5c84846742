"""Every store keeps what a plain dict would, over restarts where it is on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.joins import Row
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.rocksdb import RocksDBPartition, options
from streamapp.stores.store import StoreError

CACHE = 8 << 20
ROWS = st.builds(Row, st.binary(max_size=20), st.integers(-(2**40), 2**45))
CHANGES = st.dictionaries(st.binary(min_size=1, max_size=3), st.none() | ROWS, max_size=10)


@contextmanager
def memory() -> Iterator[MemoryPartition]:
    yield MemoryPartition()


@contextmanager
def rocksdb() -> Iterator[RocksDBPartition]:
    with tempfile.TemporaryDirectory() as directory:
        partition = RocksDBPartition(Path(directory) / "db", options(CACHE))
        yield partition
        partition.close()


@pytest.mark.parametrize("store", [memory, rocksdb])
@settings(max_examples=60, deadline=None)
@given(batches=st.lists(CHANGES, max_size=8), before=st.integers(-(2**40), 2**45))
def test_a_store_keeps_what_a_dict_would(store: Any, batches: list[Any], before: int) -> None:
    model: dict[bytes, Row] = {}
    with store() as partition:
        for number, changes in enumerate(batches):
            partition.write(changes, number + 1)
            for key, row in changes.items():
                model.pop(key, None) if row is None else model.update({key: row})
            assert dict(partition.items()) == model
            assert partition.offset == number + 1
            assert all(partition.get(key) == model.get(key) for key in changes)
            old = [key for key, row in model.items() if row.timestamp < before]
            assert set(partition.expired(before, 1_000)) == set(old)
            limited = partition.expired(before, 3)
            assert len(limited) == min(3, len(old))
            assert set(limited) <= set(old)


@pytest.mark.parametrize("store", [memory, rocksdb])
def test_the_oldest_rows_expire_first_and_are_not_found_again_once_deleted(store: Any) -> None:
    with store() as partition:
        partition.write({b"%d" % time: Row(b"", time) for time in range(10)}, 1)
        assert partition.expired(5, 3) == [b"0", b"1", b"2"]
        partition.write(dict.fromkeys([b"0", b"1", b"2"]), 2)
        assert partition.expired(5, 3) == [b"3", b"4"]
        partition.write({b"late": Row(b"", 1)}, 3)
        assert partition.expired(5, 1) == [b"late"]


@pytest.mark.parametrize("store", [memory, rocksdb])
def test_a_cleared_store_is_as_new(store: Any) -> None:
    with store() as partition:
        partition.write({b"key": Row(b"value", 1)}, 7)
        partition.clear()
        assert (partition.offset, dict(partition.items()), partition.expired(10, 10)) == (None, {}, [])


def test_a_partition_on_disk_is_the_same_after_it_was_closed(tmp_path: Path) -> None:
    partition = RocksDBPartition(tmp_path / "db", options(CACHE))
    partition.write({b"key": Row(b"value", -5), b"gone": Row(b"", 1)}, 3)
    partition.write({b"gone": None}, 4)
    partition.close()
    again = RocksDBPartition(tmp_path / "db", options(CACHE))
    assert (again.offset, dict(again.items())) == (4, {b"key": Row(b"value", -5)})
    again.close()


def test_a_damaged_database_is_made_anew(tmp_path: Path) -> None:
    partition = RocksDBPartition(tmp_path / "db", options(CACHE))
    partition.write({b"key": Row(b"value", 1)}, 3)
    partition.close()
    (tmp_path / "db" / "CURRENT").write_text("nonsense\n")
    again = RocksDBPartition(tmp_path / "db", options(CACHE))
    assert (again.offset, again.get(b"key")) == (None, None)
    again.close()


def test_a_database_that_another_holds_is_a_store_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.stores.rocksdb.LOCK_WAIT", 0.0)
    partition = RocksDBPartition(tmp_path / "db", options(CACHE))
    with pytest.raises(StoreError, match="db is held by another process"):
        RocksDBPartition(tmp_path / "db", options(CACHE))
    partition.close()


def test_all_databases_share_one_cache() -> None:
    assert options(CACHE) is options(CACHE)
