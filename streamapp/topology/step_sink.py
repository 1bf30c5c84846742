"""A sink with steps before it: what becomes of the results of a join, a window or a function with a state."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec
from faust.types import TP

from streamapp.formats.undecodable import Reason as Letter
from streamapp.functions.context import Emitted
from streamapp.functions.failure import refusal
from streamapp.functions.record import TypedRecord
from streamapp.functions.steps import Path, Tree
from streamapp.joins import Event, Record, Refused
from streamapp.joins.corrections import HEADER
from streamapp.kafka.record import Envelope, Headers, Stamped
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.work import Rejected
from streamapp.topology.corrections import marks_of
from streamapp.topology.ends import End
from streamapp.topology.sink import Sink, stamped
from streamapp.windows.aggregate import Value

__all__ = ["StepSink", "letter"]

R = TypeVar("R")
CAUSES: Final = frozenset(Letter)
_decode: Final = msgspec.json.Decoder().decode


@dataclasses.dataclass(eq=False)
class StepSink(Sink[R]):
    """Runs steps on results, and sends what comes of them; each is a record whose value is the result.

    Those of a function with a state are the records that it has emitted.
    """

    _: dataclasses.KW_ONLY
    #: Makes the JSON of a result, which a step gets decoded; None = it gets the result.
    encode: Callable[[Value], bytes] | None = None
    #: Takes what a step fails on.
    dead_letters: DeadLetters
    #: Whether an error of a step goes on up; otherwise the record that gave the result is rejected.
    stop: bool = False
    #: By side output, the steps and where they end.
    trees: defaultdict[str, Tree[End]] = dataclasses.field(default_factory=lambda: defaultdict(Tree))
    ends: list[End] = dataclasses.field(default_factory=list)
    #: Whether results come to an end in several ways, and so have to go one by one.
    single: bool = False

    @property
    def outputs(self) -> list[Output]:
        """The topics that it sends to."""
        return list(dict.fromkeys(end.output for end in self.ends))

    def add(self, side: str, path: Path, end: End) -> None:
        """Have results, or a side output of them, sent somewhere through steps."""
        self.trees[side].add(path, end)
        self.single = self.single or end in self.ends
        self.ends.append(end)

    def send(self, batch: Batch, results: Sequence[R]) -> None:
        """Send what comes of results of a batch once the agent is done with it."""
        made: defaultdict[End, list[TypedRecord[Value]]] = defaultdict(list)
        rejected: list[Rejected] = []

        def reject(record: TypedRecord[Value], error: Exception) -> None:
            if self.stop and not isinstance(error, Refused):
                raise error
            topic, found = self._found(record.origin) or (batch.topic, Event(record.key, None, record.timestamp))
            rejected.append(letter(TP(topic, batch.partition), found, error))

        marks = marks_of(results)
        for some in [[result] for result in results] if self.single else [results]:
            for side, records in self._records(some, marks).items():
                for end, sent in self.trees[side].run(records, reject) if side in self.trees else ():
                    made[end] += sent
        for end, sent in made.items():
            end.send(batch, sent, origin=self._origin)
        self.dead_letters.reject(batch, rejected)

    def _records(self, results: Sequence[R], marks: Mapping[int, Headers]) -> Mapping[str, list[TypedRecord[Value]]]:
        """Return the records of results, by side output, with the marks of those that are corrections."""
        records: defaultdict[str, list[TypedRecord[Value]]] = defaultdict(list)
        for result in results:
            if isinstance(result, Emitted):
                side, record = result.side, result.record.replace(origin=result)
            else:
                side, record = "", self._typed(result)
            if own := marks.get(id(result)):
                record = record.replace(headers=[*own, *(one for one in record.headers if one[0] != HEADER)])
            records[side].append(record)
        return records

    def _typed(self, result: Value) -> TypedRecord[Value]:
        headers = stamped(result).headers
        if self.encode is None:
            return TypedRecord(result.key, result, result.timestamp, headers, result)
        encoded = self.encode(result)
        return TypedRecord(result.key, _decode(encoded), result.timestamp, headers, result, encoded)

    def _origin(self, sent: Stamped) -> tuple[str, Record] | None:
        return self._found(sent.source if isinstance(sent, Envelope) else sent)

    def _found(self, result: Value) -> tuple[str, Record] | None:
        """Find the record that gave a result, if one alone did."""
        if not isinstance(result, Emitted):
            return super()._origin(result)
        record = result.record.origin
        return (self.topics[result.source], record) if getattr(record, "offset", -1) >= 0 else None


def letter(tp: TP, record: Record, error: Exception) -> Rejected:
    """Return what the dead letters take for a record at which a step has failed."""
    refused = refusal(error)
    reason = Letter(refused.cause) if refused.cause in CAUSES else Letter.REFUSED
    return Rejected(tp, record, reason, str(refused), refused.traceback)
