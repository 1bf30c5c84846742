"""The joins that Faust declares: `Stream.join` and its kin, and ``(s1 & s2).inner_join(A.user_id, B.user_id)``.

faust-streaming 0.15.3 has their names (`faust/streams.py`, `faust/joins.py`) and nothing behind them: the strategies'
`process` raises NotImplementedError, and a combined stream is fed by nobody. Here a join of two streams is that of
`streamapp.joins`, with its state in a table.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypedDict, Unpack

import faust
from faust.exceptions import ValueDecodeError
from faust.types import FieldDescriptorT

from streamapp.joins import How, Joined, Record, Refused, Row, SideOutput, StreamStreamJoin
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.topology.base import JoiningApp
from streamapp.topology.declaration import Duration, JoinDeclaration, milliseconds
from streamapp.topology.processor import JoinError, JoinProcessor
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.sink import Sink
from streamapp.windows.aggregate import Value
from streamapp.worker.stream import Stream as BatchStream

__all__ = ["JoinedStream", "Stream"]

Field = FieldDescriptorT[object]


class JoinOptions(TypedDict, total=False):
    """What a join of streams takes: before, after and grace as in `Topic.join`, the rest as in `JoinDeclaration.to`."""

    before: Duration
    after: Duration
    grace: Duration
    name: str
    tell: Callable[[SideOutput], None]
    unmatched: Output
    late: Output
    null_key: Output
    rejected: Output


class Stream(BatchStream):
    """A Faust stream that can be joined.

    ``(s1 & s2)`` are two streams of topics, to be joined where they are declared: in a module, not in a running agent.
    """

    def join(self, *fields: Field, **options: Unpack[JoinOptions]) -> JoinedStream:  # type: ignore[override]
        """Join as `right_join` does: that is the strategy that Faust declares for it."""
        return self.right_join(*fields, **options)

    def inner_join(self, *fields: Field, **options: Unpack[JoinOptions]) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs only.

        Args:
            fields: of each side the field that is joined on; none = the records' keys.
            options: `JoinOptions`; before, after and grace are needed.

        Raises:
            JoinError: for arguments or streams that cannot be joined.
        """
        return self._joined(How.INNER, fields, options)

    def left_join(self, *fields: Field, **options: Unpack[JoinOptions]) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs, and each record of the first one that is in none."""
        return self._joined(How.LEFT, fields, options)

    def right_join(self, *fields: Field, **options: Unpack[JoinOptions]) -> JoinedStream:
        """Join two streams: pairs, and each record of the second one that is in none."""
        return self._joined(How.RIGHT, fields, options)

    def outer_join(self, *fields: Field, **options: Unpack[JoinOptions]) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs, and each record that is in none."""
        return self._joined(How.OUTER, fields, options)

    def _joined(self, how: How, fields: tuple[Field, ...], options: JoinOptions) -> JoinedStream:
        if len(self.combined) != 2:
            raise JoinError("a join is of two streams: (s1 & s2)")
        if not {"before", "after", "grace"} <= options.keys():
            raise JoinError("a join of two streams needs before, after and grace")
        if len(fields) not in {0, 2}:
            raise JoinError("a join of two streams is on two fields, one of each, or on none: on the records' keys")
        try:
            before, after, grace = map(milliseconds, (options["before"], options["after"], options["grace"]))
            join = StreamStreamJoin(before=before, after=after, grace=grace, how=how)
        except ValueError as exc:
            raise JoinError(str(exc)) from None
        left, right = sides = [
            Side.of(node, field) for node, field in zip(self.combined, fields or (None, None), strict=True)
        ]
        inputs = [Input(side.topic, number, side.check) for number, side in enumerate(sides)]
        # What was subscribed for each of the streams would be delivered besides, and nobody would take it.
        for side in sides:
            self.app.topics.discard(side.channel)
        name = options.get("name") or f"{left.name}-{right.name}-join"
        outputs = {side: output for side, output in options.items() if isinstance(output, Output)}
        processor = JoinDeclaration(left.app, name, join, inputs).processor(by_reason(outputs), options.get("tell"))
        return JoinedStream(processor, left, right)


@dataclasses.dataclass(frozen=True)
class Side:
    """One side of a join of Faust streams: decodes its values, and checks that the records are keyed by the field."""

    app: JoiningApp
    #: What was subscribed for the stream.
    channel: faust.Topic
    #: That is joined on; None = the key.
    field: Field | None

    @classmethod
    def of(cls, stream: Any, field: Field | None) -> Side:
        """Take a stream for a side, which must be one of a topic."""
        if len(getattr(getattr(stream, "channel", None), "topics", ())) != 1:
            raise JoinError(f"{stream!r} is not a stream of one topic, and cannot be joined")
        return cls(stream.app, stream.channel, field)

    @property
    def topic(self) -> str:
        """Full name of the topic."""
        return self.channel.topics[0]

    @property
    def name(self) -> str:
        """Name of the topic without the prefix."""
        return self.topic.removeprefix(self.app.settings.topic_prefix)

    def value(self, record: Record | Row | None) -> Value:
        """Decode the value of a record as the topic says; None for no record."""
        if record is None:
            return None
        channel = self.channel
        return self.app.serializers.loads_value(channel.value_type, record.value, serializer=channel.value_serializer)

    def check(self, record: Record) -> None:
        """Refuse a record whose value cannot be decoded, or whose key is not what it is to be joined on."""
        if record.value is None or record.key is None:
            return
        try:
            value = self.value(record)
        except ValueDecodeError as exc:
            raise Refused(f"the value cannot be decoded: {exc}") from None
        if self.field is not None:
            on = self.field.getattr(value)
            if record.key not in {str(on).encode(), json.dumps(on).encode()}:
                name = self.field.ident
                raise Refused(f"the key {record.key!r} is not that of {name}, {on!r}: partition by it first")


class JoinedStream:
    """What comes of a join of two Faust streams: pairs of their values, with None for the side that is missing.

    To be iterated over by one ``async for``, in an ``@app.task``: a batch of records is done, and the state of the join
    with it, when all its pairs have been taken and the next one is asked for. Or `to` sends the results to a topic.
    """

    def __init__(self, processor: JoinProcessor[Joined], left: Side, right: Side) -> None:
        self.processor = processor
        self._left = left
        self._right = right
        self._stream: Any = processor.app.stream(processor.channel)

    def to(self, output: Output, *, value: Callable[[Joined], object] | None = None) -> JoinProcessor[Joined]:
        """Send the results to a topic, as `JoinDeclaration.to` does."""
        self.processor.app.topics.discard(self._stream.channel)
        self.processor.into(Sink(output, value))
        return self.processor

    async def __aiter__(self) -> AsyncIterator[tuple[Value, Value]]:
        self._stream.task_owner = asyncio.current_task()
        async for batch in self._stream:
            with self.processor.working(batch) as results:
                for joined in results:
                    yield self._left.value(joined.left), self._right.value(joined.right)
