"""Work: what an agent does with a batch. It takes effect as a whole once the agent is done, or not at all.

An agent that fails half-way leaves nothing behind: the results it gave so far are not sent, and the rows it wrote are
not in the table, when it gets the batch again.
"""

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
    #: The traceback of what an agent raised.
    traceback: str = ""
    #: The join that rejected it, which keeps accounts of its own.
    join: str = ""


class ResultTopic(Protocol):
    """A topic that results are sent to."""

    topic: str
    #: Records that the broker has acknowledged.
    sent: int

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> None:
        """Find another place for a result that the broker refuses."""
        ...


class Results(msgspec.Struct):
    """Results for one topic, from a batch of the partition `source`."""

    output: ResultTopic
    results: Sequence[Result]
    source: TP
    rekeyed: bool = False
    origin: Origin | None = None

    def delivered(self, count: int, offset: int) -> None:
        """Count results that the broker has."""
        self.output.sent += count

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        """Find another place for a result that the broker refuses."""
        stamped, source = result[0], self.source
        record: Record | None
        if isinstance(stamped, Envelope):
            record, source = stamped.source, stamped.tp or source
        else:
            record = cast(Record, stamped)
        if self.origin is not None:
            topic, record = self.origin(stamped) or (source.topic, None)
            source = TP(topic, source.partition)
        await self.output.refused(result, source, record, error)


class Work:
    """Results, rejected records and table changes of one batch, in the order in which the agent gave them."""

    __slots__ = ("changes", "effects", "expiry", "rejected", "results")

    def __init__(self) -> None:
        self.results: list[Results] = []
        self.rejected: list[Rejected] = []
        #: By table partition, the rows that were written; None deletes.
        self.changes: dict[Uncommitted, dict[bytes, Row | None]] = {}
        #: By table partition, the event time (ms) before which rows are to be deleted.
        self.expiry: dict[Uncommitted, int] = {}
        #: Called when the work takes effect; they must not fail.
        self.effects: list[Callable[[], None]] = []

    def copy(self) -> Work:
        """Make a copy, to which more can be added and which can be thrown away."""
        copy = Work()
        copy.results += self.results
        copy.rejected += self.rejected
        copy.changes = {partition: dict(changes) for partition, changes in self.changes.items()}
        copy.expiry.update(self.expiry)
        copy.effects += self.effects
        return copy
