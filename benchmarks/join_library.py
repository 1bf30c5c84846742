"""The joins without Kafka: what a record costs in matching and state together.

    python benchmarks/join_library.py

Two streams of 500,000 records each, one a millisecond in all, 10,000 keys, out of order by up to 50 ms, joined within
±5 s; then one key with 100,000 records in its window. Times are the process's CPU time, the best of three runs.
"""

from __future__ import annotations

import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from streamapp.joins import Event, How, Join, MemoryStore, Record, Side, State, Store, StreamStreamJoin
from streamapp.joins.rocksdb import RocksDBStore

RECORDS = 1_000_000
KEYS = 10_000
START = 1_700_000_000_000
Records = list[tuple[Side, Event]]


def traffic(records: int, keys: int) -> Records:
    seeded = random.Random(1)
    names = [b"user-%d" % number for number in range(keys)]
    return [
        (
            Side(seeded.getrandbits(1)),
            Event(
                seeded.choice(names),
                b'{"user_id":"u%d","url":"https://shop.example.com/items/%d"}' % (number, number),
                START + number - seeded.randrange(50),
                number,
            ),
        )
        for number in range(records)
    ]


def run(join: Join[Any], records: Sequence[tuple[int, Record]], size: int, store: Store) -> tuple[float, int, int, int]:
    """Give CPU seconds, results, and rows and bytes of changes."""
    state = State(store)
    operator = join.start(state)
    results = rows = volume = 0
    spent = 0.0
    for begin in range(0, len(records), size):
        batch = records[begin : begin + size]
        before = time.process_time()
        results += len(operator.process(batch).results)
        changes = dict(state.changes)
        state.commit()
        spent += time.process_time() - before
        rows += len(changes)
        volume += sum(len(key) + len(row or b"") for key, row in changes.items())
    return spent, results, rows, volume


def report(
    name: str, join: Join[Any], records: Sequence[tuple[int, Record]], size: int, make: Callable[[], Store]
) -> None:
    spent, results, rows, volume = min(run(join, records, size, make()) for _ in range(3))
    count = len(records)
    print(
        f"{name:<39} {spent / count * 1e6:6.2f} us a record  {count / spent:10,.0f}/s  {results:9,} results  "
        f"{rows / count:.4f} rows and {volume / count:.0f} bytes of changes a record",
        flush=True,
    )


def main() -> None:
    records = traffic(RECORDS, KEYS)
    with tempfile.TemporaryDirectory() as directory:
        names = iter(range(1_000))

        def on_disk() -> Store:
            return RocksDBStore(Path(directory) / str(next(names)))

        for how in (How.INNER, How.OUTER):
            join = StreamStreamJoin(before=5_000, after=5_000, grace=100, how=how)
            for size in (100, 1_000, 10_000):
                report(f"{how}, memory, batches of {size:,}", join, records, size, MemoryStore)
            report(f"{how}, rocksdb, batches of 1,000", join, records, 1_000, on_disk)
    hot = traffic(300_000, 1)
    narrow = StreamStreamJoin(before=0, after=0, grace=100_000)
    report("one key, 100,000 ms of grace", narrow, hot, 1_000, MemoryStore)
    print(f"a buffered record of 89 bytes in memory: {footprint(100_000):.0f} bytes")


def footprint(count: int) -> float:
    """Give the bytes that a buffered record takes, with its row in the state."""
    tracemalloc.start()
    state = State(MemoryStore())
    operator = StreamStreamJoin(before=5_000, after=5_000, grace=10**9).start(state)
    operator.process(traffic(count, KEYS))
    state.commit()
    return tracemalloc.get_traced_memory()[0] / count


if __name__ == "__main__":
    main()
