"""Where streams begin: a topic, or the results of what is declared; and the way from there, step by step."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from streamapp.formats.serde import Read
from streamapp.formats.undecodable import Reason as Letter
from streamapp.functions.failure import refusal
from streamapp.functions.record import TypedRecord, typed
from streamapp.functions.steps import Path
from streamapp.joins import Reason, Record, Refused, SideOutput
from streamapp.runtime.copies import without_mark
from streamapp.runtime.output import Output
from streamapp.settings import OnFailure
from streamapp.topology.declaration import Declaration
from streamapp.topology.decoding import Decode
from streamapp.topology.ends import End, value_of
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.step_sink import StepSink
from streamapp.windows.aggregate import Value

__all__ = ["Part", "ResultRoot", "Results", "StepsBefore", "TopicRoot"]


@dataclasses.dataclass(frozen=True)
class TopicRoot:
    """A topic, by its full name.

    Args:
        topic: the name.
        decode: gives the values of its records.
        check: raises `Refused` for a record that cannot be used; None = all can.
        read: makes of a record one whose value is JSON; None = it is such a one.
    """

    topic: str
    decode: Decode
    check: Callable[[Record], None] | None = None
    read: Read | None = None

    def record(self, record: Record) -> TypedRecord[Value]:
        """Return a record with its value decoded.

        Raises:
            Refused: if that cannot be.
        """
        if self.read is not None:
            record = self.read.one(record)
        if self.check is not None:
            self.check(record)
        headers = getattr(record, "headers", ())
        return typed(record, self.decode(record), without_mark(headers) if headers else headers)


class Results:
    """The results of what is declared; it becomes a part of the app once it is said where they go."""

    def __init__(
        self,
        declaration: Declaration[Any],
        outputs: Mapping[Reason, Output],
        tell: Callable[[SideOutput], None] | None = None,
        sides: set[str] | None = None,
        encode: Callable[[Value], bytes] | None = None,
    ) -> None:
        self.declaration = declaration
        self._outputs = outputs
        self._tell = tell
        #: The side outputs that are declared, if it can have some.
        self.sides = sides
        self._encode = encode
        self._sink: StepSink[Any] | None = None

    def add(self, side: str, path: Path, end: End) -> None:
        """Have results, or a side output of them, sent somewhere."""
        if self._sink is None:
            declaration = self.declaration
            processor: JoinProcessor[Any] = declaration.processor(self._outputs, self._tell)
            self._sink = StepSink(
                end.output,
                topics=declaration.topics,
                dead_letters=declaration.app.dead_letters,
                encode=self._encode,
                stop=declaration.app.settings.on_failure is OnFailure.STOP,
            )
            processor.into(self._sink)
        self._sink.add(side, path, end)


class ResultRoot(NamedTuple):
    """The results of what is declared, or one of its side outputs."""

    results: Results
    side: str = ""


class Part(NamedTuple):
    """A way of records into a stream: from where, and through which steps. A merged stream has several."""

    root: TopicRoot | ResultRoot
    path: Path = ()


@dataclasses.dataclass(frozen=True, eq=False)
class StepsBefore:
    """Makes of a record of a topic those that a join, a window or a function with a state takes in.

    Its state is in the partition of the topic, so that a record with another key would be in the wrong one.

    Args:
        root: the topic.
        path: the steps.
        encoded: whether the values are to be bytes.
        stop: whether an error of a step goes on up; otherwise the record is rejected.
    """

    root: TopicRoot
    path: Path
    encoded: bool
    stop: bool

    def __call__(self, record: Record) -> Sequence[Record]:
        """Return what comes of a record.

        Raises:
            Refused: if a step fails, or gives another key.
        """
        if record.value is None:
            return (record,) if self.root.read is None else self.root.read(record)
        records: Sequence[TypedRecord[Value]] = [self.root.record(record)]
        for step in self.path:
            records = step(records, self._raise)
        for one in records:
            if one.key != record.key:
                error = f"a step has given it the key {one.key!r}, and no .rekey() follows"
                raise Refused(error, Letter.KEY_MISMATCH)
        return [self._encoded(one) for one in records] if self.encoded else records

    def _encoded(self, record: TypedRecord[Value]) -> Record:
        origin: Record = record.origin
        return origin if record.encoded is not None else record.replace(value=value_of(record))

    def _raise(self, _record: TypedRecord[Value], error: Exception) -> None:
        raise error if self.stop else refusal(error)
