"""Work: what an agent does with a batch. It takes effect as a whole once the agent is done, or not at all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import msgspec
from faust.types import TP

from streamapp.formats.undecodable import Reason
from streamapp.joins.records import Record
from streamapp.joins.rows import Row
from streamapp.kafka.record import Envelope, Result, Stamped
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.histogram import Latency
from streamapp.runtime.uncommitted import Uncommitted

__all__ = ["Origin", "Rejected", "Results", "Work"]

#: Finds the record that gave a result, and the topic that it is from; None = there is no such record.
Origin = Callable[[Stamped], tuple[str, Record] | None]


@dataclasses.dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be used, where it is from, why, and the error in words."""

    tp: TP
    record: Record
    reason: Reason
    error: str
    #: Of what an agent raised.
    traceback: str = ""
    #: The join that rejected it, which keeps accounts of its own.
    join: str = ""
    #: The agent that failed on it, or whose row for it is refused; the accounts of its join have nothing of it.
    agent: str = ""


class ResultTopic(Protocol):
    """A topic that results are sent to."""

    topic: str
    #: From the event times of results until the broker has acknowledged them.
    latency: Latency

    def took(self, results: Sequence[Result], source: str) -> None:
        """Take note of results that the broker has, and of the topic whose batches gave them."""

    async def refused(
        self, result: Result, source: TP, record: Record | None, error: RecordRefusedError
    ) -> Results | None:
        """Return what is sent in place of a result that the broker refuses."""


class Results(msgspec.Struct):
    """Results for one topic, from a batch of the partition `source`."""

    output: ResultTopic
    results: Sequence[Result]
    source: TP
    rekeyed: bool = False
    origin: Origin | None = None

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        """Take note of results that the broker has."""
        self.output.took(results, self.source.topic)
        self.output.latency.took(results, self.source)

    async def refused(self, result: Result, error: RecordRefusedError) -> Results | None:
        """Return what is sent in place of a result that the broker refuses."""
        source, record = self.origin_of(result[0])
        return await self.output.refused(result, source, record, error)

    def origin_of(self, stamped: Stamped) -> tuple[TP, Record | None]:
        """Return the partition and the record that gave a result; None = there is no such record."""
        source = self.source
        record: Record | None
        if isinstance(stamped, Envelope):
            record, source = stamped.source, stamped.tp or source
        else:
            record = cast(Record, stamped)
        if self.origin is not None:
            topic, record = self.origin(stamped) or (source.topic, None)
            source = TP(topic, source.partition)
        return source, record


@dataclasses.dataclass(slots=True, eq=False)
class Work:
    """Results, rejected records and table changes of one batch, in the order in which the agent gave them."""

    results: list[Results] = dataclasses.field(default_factory=list)
    rejected: list[Rejected] = dataclasses.field(default_factory=list)
    #: By table partition, the rows that were written; None deletes.
    changes: dict[Uncommitted, dict[bytes, Row | None]] = dataclasses.field(default_factory=dict)
    #: By table partition, the event time (ms) before which rows are to be deleted.
    expiry: dict[Uncommitted, int] = dataclasses.field(default_factory=dict)
    #: Called when the work takes effect; they must not fail.
    effects: list[Callable[[], None]] = dataclasses.field(default_factory=list)

    def copy(self) -> Work:
        """Return a copy, to which more can be added and which can be thrown away."""
        changes = {rows: dict(changed) for rows, changed in self.changes.items()}
        return Work([*self.results], [*self.rejected], changes, {**self.expiry}, [*self.effects])
