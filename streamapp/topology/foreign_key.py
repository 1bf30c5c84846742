"""The foreign-key join of two tables on Kafka, whose partitions need not go together.

A left row subscribes to the right row that it names, in the partition where that is; whenever the right row changes,
the answer comes back to the partition of the left row, and there the result is made:

    left topic ──► left half ── subscriptions, by the right key ──► right half ◄── right topic
                    │  ▲                                                │
     results ◄──────┘  └────────────── answers, by the left key ────────┘

What is asked and answered is for `streamapp.joins.foreign_key` to say; here it is carried.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from faust.types import TP

from streamapp.explain.lineage import Lineage
from streamapp.joins import ForeignKeyJoin, Joined, Record, Side
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.joins.foreign_key_sides import Answer, Message, Subscription
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.record import Envelope, Headers, Result, Stamped
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.batch import Batch
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.runtime.work import Origin, Results
from streamapp.settings import Guarantee
from streamapp.topology.base import JoiningApp
from streamapp.topology.corrections import Corrected, marks_of
from streamapp.topology.declaration import JoinDeclaration
from streamapp.topology.processor import JoinError
from streamapp.topology.sink import NO_HEADERS, MakeValue, Sink

__all__ = ["ForeignKeyDeclaration"]


class ForeignKeyDeclaration(JoinDeclaration[Message]):
    """A foreign-key join as it is declared; it has two processors, and internal topics between them."""

    def __init__(self, app: JoiningApp, name: str, left: Input, right: Input, join: ForeignKeyJoin) -> None:
        subscriptions, answers = (f"{app.settings.id}-{name}-{kind}" for kind in ("subscriptions", "answers"))
        # At least once, what was sent before a kill may be there while the state has nothing of it.
        exact = app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE
        for topic in (left.topic, right.topic):
            if topic in app.declared.key_formats:
                raise JoinError(
                    f"the keys of {topic} are not text, and a foreign key finds its partition by the text: have it "
                    "written once more, .rekey()"
                )
        half = LeftHalf(foreign_key=join.foreign_key, how=join.how, exact=exact)
        super().__init__(app, name, half, [Input(answers, Side.RIGHT), left])
        self._right = JoinDeclaration(app, f"{name}-right", RightHalf(), [right, Input(subscriptions, Side.LEFT)])
        self._subscriptions = Output(app, subscriptions)
        self._answers = _Answers(app, answers, left.topic)

    def sink(self, output: Output, value: MakeValue | None, lineage: Lineage | None) -> Sink[Message]:
        """Make what sends the results to a topic; the right half becomes a part of the app."""
        self.app.declared.internal |= {each.topic: each for each in (self._subscriptions, self._answers)}
        left, right = self.topics[Side.LEFT], self._right.topics[Side.RIGHT]
        self.app.derived |= {self._subscriptions.topic: left, self._answers.topic: right}
        processor = self._right.processor()
        processor.traced = lineage is not None
        processor.into(_AnswerSink(self._answers))
        if lineage is not None:
            lineage = Lineage({Side.LEFT: left, Side.RIGHT: right})
        sink = _LeftSink(output, value, lineage=lineage, topics=self.topics)
        sink.subscriptions = self._subscriptions
        return sink


def _send(
    output: Output,
    batch: Batch,
    messages: Iterable[tuple[Subscription | Answer, Headers]],
    origin: Origin | None = None,
) -> None:
    records = [(Envelope(one.to, one.timestamp, headers, one), one.encode()) for one, headers in messages]
    output.send(batch, records, rekeyed=True, origin=origin)


class _LeftSink(Sink[Message]):
    """Sends results to their topic, and subscriptions to theirs."""

    subscriptions: Output

    def send(self, batch: Batch, results: Sequence[Message]) -> None:
        """Send what the left half made of a batch once the agent is done with it."""
        marks = marks_of(results)
        joined = [result for result in results if type(result) is Joined]
        super().send(batch, Corrected(joined, marks) if marks else joined)
        asked = [(one, marks.get(id(one), NO_HEADERS)) for one in results if type(one) is Subscription]
        _send(self.subscriptions, batch, asked, self._asked)

    def _asked(self, stamped: Stamped) -> tuple[str, Record]:
        asked: Subscription = cast(Envelope, stamped).source
        return self.topics[Side.LEFT], asked.left


class _AnswerSink(Sink[Message]):
    """Sends answers, with the partition that they are from."""

    def send(self, batch: Batch, results: Sequence[Message]) -> None:
        """Send the answers of a batch once the agent is done with it."""
        marks = marks_of(results)
        answers = ((cast(Answer, one), marks.get(id(one), NO_HEADERS)) for one in results)
        _send(
            self.output,
            batch,
            ((msgspec.structs.replace(one, partition=batch.partition), headers) for one, headers in answers),
        )


class _Answers(Output):
    """The answers; if the broker refuses one, it is the left row that has no result."""

    def __init__(self, app: JoiningApp, topic: str, left: str) -> None:
        super().__init__(app, topic)
        self._joining = app
        self._left = left

    async def refused(
        self, result: Result, source: TP, record: Record | None, error: RecordRefusedError
    ) -> Results | None:
        """Return the dead letter of the left record that was asked for."""
        answer = cast(Answer, record)
        producer = self._joining.producer
        count = await producer.partition_count(self._left)  # type: ignore[attr-defined]  # of ours
        return await super().refused(result, TP(self._left, partition_of(answer.to, count)), answer.left, error)
