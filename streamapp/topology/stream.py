"""The joins that Faust declares: `Stream.join` and its kin, and ``(s1 & s2).inner_join(A.user_id, B.user_id)``.

faust-streaming 0.15.3 has their names (`faust/streams.py`, `faust/joins.py`) and nothing behind them: the strategies'
`process` raises NotImplementedError, and a combined stream is fed by nobody. Here a join of two streams is that of
`streamapp.joins`, with its state in a table. The strategies say how far apart two records may be, and how late.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from faust import joins as declared
from faust.exceptions import ValueDecodeError
from faust.types import FieldDescriptorT

from streamapp.joins import How, Joined, Record, Refused, SideOutput, StreamStreamJoin
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.topology.declaration import JoinDeclaration, JoinError
from streamapp.topology.durations import Duration, milliseconds
from streamapp.topology.processor import JoinProcessor
from streamapp.topology.side_outputs import by_reason
from streamapp.topology.sink import Sink
from streamapp.worker.stream import Stream as BatchStream

__all__ = ["InnerJoin", "JoinedStream", "LeftJoin", "OuterJoin", "RightJoin", "Stream"]


class Join(declared.Join):
    """A join strategy: which records of two streams are a pair.

    Args:
        stream: the combined stream.
        fields: of each side the field that is joined on; none = the records' keys.
        before: how much earlier than a record of the first stream one of the second may be.
        after: how much later it may be.
        grace: how far a record may be behind the event clock.

    Raises:
        JoinError: if window or grace are not given, or there are not two fields.
    """

    how: How

    def __init__(
        self,
        *,
        stream: Any,
        fields: tuple[FieldDescriptorT[Any], ...] = (),
        before: Duration | None = None,
        after: Duration | None = None,
        grace: Duration | None = None,
    ) -> None:
        super().__init__(stream=stream, fields=fields)
        if before is None or after is None or grace is None:
            raise JoinError("a join of two streams needs before, after and grace")
        if len(fields) not in {0, 2}:
            raise JoinError("a join of two streams is on two fields, one of each, or on none: on the records' keys")
        self.on = fields or (None, None)
        try:
            self.meaning = StreamStreamJoin(
                before=milliseconds(before), after=milliseconds(after), grace=milliseconds(grace), how=self.how
            )
        except ValueError as exc:
            raise JoinError(str(exc)) from None


class InnerJoin(Join, declared.InnerJoin):
    """Pairs only."""

    how = How.INNER


class LeftJoin(Join, declared.LeftJoin):
    """Pairs, and each record of the first stream that is in none."""

    how = How.LEFT


class RightJoin(Join, declared.RightJoin):
    """Pairs, and each record of the second stream that is in none."""

    how = How.RIGHT


class OuterJoin(Join, declared.OuterJoin):
    """Pairs, and each record that is in none."""

    how = How.OUTER


class Stream(BatchStream):
    """A Faust stream that can be joined.

    ``(s1 & s2)`` are two streams of topics, to be joined where they are declared: in a module, not in a running agent.
    """

    def join(self, *fields: FieldDescriptorT[Any], **options: Any) -> JoinedStream:  # type: ignore[override]
        """Join as `right_join` does: that is the strategy that Faust declares for it."""
        return self.right_join(*fields, **options)

    def inner_join(self, *fields: FieldDescriptorT[Any], **options: Any) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs only.

        Args:
            fields: of each side the field that is joined on; none = the records' keys.
            options: before, after and grace, as `Join` has them; ``name``, as `Topic.join` has it; and where records go
                that are not matched (``unmatched``, ``late``, ``null_key``, ``rejected``, ``tell``), as
                `JoinDeclaration.to` has it.

        Raises:
            JoinError: for arguments or streams that cannot be joined.
        """
        return self._joined(InnerJoin, fields, **options)

    def left_join(self, *fields: FieldDescriptorT[Any], **options: Any) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs, and each record of the first one that is in none."""
        return self._joined(LeftJoin, fields, **options)

    def right_join(self, *fields: FieldDescriptorT[Any], **options: Any) -> JoinedStream:
        """Join two streams: pairs, and each record of the second one that is in none."""
        return self._joined(RightJoin, fields, **options)

    def outer_join(self, *fields: FieldDescriptorT[Any], **options: Any) -> JoinedStream:  # type: ignore[override]
        """Join two streams: pairs, and each record that is in none."""
        return self._joined(OuterJoin, fields, **options)

    def _joined(
        self,
        strategy: type[Join],
        fields: tuple[FieldDescriptorT[Any], ...],
        *,
        before: Duration | None = None,
        after: Duration | None = None,
        grace: Duration | None = None,
        name: str | None = None,
        tell: Callable[[SideOutput], None] | None = None,
        **outputs: Output | None,
    ) -> JoinedStream:
        if len(self.combined) != 2:
            raise JoinError("a join is of two streams: (s1 & s2)")
        join = strategy(stream=self, fields=fields, before=before, after=after, grace=grace)
        sides = [Side(node, field) for node, field in zip(self.combined, join.on, strict=True)]
        inputs = [Input(side.topic, number, side.check) for number, side in enumerate(sides)]
        # What was subscribed for each of the streams would be delivered besides, and nobody would take it.
        for side in sides:
            self.app.topics.discard(side.channel)
        name = name or "-".join([*(side.name for side in sides), "join"])
        declaration = JoinDeclaration(self.app, name, join.meaning, inputs)
        return JoinedStream(declaration.processor(by_reason(**outputs), tell), *sides)


class Side:
    """One side of a join of Faust streams: decodes its values, and checks that the records are keyed by the field.

    Args:
        stream: of one topic.
        field: that is joined on; None = the key.

    Raises:
        JoinError: if it is no stream of a topic.
    """

    def __init__(self, stream: Any, field: FieldDescriptorT[Any] | None) -> None:
        topics: tuple[str, ...] = tuple(getattr(getattr(stream, "channel", None), "topics", ()))
        if len(topics) != 1:
            raise JoinError(f"{stream!r} is not a stream of one topic, and cannot be joined")
        self._app = stream.app
        #: What was subscribed for the stream.
        self.channel = stream.channel
        self._field = field
        self.topic = topics[0]
        self.name: str = self.topic.removeprefix(self._app.settings.topic_prefix)

    def value(self, record: Any) -> Any:
        """Decode the value of a record as the topic says; None for no record.

        Raises:
            ValueDecodeError: if it cannot be decoded.
        """
        if record is None:
            return None
        channel = self.channel
        return self._app.serializers.loads_value(channel.value_type, record.value, serializer=channel.value_serializer)

    def check(self, record: Record) -> None:
        """Check that a record can be used.

        Raises:
            Refused: if its value cannot be decoded, or its key is not what it is to be joined on.
        """
        if record.value is None or record.key is None:
            return
        try:
            value = self.value(record)
        except ValueDecodeError as exc:
            raise Refused(f"the value cannot be decoded: {exc}") from None
        if self._field is not None:
            on = self._field.getattr(value)
            if record.key not in {str(on).encode(), json.dumps(on).encode()}:
                raise Refused(
                    f"the key {record.key!r} is not that of {self._field.ident}, {on!r}: partition by it first"
                )


class JoinedStream:
    """What comes of a join of two Faust streams: pairs of their values, with None for the side that is missing.

    To be iterated over by one ``async for``, in an ``@app.task``: a batch of records is done, and the state of the join
    with it, when all its pairs have been taken and the next one is asked for. Or `to` sends the results to a topic.

    Args:
        processor: the join.
        left: the first side.
        right: the second one.
    """

    def __init__(self, processor: JoinProcessor[Joined], left: Side, right: Side) -> None:
        self.processor = processor
        self._left = left
        self._right = right
        self._stream = processor.app.stream(processor.channel)

    def to(self, output: Output, *, value: Callable[[Joined], Any] | None = None) -> JoinProcessor[Joined]:
        """Send the results to a topic, as `JoinDeclaration.to` does."""
        self.processor.app.topics.discard(self._stream.channel)
        self.processor.into(Sink(output, value))
        return self.processor

    async def __aiter__(self) -> AsyncIterator[tuple[Any, Any]]:
        self._stream.task_owner = asyncio.current_task()
        async for batch in self._stream:
            with self.processor.working(batch) as results:
                for joined in results:
                    yield self._left.value(joined.left), self._right.value(joined.right)
