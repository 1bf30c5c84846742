"""Processes that write to a store until they are killed, and what they have written."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable
from ctypes import c_longlong
from functools import partial
from pathlib import Path
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from streamapp.joins import Row
from streamapp.stores.cache import RowCache
from streamapp.stores.partition import PartitionStore
from streamapp.stores.redis import RedisPartition
from streamapp.stores.rocksdb import RocksDBPartition, shared

__all__ = ["KEYS", "Killed", "changes", "in_redis", "in_rocksdb", "keep_clearing", "keep_writing", "rows_after"]

#: Rows have one of so many keys.
KEYS = 500
#: Clears are told apart in `keep_clearing` by the numbers of the writes after them.
EPOCH = 1000

Rows = dict[bytes, Row]
Open = Callable[[], PartitionStore]
Writer = Callable[[PartitionStore, int, Any], None]

# The process that is forked has no RocksDB open, whose threads a fork does not copy.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["streamapp.stores.redis", "streamapp.stores.rocksdb"])


def in_rocksdb(path: Path, memory: int) -> Open:
    """Say where a database is; the fewer bytes it has, the more often rows go to disk and files are merged."""
    return partial(_open_rocksdb, path, memory)


def _open_rocksdb(path: Path, memory: int) -> RocksDBPartition:
    return RocksDBPartition(path, shared(memory))


def in_redis(port: int, name: str) -> Open:
    """Say where a partition in a Redis is."""
    return partial(_open_redis, port, name)


def _open_redis(port: int, name: str) -> RedisPartition:
    return RedisPartition(
        Redis(port=port, retry=Retry(NoBackoff(), 0)), name, RowCache(1 << 20), f"redis://127.0.0.1:{port}/0"
    )


class Killed:
    """A writer that runs again and again until a random moment of its life, and is ended by SIGKILL.

    Args:
        writer: `keep_writing` or `keep_clearing`.
        opens: opens its store.
        seed: of what is written.
    """

    def __init__(self, writer: Writer, opens: Open, seed: int) -> None:
        self.open = opens
        self._args = (writer, opens, seed)
        self._stored: Any = processes.Value(c_longlong, 0, lock=False)

    @property
    def stored(self) -> int:
        """The offset after the last write that had returned."""
        return int(self._stored.value)

    @stored.setter
    def stored(self, offset: int) -> None:
        self._stored.value = offset

    def run(self, kill: Callable[[], None] | None = None) -> None:
        """Let it run for up to 0.2 s from when it begins to open the store, or, each other time, after two writes.

        Args:
            kill: kills something else, which the writer then ends of.
        """
        begun = processes.Event()
        process = processes.Process(target=_run, args=(begun, self._stored, *self._args), daemon=True)
        process.start()
        begun.wait()
        if random.random() < 0.5:  # on a busy machine it would else hardly come to write
            seen = {self.stored}
            while len(seen) < 3 and process.is_alive():
                time.sleep(0.001)
                seen.add(self.stored)
        time.sleep(random.uniform(0, 0.2))
        assert process.exitcode is None, "it ended by itself"
        (kill or process.kill)()
        process.join()


def _run(begun: Any, stored: Any, writer: Writer, opens: Open, seed: int) -> None:
    begun.set()
    try:
        writer(opens(), seed, stored)
    except ConnectionError:  # the store was killed, not its writer
        return


def keep_writing(partition: PartitionStore, seed: int, stored: Any) -> None:
    """Write for ever, and tell the offset after each write."""
    number = stored.value = partition.offset or 0  # the write amid which the one before was killed may be there
    while True:
        _write(partition, seed, number)
        number += 1
        stored.value = number


def keep_clearing(partition: PartitionStore, seed: int, stored: Any) -> None:
    """Write up to five times and clear, for ever; the writes after a clear are numbered from the next epoch on."""
    while True:
        first = stored.value = stored.value + EPOCH
        partition.clear()
        for number in range(first, first + random.randrange(1, 6)):
            _write(partition, seed, number)


def _write(partition: PartitionStore, seed: int, number: int) -> None:
    bulk = number % 3 == 0
    (partition.restore if bulk else partition.write)(changes(seed, number), number + 1)


def changes(seed: int, number: int) -> dict[bytes, Row | None]:
    """Give what the write with this number writes: mostly a few rows, at times most of them."""
    chance = random.Random(f"{seed} {number}")
    keys = chance.sample(range(KEYS), chance.choice([1, 5, 20, 400]))
    return {
        b"%d" % key: None if chance.random() < 0.2 else Row(chance.randbytes(chance.choice([0, 100])), number)
        for key in keys
    }


def rows_after(seed: int, offset: int) -> Rows:
    """Give the rows of a store with this offset, which was empty at the beginning of its epoch."""
    rows: dict[bytes, Row | None] = {}
    for number in range(offset - offset % EPOCH, offset):
        rows |= changes(seed, number)
    return {key: row for key, row in rows.items() if row is not None}
