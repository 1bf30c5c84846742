"""What was measured of clients, and the table that is made of it."""

from __future__ import annotations

import dataclasses
import enum
import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from benchmarks.blocks import about, blocks, table
from benchmarks.machine import About

__all__ = ["ClientRun", "Clients", "Task", "Work", "render"]


class Work(enum.StrEnum):
    """What is done with messages."""

    PRODUCE = "produce"
    CONSUME = "consume"
    #: Each is sent once the one before is acknowledged, all on one connection.
    ONE_BY_ONE = "one by one"
    #: The same, but each has a producer, and so a connection, of its own.
    CONNECT = "connect"


#: How the table names them.
TITLES: Final[Mapping[Work, str]] = MappingProxyType(
    {
        Work.PRODUCE: "produce",
        Work.CONSUME: "consume",
        Work.ONE_BY_ONE: "one by one, one connection",
        Work.CONNECT: "one by one, a connection each",
    }
)
#: What is compared to say what it is worth to keep a connection, and the row that says it.
ONE_BY_ONE: Final = (Work.ONE_BY_ONE, Work.CONNECT)
REUSED: Final = "one connection, as fast as a connection each"
#: Messages a second that articles quote, without the size of a message, the settings or the machine.
QUOTED: Final[Mapping[str, str]] = MappingProxyType(
    {"confluent_kafka": "85,000", "aiokafka": "78,000", "kafka_python": "32,000"}
)


@dataclasses.dataclass(frozen=True)
class Task:
    """What a client has to do.

    Args:
        work: what it is to do.
        size: bytes of a value.
        compression: as Kafka names it.
        acks: ``1``, ``all`` or ``idempotent``, of what is produced.
        count: messages, of a client that is not slow.
    """

    work: Work
    size: int
    compression: str
    acks: str
    count: int

    def __str__(self) -> str:
        acks = f", acks {self.acks}" if self.work is Work.PRODUCE else ""
        return f"{TITLES[self.work]}, {self.size:,} bytes, {self.compression}{acks}"


@dataclasses.dataclass(frozen=True)
class ClientRun:
    """What a task took a client: messages a second, CPU a message (µs), and whether the broker has all of it."""

    client: str
    task: Task
    per_s: float
    cpu_us: float
    right: bool

    def __str__(self) -> str:
        return f"{self.task}: {self.per_s:,.0f}/s, CPU {self.cpu_us:.2f} µs{'' if self.right else ', WRONG'}"


@dataclasses.dataclass(frozen=True)
class Clients:
    """Runs of all clients, in the order in which they were made."""

    about: About
    runs: list[ClientRun]
    left_out: dict[str, str]


def render(measured: Clients | None) -> str:
    """Make the table: messages a second and CPU a message, by task and client."""
    if measured is None:
        return "Not measured yet."
    groups: defaultdict[Task, defaultdict[str, list[ClientRun]]] = defaultdict(lambda: defaultdict(list))
    for run in measured.runs:
        groups[run.task][run.client].append(run)
    clients = list(dict.fromkeys(run.client for run in measured.runs))
    rows = [[str(task), *(_cell(of.get(client, [])) for client in clients)] for task, of in groups.items()]
    rows.append([REUSED, *(_times(*(_of(measured, work, client) for work in ONE_BY_ONE)) for client in clients)])
    rows.append(["quoted in articles", *(QUOTED.get(client, "") for client in clients)])
    left_out = "\n".join(f"Left out: {client}: {why}." for client, why in measured.left_out.items())
    return blocks(table(["messages/s (CPU µs a message)", *clients], rows), about(measured.about), left_out)


def _of(measured: Clients, work: Work, client: str) -> list[ClientRun]:
    return [run for run in measured.runs if run.task.work is work and run.client == client]


def _cell(runs: Sequence[ClientRun]) -> str:
    if not runs:
        return ""
    if not all(run.right for run in runs):
        return "wrong"
    return f"{_per_s(runs):,.0f} ({statistics.median(run.cpu_us for run in runs):.1f})"


def _times(some: Sequence[ClientRun], others: Sequence[ClientRun]) -> str:
    if not (some and others and all(run.right for run in (*some, *others))):
        return ""
    return f"{_per_s(some) / _per_s(others):.1f} times"


def _per_s(runs: Sequence[ClientRun]) -> float:
    return statistics.median(run.per_s for run in runs)
