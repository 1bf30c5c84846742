"""RocksDB: what becomes of a database that is damaged, held by another process, or half removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from streamapp.joins import Row
from streamapp.stores.errors import StoreError
from streamapp.stores.rocksdb import HANDED_KEYS, RocksDBPartition, shared

MEMORY = shared(1 << 20)


def open_at(directory: Path) -> RocksDBPartition:
    return RocksDBPartition(directory / "db", MEMORY)


def filled(directory: Path, rows: int = 3) -> Path:
    """Make a database whose rows are in files, and close it; each of its rows is too large for two in one block."""
    partition = open_at(directory)
    partition.write({b"%d" % number: Row(os.urandom(5_000), number) for number in range(rows)}, rows)
    partition._db.flush()
    partition.close()
    return directory / "db"


def overwrite(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(b"\xff" * len(data))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *[(name, damage) for name in ("CURRENT", "*.sst") for damage in (Path.unlink, truncate, overwrite)],
        ("MANIFEST-*", Path.unlink),
        ("MANIFEST-*", overwrite),
    ],
)
def test_a_database_with_a_damaged_file_is_opened_empty(
    tmp_path: Path, name: str, damage: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    path = filled(tmp_path)
    for file in path.glob(name):
        damage(file)
    again = open_at(tmp_path)
    assert (again.offset, again.get(b"1"), dict(again.items()), again.expired(9, 9)) == (None, None, {}, [])
    again.close()
    assert f"{path} is damaged and is made anew from the changelog" in caplog.text
    assert [other.name for other in tmp_path.iterdir()] == ["db"]


@pytest.mark.parametrize(
    "use",
    [
        lambda partition: partition.get(b"50"),
        lambda partition: partition.get_many([b"1", b"50"]),
        lambda partition: partition.write({b"50": None}, 101),
        lambda partition: list(partition.items()),
        lambda partition: partition.expired(1_000, 1_000),
    ],
    ids=["get", "get_many", "write", "items", "expired"],
)
def test_damage_met_in_use_is_told_in_one_line_and_the_next_open_is_empty(
    tmp_path: Path, use: Callable[[RocksDBPartition], object]
) -> None:
    path = filled(tmp_path, rows=100)
    largest = max(path.glob("*.sst"), key=lambda file: file.stat().st_size)
    with largest.open("r+b") as file:
        file.write(b"\xff" * 450_000)
    partition = open_at(tmp_path)
    assert partition.offset == 100
    with pytest.raises(StoreError, match="db is damaged, and is made anew from the changelog at the next start"):
        use(partition)
    partition.close()
    again = open_at(tmp_path)
    assert (again.offset, dict(again.items())) == (None, {})
    again.close()


def test_a_database_that_another_holds_is_a_store_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamapp.stores.rocksdb.LOCK_TIMEOUT_S", 0.0)
    partition = open_at(tmp_path)
    with pytest.raises(StoreError, match="db is held by another process"):
        open_at(tmp_path)
    partition.close()


def test_what_a_killed_worker_did_not_get_to_remove_is_no_database_and_goes(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.rename(tmp_path / "db.removed")
    partition = open_at(tmp_path)
    assert partition.offset is None
    partition.clear()
    partition.close()
    assert [other.name for other in tmp_path.iterdir()] == ["db"]


def test_databases_of_one_process_share_their_memory() -> None:
    assert shared(1 << 20) is MEMORY


def test_rows_that_the_reader_reads_ahead_are_those_that_a_look_up_gives(tmp_path: Path) -> None:
    partition = open_at(tmp_path)
    users = {b"%d" % number: Row(b"%d" % number, number) for number in range(3 * HANDED_KEYS)}
    partition.restore(users, len(users))
    partition._db.flush()
    keys = [*users, b"missing", *users]
    expected = [users.get(key) for key in keys]
    assert partition.get_many(keys) == expected
    partition.read_ahead(keys)
    assert partition.get_many(keys) == expected
    partition.read_ahead(keys)
    partition.write({b"0": Row(b"new", 1), b"1": None}, len(users) + 1)
    expected[0], expected[1] = Row(b"new", 1), None
    assert partition.get_many(keys)[: len(users)] == expected[: len(users)]
    partition.close()


def test_a_database_is_closed_while_it_is_read_ahead_and_opened_again(tmp_path: Path) -> None:
    users = {b"%d" % number: Row(os.urandom(100), number) for number in range(3 * HANDED_KEYS)}
    for _ in range(5):
        partition = open_at(tmp_path)
        partition.restore(users, len(users))
        partition.read_ahead(list(users))
        partition.close()
    again = open_at(tmp_path)
    assert again.get_many(list(users)) == list(users.values())
    again.close()
