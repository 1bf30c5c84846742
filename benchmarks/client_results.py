"""What was measured of clients, and the table that is made of it."""

from __future__ import annotations

import dataclasses
import enum
import statistics
from collections import defaultdict
from collections.abc import Mapping
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
    """Make the tables: messages a second and CPU a message, by task and client."""
    if measured is None:
        return "Not measured yet."
    groups: defaultdict[Task, defaultdict[str, list[ClientRun]]] = defaultdict(lambda: defaultdict(list))
    for run in measured.runs:
        groups[run.task][run.client].append(run)
    clients = list(dict.fromkeys(run.client for run in measured.runs))
    rows = [[str(task), *(_cell(of.get(client, [])) for client in clients)] for task, of in groups.items()]
    left_out = "\n".join(f"Left out: {client}: {why}." for client, why in measured.left_out.items())
    return blocks(table(["messages/s (CPU µs a message)", *clients], rows), about(measured.about), left_out)


def _cell(runs: list[ClientRun]) -> str:
    if not runs:
        return ""
    per_s, cpu_us = (
        statistics.median(values) for values in zip(*((run.per_s, run.cpu_us) for run in runs), strict=True)
    )
    return f"{per_s:,.0f} ({cpu_us:.1f})" if all(run.right for run in runs) else "wrong"
