"""Batched output: the results of a batch go to their topic as record batches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from faust.types import TP

from streamapp.joins.records import Record
from streamapp.kafka.record import Result
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.batch import Batch
from streamapp.runtime.work import Origin, Results

__all__ = ["Output"]


class RefusedResults(Protocol):
    """Where results go that the broker refuses: the dead letters."""

    async def instead_of(
        self, result: Result, source: TP, record: Record | None, topic: str, error: RecordRefusedError
    ) -> None:
        """Send the record that gave a result; see `DeadLetters.instead_of`, which has the arguments."""
        ...


class Outputs(Protocol):
    """The app, as far as its outputs know it."""

    @property
    def dead_letters(self) -> RefusedResults:
        """Where results go that the broker refuses."""
        ...


class Output:
    """A topic that results are sent to.

    Args:
        app: has the dead letters.
        topic: the topic's name.
    """

    def __init__(self, app: Outputs, topic: str) -> None:
        self._app = app
        self.topic = topic
        #: Records that the broker has acknowledged.
        self.sent = 0

    def send(
        self, batch: Batch, results: Sequence[Result], *, rekeyed: bool = False, origin: Origin | None = None
    ) -> None:
        """Send results, in this order, once the agent is done with the batch.

        The batch is committed after the broker has them. A result that the broker refuses, for instance for its size
        (the topic's ``max.message.bytes``), is not lost: the record that gave it goes to the dead letters.

        Args:
            batch: the batch they are of.
            results: each a record, whose key, event time and headers it gets, and a value.
            rekeyed: some have another key than their batch's records have, and are sent to the partitions of their
                keys. Otherwise, with as many partitions here as there, no key has to be hashed.
            origin: finds the record that gave a result; default: it is the one that the result is sent with, or the
                envelope's source.
        """
        if results:
            batch.work.results.append(Results(self, results, batch.tp, rekeyed, origin))

    async def refused(self, result: Result, source: TP, record: Record | None, error: RecordRefusedError) -> None:
        """Send the record that gave a result which the broker refuses to the dead letters.

        Args:
            result: the result.
            source: the partition of the record.
            record: the record; None = there is none that gave the result alone.
            error: what the broker says.
        """
        await self._app.dead_letters.instead_of(result, source, record, self.topic, error)
