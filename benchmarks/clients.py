"""Clients alone, without a join: what producing and consuming a message costs."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from typing import Final

from confluent_kafka import Producer

from benchmarks.client_results import ClientRun, Task
from benchmarks.peers import PythonProgram
from benchmarks.runner import PeerError
from benchmarks.topics import Topics

__all__ = ["CLIENTS", "measure", "tasks"]

PARTITIONS: Final = 4
#: Seconds that a client has for a task.
DEADLINE: Final = 120.0
#: A hundred bytes that lz4 does not make much smaller; larger values repeat them.
VALUE: Final = "".join(f"{number * 2654435761 % 2**32:08x}" for number in range(13))[:100]
#: Messages of which each has a connection of its own.
CONNECTIONS: Final = 50


def client(folder: str, name: str, *arguments: str) -> PythonProgram:
    """Return a program that is a client and nothing else."""
    return PythonProgram(name, name, "nothing", folder=folder, program="client.py", arguments=arguments)


CLIENTS: Final = (
    client("confluent_kafka", "confluent_kafka"),
    client("confluent_kafka", "confluent_tuned", "fetch.queue.backoff.ms=10", "queue.buffering.max.messages=500000"),
    client("aiokafka", "aiokafka"),
    client("kafka_python", "kafka_python"),
)


def tasks(messages: int) -> Iterator[Task]:
    """Yield what each client has to do, with so many messages of 100 bytes, and fewer of the larger ones."""
    counts = {100: messages, 1_000: messages // 2, 10_000: messages // 20}
    for size, count in counts.items():
        for compression in ("none", "lz4"):
            yield Task("produce", size, compression, "idempotent", count)
            yield Task("consume", size, compression, "all", count)
    for acks in ("1", "all"):
        yield Task("produce", 100, "lz4", acks, messages)
    yield Task("connect", 100, "none", "all", min(messages, CONNECTIONS))


def measure(topics: Topics, clients: Sequence[PythonProgram], task: Task, number: int) -> Iterator[ClientRun]:
    """Let each client do a task, in a process of its own.

    Raises:
        PeerError: if one fails.
    """
    filled = f"clients-{number}-{task.work}"
    if task.work == "consume":
        _fill(topics, filled, task)
    for one in clients:
        topic = filled if task.work == "consume" else f"{filled}-{one.name}"
        if task.work != "consume":
            topics.create(topic, PARTITIONS)
        said = _run(topics, one, task, topic)
        there = topics.count(topic, PARTITIONS)
        right = said["records"] == task.count == there and said["bytes"] == task.count * task.size
        yield ClientRun(
            one.name, task, said["records"] / said["seconds"], said["cpu"] / max(1, said["records"]) * 1e6, right
        )
    topics.delete(filled)


def _run(topics: Topics, one: PythonProgram, task: Task, topic: str) -> dict[str, float]:
    told = {"WORK": task.work, "COUNT": task.count, "BYTES": task.size, "COMPRESSION": task.compression}
    told |= {"ACKS": task.acks, "BROKER": topics.bootstrap, "TOPIC": topic, "GROUP": topic}
    told |= {"PARTITIONS": PARTITIONS, "VALUE": VALUE}
    environment = {**os.environ, **{name: str(value) for name, value in told.items()}}
    command = [f"{one.python}", *one.launcher, f"{one.source / one.program}", *one.arguments]
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=DEADLINE)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as exc:
        raise PeerError(f"{one.name}: {task}: {exc}") from exc
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def _fill(topics: Topics, topic: str, task: Task) -> None:
    topics.create(topic, PARTITIONS)
    producer = Producer({"bootstrap.servers": topics.bootstrap, "compression.type": task.compression, "log_level": 0})
    for _ in range(task.count):
        while True:
            try:
                producer.produce(topic, VALUE.encode() * (task.size // 100))
            except BufferError:
                producer.poll(0.01)
            else:
                break
    producer.flush()
