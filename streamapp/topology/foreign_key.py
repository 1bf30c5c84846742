"""The foreign-key join of two tables on Kafka, whose partitions need not go together.

A left row subscribes to the right row that it names, in the partition where that is; whenever the right row changes,
the answer comes back to the partition of the left row, and there the result is made:

    left topic ──► left half ── subscriptions, by the right key ──► right half ◄── right topic
                    │  ▲                                                │
     results ◄──────┘  └────────────── answers, by the left key ────────┘

What is asked and answered is for `streamapp.joins.foreign_key` to say; here it is carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from faust.types import TP

from streamapp.explain.lineage import Lineage
from streamapp.joins import ForeignKeyJoin, Record, Side
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.joins.foreign_key_sides import Answer, Subscription
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.batch import Batch
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.settings import Guarantee
from streamapp.topology.declaration import JoinDeclaration
from streamapp.topology.sink import NO_HEADERS, Sink

__all__ = ["ForeignKeyDeclaration"]


class ForeignKeyDeclaration(JoinDeclaration[Any]):
    """A foreign-key join as it is declared; it has two processors, and internal topics between them.

    Args:
        app: the app.
        name: of the join.
        left: the left topic, as source 0.
        right: the right topic, as source 1.
        join: what it means.
    """

    def __init__(self, app: Any, name: str, left: Input, right: Input, join: ForeignKeyJoin) -> None:
        subscriptions, answers = (f"{app.settings.id}-{name}-{kind}" for kind in ("subscriptions", "answers"))
        # At least once, what was sent before a kill may be there while the state has nothing of it.
        exact = app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE
        half = LeftHalf(foreign_key=join.foreign_key, how=join.how, exact=exact)
        super().__init__(app, name, half, [Input(answers, Side.RIGHT), left])
        self._right = JoinDeclaration(app, f"{name}-right", RightHalf(), [right, Input(subscriptions, Side.LEFT)])
        self._subscriptions = Output(app, subscriptions)
        self._answers = _Answers(app, answers, left.topic)

    def sink(self, output: Output, value: Callable[[Any], Any] | None, lineage: Lineage | None) -> Sink[Any]:
        """Make what sends the results to a topic; the right half becomes a part of the app."""
        self.app.declared.internal |= {each.topic: each for each in (self._subscriptions, self._answers)}
        left, right = self.topics[Side.LEFT], self._right.topics[Side.RIGHT]
        self.app.derived |= {self._subscriptions.topic: left, self._answers.topic: right}
        self._right.processor().into(_AnswerSink(self._answers))
        if lineage is not None:
            lineage = Lineage({Side.LEFT: left, Side.RIGHT: right})
        return _LeftSink(output, value, self._subscriptions, lineage, self.topics)


def _send(output: Output, batch: Batch, messages: Iterable[Subscription | Answer], origin: Any = None) -> None:
    records = [(Envelope(one.to, one.timestamp, NO_HEADERS, one), one.encode()) for one in messages]
    output.send(batch, records, rekeyed=True, origin=origin)


class _LeftSink(Sink[Any]):
    """Sends results to their topic, and subscriptions to theirs."""

    def __init__(
        self,
        output: Output,
        value: Callable[[Any], Any] | None,
        subscriptions: Output,
        lineage: Lineage | None,
        topics: Mapping[int, str],
    ) -> None:
        super().__init__(output, value, lineage=lineage, topics=topics)
        self._subscriptions = subscriptions

    def send(self, batch: Batch, results: Sequence[Any]) -> None:
        """Send what the left half made of a batch once the agent is done with it."""
        super().send(batch, [result for result in results if type(result) is not Subscription])
        asked = (result for result in results if type(result) is Subscription)
        _send(self._subscriptions, batch, asked, self._asked)

    def _asked(self, stamped: Any) -> tuple[str, Record]:
        asked: Subscription = stamped.source
        return self._topics[Side.LEFT], asked.left


class _AnswerSink(Sink[Any]):
    """Sends answers, with the partition that they are from."""

    def send(self, batch: Batch, results: Sequence[Any]) -> None:
        """Send the answers of a batch once the agent is done with it."""
        _send(self.output, batch, (msgspec.structs.replace(one, partition=batch.partition) for one in results))


class _Answers(Output):
    """The answers; if the broker refuses one, it is the left row that has no result.

    Args:
        app: the app.
        topic: of the answers.
        left: the left topic, whose partitions the answers go to.
    """

    _app: Any

    def __init__(self, app: Any, topic: str, left: str) -> None:
        super().__init__(app, topic)
        self._left = left

    async def refused(self, result: Result, source: TP, record: Any, error: RecordRefusedError) -> None:
        """Send the left record that was asked for to the dead letters."""
        answer: Answer = record
        left = TP(self._left, partition_of(answer.to, await self._app.producer.partition_count(self._left)))
        asked: Any = answer.left
        await super().refused(result, left, asked, error)
