"""A store that is killed at any moment, or whose writer is, has exactly the rows of the offset that it stored.

The moments are random: while the database is opened, in the midst of a write, of a flush, of a merge of files. The
seeds that are printed give what was written; the moments are not theirs to give again.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from redis_server import RedisServer
from writers import KEYS, Killed, Open, changes, in_redis, in_rocksdb, keep_clearing, keep_writing, rows_after

from streamapp.joins import Row
from streamapp.stores.partition import PartitionStore

#: Kills in one test.
ROUNDS = 20
#: Bytes that make a database busy with its files, and such that leave most of its rows in the log.
TIGHT, AMPLE = 256 << 10, 8 << 20


@pytest.fixture
def seed() -> int:
    seed = random.SystemRandom().randrange(1 << 32)
    print(f"seed {seed}")
    return seed


@pytest.fixture(params=["rocksdb", "rocksdb with hardly a cache", "redis"])
def partition(request: pytest.FixtureRequest, tmp_path: Path, redis: RedisServer) -> Open:
    """Opens a partition, here and in other processes."""
    if request.param == "redis":
        return in_redis(redis.port, str(tmp_path))
    return in_rocksdb(tmp_path / "db", AMPLE if request.param == "rocksdb" else TIGHT)


def check(partition: PartitionStore, rows: dict[bytes, Row]) -> None:
    """Compare all rows, single ones, and the index of times."""
    assert dict(partition.items()) == rows
    keys = [b"%d" % key for key in range(KEYS)]
    assert partition.get_many(keys) == [rows.get(key) for key in keys]
    middle = sorted(row.timestamp for row in rows.values())[len(rows) // 2] if rows else 0
    assert set(partition.expired(middle, KEYS)) == {key for key, row in rows.items() if row.timestamp < middle}


def test_after_a_kill_there_is_every_write_that_had_returned_and_no_part_of_another(partition: Open, seed: int) -> None:
    writer = Killed(keep_writing, partition, seed)
    follow(writer, seed, writer.run)


def test_after_redis_is_killed_there_are_all_returned_writes_and_no_half_one(tmp_path: Path, seed: int) -> None:
    server = RedisServer(tmp_path)
    server.start()
    writer = Killed(keep_writing, in_redis(server.port, "rows"), seed)

    def run() -> None:
        writer.run(server.kill)
        server.start()

    try:
        follow(writer, seed, run)
    finally:
        server.kill()


def follow(writer: Killed, seed: int, run: Callable[[], None]) -> None:
    """Let a writer run and be killed again and again, and compare what is there with what it had written."""
    rows: dict[bytes, Row] = {}
    known = 0
    for _ in range(ROUNDS):
        run()
        store = writer.open()
        offset = store.offset or 0
        assert offset in {writer.stored, writer.stored + 1}
        for number in range(known, offset):
            for key, row in changes(seed, number).items():
                rows.pop(key, None) if row is None else rows.update({key: row})
        known = offset
        check(store, rows)
        store.close()
    print(f"{ROUNDS} kills in {known:,} writes")
    assert known > ROUNDS


@pytest.mark.parametrize("damage", ["cut off", "zeroes", "noise"])
def test_after_the_end_of_the_log_was_lost_the_rows_are_those_of_an_earlier_offset(
    tmp_path: Path, seed: int, damage: str
) -> None:
    lost = 0
    for number in range(ROUNDS):
        writer = Killed(keep_writing, in_rocksdb(tmp_path / str(number), random.choice([TIGHT, AMPLE])), seed)
        writer.run()
        damage_log(tmp_path / str(number), damage)
        store = writer.open()
        offset = store.offset or 0
        assert offset <= writer.stored + 1
        lost += writer.stored - offset
        check(store, rows_after(seed, offset))
        store.close()
    print(f"{ROUNDS} kills, {lost} writes lost with the end of a log")
    assert lost


def damage_log(path: Path, damage: str) -> None:
    """Do to a log what the failure of a machine does: what it had not forced to the disk is lost."""
    logs = [log for log in path.glob("*.log") if log.stat().st_size]
    if not logs:
        return
    damaged = random.choice(logs)
    size = damaged.stat().st_size
    start = random.randrange(size)
    if damage == "cut off":
        os.truncate(damaged, start)
    else:
        with damaged.open("r+b") as log:
            log.seek(start)
            log.write(bytes(size - start) if damage == "zeroes" else random.randbytes(size - start))


def test_after_a_kill_amid_a_clear_there_are_rows_with_their_offset_or_neither(partition: Open, seed: int) -> None:
    writer = Killed(keep_clearing, partition, seed)
    offsets = []
    for _ in range(ROUNDS):
        writer.run()
        store = writer.open()
        offsets.append(store.offset)
        check(store, rows_after(seed, store.offset or 0))
        store.close()
    print(f"offsets {offsets}")
    assert any(offsets)
