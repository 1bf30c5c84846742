"""The logs of a RocksDB, looked through before it is opened."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from streamapp.joins import Row
from streamapp.stores.rocksdb import RocksDBPartition, shared
from streamapp.stores.wal import cut_damage

WRITES = 50


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """The log of a database that was killed after some writes, the larger ones in parts."""
    store = RocksDBPartition(tmp_path / "open", shared(64 << 20))
    for number in range(1, WRITES + 1):
        store.write({b"%d" % number: Row(random.Random(number).randbytes(number * 1_000), number)}, number)
    shutil.copytree(tmp_path / "open", tmp_path / "killed")
    store.close()
    (found,) = (log for log in (tmp_path / "killed").glob("*.log") if log.stat().st_size)
    return found


def test_a_log_that_is_sound_stays_as_it_is(log: Path) -> None:
    before = log.read_bytes()
    cut_damage(log.parent)
    assert log.read_bytes() == before


@pytest.mark.parametrize("damage", [bytes, random.Random(1).randbytes], ids=["zeroes", "noise"])
def test_what_comes_after_a_damaged_record_is_cut_off_and_so_are_later_logs(log: Path, damage: object) -> None:
    whole, later = log.read_bytes(), log.with_name(f"{int(log.stem) + 1:06}.log")
    later.write_bytes(whole)
    middle = len(whole) // 2
    log.write_bytes(whole[:middle] + damage(len(whole) - middle))  # type: ignore[operator]
    cut_damage(log.parent)
    left = log.read_bytes()
    assert whole.startswith(left)
    assert middle - (32 << 10) - WRITES * 1_000 < len(left) <= middle
    assert not later.exists()
    store = RocksDBPartition(log.parent, shared(64 << 20))
    assert 0 < (store.offset or 0) < WRITES
    assert [row.timestamp for _, row in sorted(store.items(), key=lambda item: item[1].timestamp)] == [
        *range(1, (store.offset or 0) + 1)
    ]
    store.close()


def test_one_byte_that_is_wrong_is_damage(log: Path) -> None:
    whole = bytearray(log.read_bytes())
    whole[len(whole) // 3] ^= 1
    log.write_bytes(whole)
    cut_damage(log.parent)
    assert log.stat().st_size <= len(whole) // 3
