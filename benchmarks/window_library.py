"""The windows without Kafka: what a record costs, with its JSON, its aggregates and the state.

    python -m benchmarks.window_library

1,000,000 records, two a millisecond, of 10,000 keys, out of order by up to 50 ms: counted, and a field of them summed.
Times are the process's CPU time, the best of three runs; collections of garbage are as rare as in a worker.
"""

from __future__ import annotations

import gc
import random
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.join_library import KEYS, RECORDS, START, report
from streamapp.joins import Event, MemoryStore
from streamapp.joins.rocksdb import RocksDBStore
from streamapp.windows import Count, Emission, Sum, WindowedAggregate, Windows, hopping, session, tumbling
from streamapp.windows.aggregate import Aggregate
from streamapp.worker.process import GARBAGE

#: Kinds of windows by name, and the sizes of batches.
WINDOWS: dict[str, Windows] = {
    "tumbling 1m": tumbling("1m"),
    "tumbling 1s": tumbling("1s"),
    "hopping 1m, 10s": hopping("1m", "10s"),
    "session 10s": session("10s"),
}
SIZES = 1_000, 20_000


def traffic(records: int) -> list[tuple[int, Event]]:
    seeded = random.Random(1)
    names = [b"10.0.%d.%d" % divmod(number, 256) for number in range(KEYS)]
    return [
        (
            0,
            Event(
                seeded.choice(names),
                b'{"amount":%d,"account":"a%d","what":"purchase"}' % (seeded.randrange(1_000), number),
                START + number // 2 - seeded.randrange(50),
                number,
            ),
        )
        for number in range(records)
    ]


def counted(windows: Windows, emission: Emission = Emission.FINAL) -> WindowedAggregate:
    aggregates: dict[str, Aggregate[Any]] = {"n": Count(), "total": Sum("amount")}
    return WindowedAggregate(windows=windows, grace=100, aggregates=aggregates, emission=emission)


def main() -> None:
    records = traffic(RECORDS)
    gc.freeze()
    gc.set_threshold(GARBAGE)
    with tempfile.TemporaryDirectory() as directory:
        numbers = iter(range(1_000))
        for name, windows in WINDOWS.items():
            for size in SIZES:
                report(f"{name}, memory, batches of {size:,}", counted(windows), records, size, MemoryStore)
        minutes, on_disk = tumbling("1m"), lambda: RocksDBStore(Path(directory) / str(next(numbers)))
        report("tumbling 1m, rocksdb, batches of 20,000", counted(minutes), records, 20_000, on_disk)
        report(
            "tumbling 1m, updates, batches of 20,000", counted(minutes, Emission.UPDATES), records, 20_000, MemoryStore
        )


if __name__ == "__main__":
    main()
