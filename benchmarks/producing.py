"""What a setting of a producer does: confluent-kafka's, as `streamapp produce` has it, with another value of it."""

from __future__ import annotations

import dataclasses
import multiprocessing
import random
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Final

import psutil
from confluent_kafka import KafkaError, Message, Producer

from benchmarks.percentiles import Percentiles
from benchmarks.runner import PeerError, Runner
from benchmarks.sampling import ProcessTree, stored_bytes
from benchmarks.tuning_results import Point
from benchmarks.workload import Workload
from streamapp.kafka.producer import POLL_EVERY, TUNING

__all__ = ["produced"]

TOPIC: Final = "produced"
#: Seconds between two turns of the steady load, which sends what has become due meanwhile.
TURN: Final = 0.001
#: Seconds of it that do not count.
LEAD: Final = 1.0
#: Seconds that the broker may take for all of a phase.
PATIENCE: Final = 120.0


@dataclasses.dataclass(frozen=True)
class Phase:
    """What a producer did with a backlog, or with a steady load.

    Args:
        sent: records.
        failed: those of them that the broker did not take.
        seconds, cpu: that it took, the latter of this process.
        grown: bytes of memory that the backlog took at most, beside the records themselves.
        times: (ms) from the call to the acknowledgement.
    """

    sent: int
    failed: int
    seconds: float
    cpu: float
    grown: int
    times: list[float]


def produced(
    runner: Runner, options: Mapping[str, str], load: Workload, rate: int, seconds: float, label: str
) -> Point:
    """Produce the clicks of a load at once, and then more of them at a steady rate, from a process of its own.

    Args:
        options: of librdkafka, besides those of our producer.
        rate: records a second of the steady load.
        seconds: of it.

    Raises:
        PeerError: if the producer ends.
    """
    runner.topics.create(TOPIC, load.partitions)
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    child = context.Process(
        target=_produce, args=(theirs, {**options, "bootstrap.servers": runner.topics.bootstrap}, load, rate, seconds)
    )
    child.start()
    theirs.close()
    try:
        backlog: Phase = ours.recv()
        broker = ProcessTree(runner.broker_pid)
        before, _ = broker.usage()
        ours.send(True)
        steady: Phase = ours.recv()
        after, _ = broker.usage()
    except EOFError:
        raise PeerError(f"the producer with {dict(options)} has ended") from None
    finally:
        child.join()
    stored = stored_bytes(runner.broker_pid, TOPIC)
    missing = backlog.sent + steady.sent - runner.topics.total(TOPIC)
    runner.topics.delete(TOPIC)
    failed = backlog.failed + steady.failed
    return Point(
        value=label,
        per_s=backlog.sent / backlog.seconds,
        cpu_us=backlog.cpu / backlog.sent * 1e6,
        peak_mb=backlog.grown / 1e6,
        times=Percentiles.of(steady.times),
        steady_cpu_us=steady.cpu / steady.sent * 1e6,
        steady_broker_us=(after - before) / steady.sent * 1e6,
        stored_bytes=stored / (backlog.sent + steady.sent),
        output="right" if not (missing or failed) else f"{missing:,} missing, {failed:,} failed",
    )


def _produce(conn: Connection, options: Mapping[str, str], load: Workload, rate: int, seconds: float) -> None:
    records = [(b"u%d" % load.user(number), load.click(number)) for number in range(load.clicks)]
    process = psutil.Process()
    before = most = process.memory_info().rss
    # Only all replicas' acknowledgements go with idempotence.
    idempotent = options.get("acks", "all") == "all"
    producer = Producer({**TUNING, "log_level": 0, "enable.idempotence": idempotent, **options})

    failed = 0

    def count(error: KafkaError | None, _: Message) -> None:
        nonlocal failed
        failed += error is not None

    begin, cpu = time.monotonic(), time.process_time()
    for number, (key, value) in enumerate(records):
        while True:
            try:
                producer.produce(TOPIC, value, key, on_delivery=count)
            except BufferError:
                producer.poll(0.05)
            else:
                break
        if number % POLL_EVERY == 0:
            producer.poll(0)
            most = max(most, process.memory_info().rss)
    failed += producer.flush(PATIENCE)
    conn.send(Phase(len(records), failed, time.monotonic() - begin, time.process_time() - cpu, most - before, times=[]))
    conn.recv()
    failed, cpu = 0, time.process_time()
    times: list[float] = []
    steady = int(rate * (LEAD + seconds))

    def timed(error: KafkaError | None, message: Message) -> None:
        nonlocal failed
        failed += error is not None
        times.append((message.latency() or 0.0) * 1000)

    rng = random.Random(7)
    begin, sent = time.monotonic(), 0
    while sent < steady:
        due = min(steady, int((time.monotonic() - begin) * rate))
        for _ in range(sent, due):
            key, value = records[rng.randrange(len(records))]
            producer.produce(TOPIC, value, key, on_delivery=timed)
        sent = due
        producer.poll(TURN)
    failed += producer.flush(PATIENCE)
    counted = times[int(rate * LEAD) :]
    conn.send(Phase(sent, failed, time.monotonic() - begin, time.process_time() - cpu, 0, counted or times))
