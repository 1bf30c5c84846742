"""How long a click takes from being produced until its joined record can be read."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import random
import subprocess
import time
from collections.abc import Iterator
from typing import Final, Self

import orjson
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition

from benchmarks.peers import Job, Peer
from benchmarks.percentiles import Percentiles
from benchmarks.results import Lone, SteadyLoad
from benchmarks.runner import PeerError, Runner
from benchmarks.topics import Topics, producer
from benchmarks.workload import Workload

__all__ = ["WORKLOAD", "Reader", "lone_clicks", "one_hop", "produce_steadily", "steady", "steady_hop", "steady_load"]

#: The table of all runs here; the clicks are produced while the peer runs.
WORKLOAD: Final = Workload(users=10_000, clicks=0)
#: Clicks straight after each other before those that count, and seconds that they may take: the broker's JVM, and
#: programs that have one, compile what these clicks go through meanwhile, on the same processors.
WARM_UP: Final = 5_000
WARM_UP_LIMIT: Final = 10.0
#: Seconds between a joined record and the next click, drawn at random, so that no click falls into step with a timer.
GAP: Final = (0.02, 0.08)
NO_GAP: Final = (0.0, 0.0)
#: Clicks straight after each other for each spaced one: their times differ less, so their 99th percentile needs more.
STRAIGHT: Final = 10
#: Seconds for all spaced clicks of a peer, and for those that come straight after each other: slow ones get fewer.
SPACED_LIMIT: Final = 60.0
STRAIGHT_LIMIT: Final = 10.0
#: Seconds that a peer has to join its first click, and any other.
FIRST: Final = 120.0
PATIENCE: Final = 60.0
#: Seconds between two turns of the producer of a steady load, which sends what has become due meanwhile.
TURN: Final = 0.001
#: How long the producer of a steady load waits for more records (ms): what librdkafka does by default, and since 4.0
#: the Java client. Without it the broker gets several thousand requests a second, and has little time for others.
LOAD_LINGER_MS: Final = 5
#: Seconds of a steady load that do not count.
LEAD: Final = 15.0


class Reader:
    """Reads a topic from its beginning, or from its end now, without a group, read_committed."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, *, from_end: bool = False) -> None:
        self._consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": "benchmark",
                "socket.nagle.disable": True,
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
            }
        )
        wanted = [TopicPartition(topic, number, 0) for number in range(partitions)]
        if from_end:
            for tp in wanted:
                _, tp.offset = self._consumer.get_watermark_offsets(tp, timeout=PATIENCE)
        self._consumer.assign(wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._consumer.close()

    def values(self, patience: float) -> Iterator[bytes]:
        """Give the values as they come, until none has for so many seconds."""
        while (message := self._consumer.poll(patience)) is not None:
            if message.error():
                raise KafkaException(message.error())
            yield message.value() or b""

    def wait_for(self, click: bytes, patience: float) -> bool:
        """Read until a value has this in it; False if none has in so many seconds."""
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            for value in self.values(left):
                if click in value:
                    return True
        return False


def lone_clicks(runner: Runner, peer: Peer, number: int) -> Lone:
    """Time clicks that are alone: each is produced after the joined record of the one before has been read.

    Raises:
        PeerError: if a click is not joined.
    """
    with (
        runner.job(peer, WORKLOAD, linger_ms=0) as job,
        Reader(job.broker, job.joined, job.partitions) as reader,
        runner.process(peer, job) as process,
    ):
        _wait_until_it_joins(runner, process, job, reader)
        return _lone(job.broker, job.clicks, reader, number)


def one_hop(topics: Topics, number: int) -> Lone:
    """Time records that are produced to a topic and read from it, without a join between."""
    with _without_join(topics, "one-hop") as reader:
        return _lone(topics.bootstrap, "one-hop", reader, number)


@contextlib.contextmanager
def _without_join(topics: Topics, topic: str) -> Iterator[Reader]:
    """Make a topic and read what is produced to it."""
    topics.create(topic, WORKLOAD.partitions)
    with Reader(topics.bootstrap, topic, WORKLOAD.partitions) as reader:
        yield reader


def steady_load(runner: Runner, peer: Peer, rate: int, seconds: float) -> SteadyLoad:
    """Time clicks that come at a steady rate, by the clock of this machine, which each click carries.

    Raises:
        PeerError: if it joins no click.
    """
    with (
        runner.job(peer, WORKLOAD, linger_ms=0) as job,
        Reader(job.broker, job.joined, job.partitions) as reader,
        runner.process(peer, job) as process,
    ):
        _wait_until_it_joins(runner, process, job, reader)
        load = steady(job.broker, job.clicks, reader, rate, seconds)
        if load is None:
            raise PeerError(f"{job.group} joined none of the clicks; its log: {runner.log(job)}")
        return load


def steady_hop(topics: Topics, rate: int, seconds: float) -> SteadyLoad | None:
    """Time clicks that come at a steady rate and are read from their own topic, without a join between.

    It takes the same load, reader and clock, and so tells what of the times is theirs and the broker's.
    """
    with _without_join(topics, "steady-hop") as reader:
        return steady(topics.bootstrap, "steady-hop", reader, rate, seconds)


def steady(
    bootstrap: str,
    topic: str,
    reader: Reader,
    rate: int,
    seconds: float,
    *,
    lead: float = LEAD,
    users: int = WORKLOAD.users,
) -> SteadyLoad | None:
    """Produce clicks at a steady rate and read what comes of them; None = nothing came.

    Args:
        lead: seconds of the load that do not count, before the others.
        users: that the clicks are of.
    """
    number = int(rate * (seconds + lead))
    # A process of its own: the reader must not wait for the producer's turn at the interpreter.
    context = multiprocessing.get_context("spawn")
    load = context.Process(target=produce_steadily, args=(bootstrap, topic, rate, number, users))
    load.start()
    times, seen, repeated = [], bytearray(number), 0
    missing = number
    for value in reader.values(PATIENCE):
        now = time.time_ns()
        read = orjson.loads(value)
        click = read.get("click", read)
        if "sent_at" not in click:
            continue
        order = int(click["click_id"])
        repeated += seen[order]
        missing -= not seen[order]
        seen[order] = 1
        if order >= rate * lead:
            times.append((now - click["sent_at"]) / 1e6)
        if not missing:
            break
    load.join()
    return SteadyLoad(rate, seconds, Percentiles.of(times), missing, repeated) if times else None


def _wait_until_it_joins(runner: Runner, process: subprocess.Popen[bytes], job: Job, reader: Reader) -> None:
    client = producer(job.broker, linger_ms=0)
    end = time.monotonic() + FIRST
    while time.monotonic() < end:
        runner.check_alive(process, job)
        client.produce(job.clicks, _click(b"first"), b"u0")
        if reader.wait_for(b'"first"', 0.5):
            return
    raise PeerError(f"{job.group} joined nothing in {FIRST:.0f} s; its log: {runner.log(job)}")


def _lone(bootstrap: str, topic: str, reader: Reader, number: int) -> Lone:
    client = producer(bootstrap, linger_ms=0)
    straight, spaced = _times(client, topic, reader, NO_GAP), _times(client, topic, reader, GAP)
    _take(straight, WARM_UP, WARM_UP_LIMIT)
    return Lone(
        Percentiles.of(_take(spaced, number, SPACED_LIMIT)),
        Percentiles.of(_take(straight, number * STRAIGHT, STRAIGHT_LIMIT)),
    )


def _take(times: Iterator[float], number: int, limit: float) -> list[float]:
    """Take so many, and at least one, but no further ones after so many seconds."""
    end = time.monotonic() + limit
    taken = [next(times)]
    while len(taken) < number and time.monotonic() < end:
        taken.append(next(times))
    return taken


def _times(client: Producer, topic: str, reader: Reader, gap: tuple[float, float]) -> Iterator[float]:
    """Produce records, each after the one before was read and a gap (s, least and most), and give their times (ms)."""
    rng = random.Random(7)
    run = b"%d" % time.time_ns()
    for order in itertools.count():
        user, click = rng.randrange(WORKLOAD.users), b"%b-%d" % (run, order)
        begin = time.perf_counter()
        client.produce(topic, _click(click, user), b"u%d" % user)
        if not reader.wait_for(b'"%b"' % click, PATIENCE):
            raise PeerError(f"no record of a click came to be read within {PATIENCE:.0f} s")
        yield (time.perf_counter() - begin) * 1000
        client.poll(0)
        time.sleep(rng.uniform(*gap))


def produce_steadily(bootstrap: str, topic: str, rate: int, number: int, users: int = WORKLOAD.users) -> None:
    """Produce so many clicks of so many users, so many a second; each carries when that was (``sent_at``, ns)."""
    client = producer(bootstrap, linger_ms=LOAD_LINGER_MS)
    rng = random.Random(7)
    begin = time.monotonic()
    sent = 0
    while sent < number:
        due = min(number, int((time.monotonic() - begin) * rate))
        for order in range(sent, due):
            user = rng.randrange(users)
            client.produce(topic, _click(b"%d" % order, user, time.time_ns()), b"u%d" % user)
        sent = due
        client.poll(0)
        time.sleep(TURN)
    client.flush()


def _click(name: bytes, user: int = 0, sent_at: int | None = None) -> bytes:
    stamp = b"" if sent_at is None else b',"sent_at":%d' % sent_at
    return b'{"click_id":"%b","user_id":"u%d","url":"https://shop.example.com/catalogue"%b}' % (name, user, stamp)
