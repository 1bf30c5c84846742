"""Clients alone, without a join: what producing and consuming a message costs."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.client_results import ClientRun, Task, Work
from benchmarks.peers import PROGRAMS, PythonProgram, UnavailableError
from benchmarks.programs.clients.client_values import values
from benchmarks.runner import PeerError
from benchmarks.topics import Topics, producer

__all__ = ["Client", "Own", "clients", "measure", "tasks"]

PARTITIONS: Final = 4
#: Seconds that a client has for a task.
DEADLINE: Final = 120.0
#: Messages that are sent one by one.
ONE_BY_ONE: Final = 20
#: What all clients import.
COMMON: Final = PROGRAMS / "clients"


@dataclasses.dataclass
class Client(PythonProgram):
    """A program that is a client and nothing else.

    Args:
        does: the works that are measured; of a client that differs from another one only in some.
    """

    keeps: str = "nothing"
    program: str = "client.py"
    does: frozenset[Work] = frozenset(Work)


@dataclasses.dataclass
class Own(Client):
    """The parts of a worker that consume and produce, in the venv that the app is in."""

    folder: str = "streamapp"

    @property
    def version(self) -> str:
        """The commit says it."""
        return ""

    def install(self, cache: Path) -> None:
        """See whether it is there."""
        if not self.python.exists():
            raise UnavailableError(f"{self.python} not found: name the bin of a venv with streamapp by --streamapp")


def clients(streamapp: Path) -> list[Client]:
    """Return all clients.

    Args:
        streamapp: bin of the venv that streamapp is in.
    """
    confluent = "confluent_kafka"
    return [
        Own("streamapp", "streamapp", python=streamapp / "python"),
        Client(confluent, confluent),
        # By default it stops fetching for a second each time 100,000 messages wait.
        Client(
            "confluent_tuned",
            "confluent_tuned",
            folder=confluent,
            arguments=("consumer:fetch.queue.backoff.ms=10",),
            does=frozenset({Work.CONSUME}),
        ),
        Client("confluent_aio", "confluent_aio", folder=confluent, program="aio.py"),
        Client("aiokafka", "aiokafka", slower=4),
        Client("kafka_python", "kafka_python", slower=4),
        Client(
            "kafka_python_pure",
            "kafka_python_pure",
            folder="kafka_python",
            arguments=("without-crc32c",),
            slower=16,
            does=frozenset({Work.PRODUCE, Work.CONSUME}),
        ),
    ]


def tasks(messages: int) -> Iterator[Task]:
    """Yield what each client has to do: to produce so many messages of 100 bytes, and fewer of the larger ones.

    Twice as many are consumed, since that is faster.
    """
    counts = {100: messages, 1_000: messages // 2, 10_000: messages // 20}
    for size, count in counts.items():
        for compression in ("none", "lz4"):
            # First what all clients do: the table has them in the order in which they come.
            yield Task(Work.CONSUME, size, compression, "all", 2 * count)
            yield Task(Work.PRODUCE, size, compression, "all", count)
    for acks in ("1", "idempotent"):
        yield Task(Work.PRODUCE, 100, "lz4", acks, messages)
    for work in (Work.ONE_BY_ONE, Work.CONNECT):
        yield Task(work, 100, "none", "all", min(messages, ONE_BY_ONE))


def measure(topics: Topics, some: Sequence[Client], task: Task, number: int) -> Iterator[ClientRun]:
    """Let each client do a task, in a process of its own; a slow one with a part of the messages.

    Args:
        number: a different one at each call.

    Raises:
        PeerError: if one fails.
    """
    prefix = f"clients-{number}-"
    if task.work is Work.CONSUME:
        _fill(topics, f"{prefix}warm", 1, dataclasses.replace(task, count=1))
        _fill(topics, f"{prefix}filled", PARTITIONS, task)
    for one in some:
        if task.work in one.does:
            yield _measured(topics, one, task, prefix)
    topics.delete(prefix)


def _measured(topics: Topics, one: Client, task: Task, prefix: str) -> ClientRun:
    consumes = task.work is Work.CONSUME
    topic = f"{prefix}filled" if consumes else f"{prefix}{one.name}"
    group = f"clients-{one.name}"
    if not consumes:
        topics.create(topic, PARTITIONS)
    # A message to each connection is enough to tell what that costs: of these a slow client has as many.
    part = task.count if task.work in {Work.ONE_BY_ONE, Work.CONNECT} else max(1, task.count // one.slower)
    said = _run(topics, one, dataclasses.replace(task, count=part), topic, f"{prefix}warm", group)
    # A producer has sent one before the clock started.
    there = topics.committed(group, topic, PARTITIONS) if consumes else (topics.count(topic, PARTITIONS) or 0) - 1
    right = said["records"] == part == there and said["bytes"] == part * task.size
    return ClientRun(one.name, task, said["records"] / said["seconds"], said["cpu"] / part * 1e6, right)


def _run(topics: Topics, one: Client, task: Task, topic: str, warm: str, group: str) -> dict[str, float]:
    told = {"WORK": task.work, "COUNT": task.count, "BYTES": task.size, "COMPRESSION": task.compression}
    told |= {"ACKS": task.acks, "BROKER": topics.bootstrap, "TOPIC": topic, "WARM_TOPIC": warm, "GROUP": group}
    told |= {"PARTITIONS": PARTITIONS, "PYTHONPATH": COMMON}
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
    command = [f"{one.python}", *one.launcher, f"{one.source / one.program}", *one.arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=DEADLINE)
    except subprocess.CalledProcessError as exc:
        error = (exc.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PeerError(f"{one.name}: {task}: ended with {exc.returncode}: {error}") from exc
    except subprocess.TimeoutExpired as exc:
        raise PeerError(f"{one.name}: {task}: not done after {DEADLINE:.0f} s") from exc
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def _fill(topics: Topics, topic: str, partitions: int, task: Task) -> None:
    topics.create(topic, partitions)
    client = producer(topics.bootstrap, linger_ms=50, compression=task.compression)
    some = values(task.size)
    for number in range(task.count):
        while True:
            try:
                client.produce(topic, some[number % len(some)])
            except BufferError:
                client.poll(0.05)
            else:
                break
    client.flush()
