"""What a client has to do, as the benchmark tells it, with the settings that all clients get; and what it took.

It is on the path of all clients, whose programs are in folders of their own.
"""

import itertools
import json
import os
import resource
import time
from collections.abc import Iterator

from client_values import values

BROKER, WORK, TOPIC, GROUP = (os.environ[name] for name in ("BROKER", "WORK", "TOPIC", "GROUP"))
#: A topic of one partition with one message, which a consumer reads before the clock starts.
WARM_TOPIC = os.environ["WARM_TOPIC"]
COUNT, BYTES, PARTITIONS = (int(os.environ[name]) for name in ("COUNT", "BYTES", "PARTITIONS"))
#: None = not compressed.
COMPRESSION = None if os.environ["COMPRESSION"] == "none" else os.environ["COMPRESSION"]
IDEMPOTENT = os.environ["ACKS"] == "idempotent"
#: 1 or "all".
ACKS = 1 if os.environ["ACKS"] == "1" else "all"

#: Of a producer: bytes of a record batch, ms that it waits for more messages, and requests under way at once.
BATCH_BYTES, LINGER_MS, AT_ONCE = 256 << 10, 20, 5
#: Of a consumer: bytes of a partition that are fetched at once, ms that the broker waits for the first message, and
#: messages that are taken at once.
FETCH_BYTES, FETCH_WAIT_MS, TAKEN = 1 << 20, 10, 1_000

VALUES = values(BYTES)


def messages() -> Iterator[bytes]:
    """Yield the values of all messages to be produced."""
    return itertools.islice(itertools.cycle(VALUES), COUNT)


class Clock:
    """Times what comes after the warm-up."""

    def start(self) -> None:
        """Start: the client is connected, and has produced or read a message."""
        self._cpu, self._begin = _cpu(), time.perf_counter()

    def stop(self, records: int, size: int) -> None:
        """Stop, and say what was done: messages acknowledged, or read and committed, and the bytes of their values."""
        seconds, cpu = time.perf_counter() - self._begin, _cpu() - self._cpu
        print(json.dumps({"records": records, "bytes": size, "seconds": seconds, "cpu": cpu}), flush=True)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
