"""Results of a batch on their way to a topic."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec
from faust.types import TP

from streamapp.kafka.record import Envelope, Record, Result, Stamped

if TYPE_CHECKING:
    from streamapp.kafka.refusals import RecordRefusedError

__all__ = ["Origin", "Results"]

#: Finds the record that gave a result, and the topic that it is from; None = there is no such record.
Origin = Callable[[Stamped], tuple[str, Any] | None]


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
        record: Any = stamped
        if isinstance(stamped, Envelope):
            record, source = stamped.source, stamped.tp or source
        if self.origin is not None:
            topic, record = self.origin(stamped) or (source.topic, None)
            source = TP(topic, source.partition)
        await self.output.refused(result, source, record, error)
