"""What each library takes to encode and to decode a record, as JSON: `python measure.py DIRECTORY SECONDS`.

DIRECTORY has the package `classes`, made of records.proto (`benchmarks/format_library.py`). SECONDS is how long each
operation is timed, three times, of which the shortest counts.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cramjam
from libraries import LIBRARIES, Library
from records import SIZES, of_size

ROUNDS = 3


def main(directory: str, seconds: float) -> None:
    sys.path.append(directory)
    found = []
    for size in SIZES:
        records = of_size(size)
        for name, of in LIBRARIES.items():
            found.append({"library": name, "size": size, **measure(of(size == SIZES[0]), records, seconds)})
            print(found[-1], file=sys.stderr, flush=True)
    print(json.dumps(found))


def measure(library: Library, records: Sequence[dict[str, Any]], seconds: float) -> dict[str, float]:
    made = [library.make(record) for record in records]
    encoded = [library.encode(one) for one in made]
    for record, data in zip(records, encoded, strict=True):
        if library.plain(library.decode(data)) != record or library.user_id(data) != record["user_id"]:
            sys.exit(f"{type(library).__name__} does not give back {record}")
    return {
        "make_us": us_each(lambda record: library.encode(library.make(record)), records, seconds),
        "encode_us": us_each(library.encode, made, seconds),
        "decode_us": us_each(library.decode, encoded, seconds),
        "one_us": us_each(library.user_id, encoded, seconds),
        "raw_bytes": sum(map(len, encoded)) / len(encoded),
        "lz4_bytes": len(bytes(cramjam.lz4.compress(b"".join(encoded), level=1))) / len(encoded),
    }


def us_each(operation: Callable[[Any], object], things: Sequence[Any], seconds: float) -> float:
    """Give the CPU (µs) of an operation on one of some things."""
    return min(_round(operation, things, seconds) for _ in range(ROUNDS)) * 1e6


def _round(operation: Callable[[Any], object], things: Sequence[Any], seconds: float) -> float:
    spent, done = 0.0, 0
    for some in _chunks(things):
        begin = time.process_time()
        for thing in some:
            operation(thing)
        spent += time.process_time() - begin
        done += len(some)
        if spent >= seconds:
            return spent / done
    raise AssertionError


def _chunks(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Give the things again and again, a hundred at a time, so that the clock costs nothing."""
    while True:
        for begin in range(0, len(things), 100):
            yield things[begin : begin + 100]


if __name__ == "__main__":
    sys.path.append(sys.argv[1])
    main(sys.argv[1], float(sys.argv[2]))
