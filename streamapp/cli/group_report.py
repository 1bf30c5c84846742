"""What a worker tells of its group (``/api/group``), as far as a terminal shows it; Faust is not needed for that."""

from __future__ import annotations

import enum
import math
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

import aiohttp
import msgspec
from yarl import URL

from streamapp.cli.asking import AskError, ask, session_of
from streamapp.cli.sparkline import sparkline
from streamapp.settings import Settings

__all__ = ["HEADS", "Group", "Order", "Report", "Worker", "age", "fetch", "head", "rows", "told"]

T = TypeVar("T", bound=msgspec.Struct)

#: Seconds that a worker may take: it waits for others that are silent.
TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)
#: Points of a sparkline.
POINTS: Final = 20
HEADS: Final = ("TOPIC", "PARTITION", "LAG", "AGE", "WRITTEN/S", "DONE/S", "OWNER", "15 MINUTES")
MINUTE_S, HOUR_S = 60, 3_600
UNKNOWN: Final = "?"


class Order(enum.StrEnum):
    """What partitions are sorted by."""

    LAG = "lag"
    AGE = "age"
    TOPIC = "topic"
    OWNER = "owner"


class Recovery(msgspec.Struct):
    """A recovery that is under way."""

    rows_left: int
    seconds_left: float | None


class Worker(msgspec.Struct):
    """A member of the group."""

    member: str
    url: str
    answers: bool
    error: str
    state: str
    ready: bool
    problems: list[str]
    assigned: dict[str, list[int]]
    recovery: Recovery | None


class Partition(msgspec.Struct):
    """A partition."""

    topic: str
    partition: int
    owner: str
    told: bool
    lag: int | None
    lag_seconds: float | None
    written_per_s: float | None
    committed_per_s: float | None


class Group(msgspec.Struct):
    """The group."""

    group: str
    state: str
    guarantee: str
    lag: int | None
    known_lag: int
    unknown: int
    lag_seconds: float | None
    workers: list[Worker]
    partitions: list[Partition]


class Series(msgspec.Struct):
    """How much a partition lagged in the last minutes."""

    topic: str
    partition: int | None
    lag: list[int]


class History(msgspec.Struct):
    """What a worker tells of the last minutes."""

    series: list[Series]


class Report(msgspec.Struct):
    """The group, and by topic and partition how much it lagged."""

    group: Group
    lags: Mapping[tuple[str, int], Sequence[int]]


async def fetch(settings: Settings, worker: URL) -> Report:
    """Ask a worker for its group and the last minutes of all partitions; an AskError if there is no answer."""
    async with session_of(settings, TIMEOUT) as session:
        group = _read(await ask(session, worker / "api/group"), Group)
        query = {"each": "true", "points": str(POINTS)}
        history = _read(await ask(session, (worker / "api/group/history").with_query(query)), History)
    return Report(group, {(one.topic, one.partition or 0): one.lag for one in history.series})


def _read(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.MsgspecError as exc:
        raise AskError(f"what the worker answers is not understood: is it of another version? {exc}") from None


def head(group: Group) -> list[str]:
    """Return what is to be said of the group as a whole, in lines: first how it is, then what is wrong."""
    ready = sum(one.ready for one in group.workers)
    told = f"{group.group}: {group.state}, {group.guarantee}, {ready} of {len(group.workers)} workers ready, "
    lines = [f"{told}lag {count(group.lag)}, the oldest record {age(group.lag_seconds)}"]
    if group.unknown:
        lines.append(f"partitions whose lag is not known: {group.unknown:,}; that of the others is {group.known_lag:,}")
    for worker in group.workers:
        if not worker.answers:
            lines.append(f"{worker.member} gives no answer: {worker.error}")
        elif worker.recovery is not None:
            left = worker.recovery
            lines.append(f"{worker.member} recovers: {left.rows_left:,} rows to go, {age(left.seconds_left)}")
        elif not worker.ready and not worker.problems:
            lines.append(f"{worker.member} is {worker.state}")
        lines += [f"{worker.member}: {problem}" for problem in worker.problems]
    return lines


def rows(report: Report, order: Order = Order.LAG, wanted: str = "") -> list[tuple[str, ...]]:
    """Return a row for each partition, sorted; only those that have `wanted` in their topic or owner."""
    sorting = {
        Order.LAG: lambda one: (_first(one.lag), _first(one.lag_seconds), one.topic, one.partition),
        Order.AGE: lambda one: (_first(one.lag_seconds), _first(one.lag), one.topic, one.partition),
        Order.TOPIC: lambda one: (one.topic, one.partition),
        Order.OWNER: lambda one: (one.owner, one.topic, one.partition),
    }
    shown = [one for one in report.group.partitions if wanted in one.topic or wanted in one.owner]
    return [_row(one, report.lags.get((one.topic, one.partition), ())) for one in sorted(shown, key=sorting[order])]


def _first(value: float | None) -> float:
    """Return by what the largest goes first, and before it what is not known: it may be any."""
    return -math.inf if value is None else -value


def _row(one: Partition, lags: Sequence[int]) -> tuple[str, ...]:
    rates = (count(one.written_per_s), count(one.committed_per_s))
    owner = (one.owner or "nobody") + ("" if one.told or not one.owner else " (silent)")
    return one.topic, str(one.partition), count(one.lag), age(one.lag_seconds), *rates, owner, sparkline(lags, POINTS)


def told(report: Report, order: Order = Order.LAG, wanted: str = "") -> str:
    """Return the group as plain text."""
    table = [HEADS, *rows(report, order, wanted)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(
            text.rjust(width) if 0 < place < len(row) - 2 else text.ljust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
    return "\n".join([*head(report.group), "", *lines])


def count(value: float | None) -> str:
    """Return a number for people."""
    return UNKNOWN if value is None else f"{value:,.0f}"


def age(seconds: float | None) -> str:
    """Return a duration for people."""
    if seconds is None:
        return UNKNOWN
    if seconds < MINUTE_S:
        return f"{seconds:.1f} s"
    return f"{seconds / MINUTE_S:.1f} min" if seconds < HOUR_S else f"{seconds / HOUR_S:,.1f} h"
