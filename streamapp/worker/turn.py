"""A turn: what an agent works on, until it is done with all of it or what it fails on is set aside."""

from __future__ import annotations

import dataclasses
import traceback
from collections.abc import Sequence
from typing import Final, NamedTuple

from faust.types import EventT

from streamapp.formats.undecodable import Reason
from streamapp.kafka.unreadable import Unreadable
from streamapp.runtime.batch import Batch
from streamapp.runtime.changelog_limits import RowRefusedError
from streamapp.runtime.work import Rejected, Work

__all__ = ["Author", "Turn", "readable"]

#: How often a single record may fail before it is taken to be at fault itself.
RECORD_TRIES: Final = 2


class Author(NamedTuple):
    """Who fails: the join, if it is one's, as messages call it, and the agent."""

    join: str
    agent: str


@dataclasses.dataclass
class Turn:
    """The batches that an agent is still to be given, and what was done with those it is finished with.

    An agent that fails on a batch gets it again; when it fails again, its halves, and so on down to the record at
    fault, which goes to the dead letters.
    """

    #: What the batches came as: one event, those of a round that are merged, or none at a tick.
    events: Sequence[EventT[Batch]]
    parts: list[Batch]
    #: The group's generation in which it began.
    generation: int
    work: Work = dataclasses.field(default_factory=Work)
    #: How often the agent has failed on the first of the parts.
    failures: int = 0

    def begin(self) -> Batch:
        """Return what the agent is to be given now; a try that failed has left nothing behind."""
        part = self.parts[0]
        part.work = self.work.copy()
        return part

    def done(self) -> None:
        """Keep what was done with the first of the parts."""
        self.work = self.parts.pop(0).work
        self.failures = 0

    def failed(self, error: Exception, by: Author, *, stop: bool) -> None:
        """Narrow down what the agent fails on.

        Raises:
            Exception: this error, if a record is at fault and the worker is to stop then.
        """
        batch = self.parts[0]
        if not batch:
            self.parts.pop(0)  # it is due again at the next tick
        elif len(batch) > 1:
            self._halve()
        elif self.failures >= RECORD_TRIES:
            if stop:
                raise error
            text = "".join(traceback.format_exception(error))
            self._reject(Reason.AGENT_FAILED, repr(error), text, by)

    def refused(self, error: RowRefusedError, by: Author) -> None:
        """Narrow down which record gives a row that the changelog does not take; no try is wasted on it."""
        batch = self.parts[0]
        for rows in batch.work.changes:
            rows.epoch += 1  # what an agent keeps in memory is ahead of them
        if len(batch) > 1:
            self._halve()
        else:
            self._reject(Reason(error.cause), str(error), "", by)

    def _halve(self) -> None:
        self.parts[:1] = self.parts[0].halves()
        self.failures = 0

    def _reject(self, reason: Reason, error: str, text: str, by: Author) -> None:
        batch = self.parts.pop(0)
        if batch:
            self.work.rejected.append(Rejected(batch.source(0), batch.records[0], reason, error, text, *by))
        self.failures = 0


def readable(batch: Batch) -> tuple[Batch, list[Rejected]]:
    """Return the records of a batch that the agent gets: another one may have the same, and its own work on them."""
    if Unreadable not in map(type, batch.records):
        return batch.anew(), []
    places = batch.places if batch.places is not None else [0] * len(batch)
    kept = [(place, record) for place, record in zip(places, batch, strict=True) if not isinstance(record, Unreadable)]
    good = Batch(batch.tp, [record for _, record in kept])
    good.places = None if batch.places is None else [place for place, _ in kept]
    rejected = [
        Rejected(batch.tp, record, Reason.HEADER_NOT_UTF8, record.error)
        for record in batch
        if isinstance(record, Unreadable)
    ]
    return good, rejected
