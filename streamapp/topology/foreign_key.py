"""The foreign-key join of two tables on Kafka, whose partitions need not go together.

A left row subscribes to the right row that it names, in the partition where that is; whenever the right row changes,
the answer comes back to the partition of the left row, and there the result is made:

    left topic ──► left side ── subscriptions, by the right key ──► right side ◄── right topic
                    │  ▲                                                │
     results ◄──────┘  └────────────── answers, by the left key ────────┘

An answer has the version of the left row that it is for. The left side takes no other one: when a row goes over from
one right row to another, the answers of both partitions are under way at the same time (KIP-213, KAFKA-18713).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import msgspec
from faust.types import TP

from streamapp.explain.lineage import Lineage
from streamapp.joins import Event, ForeignKeyJoin, How, Joined, Reason, Record, Refused, Row, Side, State
from streamapp.joins import Output as Joining
from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import Declared, earlier, rebuilt, widened
from streamapp.joins.explanation import Explanation, Verdict
from streamapp.joins.foreign_key import ForeignKeyOf
from streamapp.joins.ledger import Ledger, Refusing
from streamapp.joins.records import Batch as Records
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.runtime.batch import Batch
from streamapp.runtime.inputs import Input
from streamapp.runtime.output import Output
from streamapp.runtime.work import Results
from streamapp.topology.declaration import JoinDeclaration
from streamapp.topology.sink import NO_HEADERS, Sink

__all__ = ["ForeignKeyDeclaration", "LeftSideJoin"]

_encode: Final = msgspec.msgpack.Encoder().encode


class Subscription(msgspec.Struct, array_like=True, frozen=True):
    """What the left side asks the right side: to follow the row that is named, or (without a value) no longer to."""

    name: bytes
    key: bytes
    version: int
    value: bytes | None
    timestamp: int


class RightRow(Row, frozen=True, gc=False):
    """A right row, and the partition of the right topic that it is from; -1 = not known."""

    partition: int = -1


class Answer(msgspec.Struct, array_like=True, frozen=True):
    """What the right side answers: the left row as it was asked about, and the right one, if there is one."""

    version: int
    left: Row
    right: RightRow | None


class _Left(msgspec.Struct, array_like=True, frozen=True):
    """What the left side knows of a row."""

    version: int
    names: bytes | None
    #: Whether there is a result, and whether the first answer is still to come.
    emitted: bool
    asked: bool


_subscription: Final = msgspec.msgpack.Decoder(Subscription).decode
_answer: Final = msgspec.msgpack.Decoder(Answer).decode
_left: Final = msgspec.msgpack.Decoder(_Left).decode


@dataclasses.dataclass(frozen=True)
class LeftSideJoin:
    """The left side: of left rows (source 0) it makes subscriptions, of answers (source 1) results.

    Args:
        foreign_key: gives the key of the right row that a left record names.
        how: inner or left.
    """

    foreign_key: ForeignKeyOf
    how: How

    def start(self, state: State) -> LeftSideOperator:
        """Begin, or go on, with what the state holds."""
        return LeftSideOperator(self, state)

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return frozenset({Side.LEFT})

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("the left side of a foreign-key join", self, "how")

    def written_by(self, declared: Declared) -> LeftSideJoin:
        """Return the join that wrote a state.

        Raises:
            StateMismatch: if there is none.
        """
        return rebuilt(self, declared)  # type: ignore[no-any-return]

    def take_over(self, was: LeftSideJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over.

        Raises:
            StateMismatch: if there are rows of the joined table that would have to go.
        """
        return widened(was.how, self.how)


class LeftSideOperator(Refusing[Any]):
    """The left side at work on one partition.

    Left records count in its balance: pending until their answer comes, and superseded if the next record of the key
    comes before that. Answers count in its updates.
    """

    def __init__(self, join: LeftSideJoin, state: State) -> None:
        self.join = join
        earlier(state, join)
        self._ledger: Ledger[Joined | Subscription] = Ledger(state, updates_from=1)
        self.clock, self.balance, self.updates = self._ledger.clock, self._ledger.balance, self._ledger.updates
        self._rows = state.section(b"left/")

    def process(self, batch: Records) -> Joining[Any]:
        """Take left records and answers in the order in which they are given."""
        for source, record in batch:
            self.clock.advance(record.timestamp)
            if source == Side.LEFT:
                self._receive(record)
            else:
                self._answered(record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Joining[Any]:
        """Move the clock on to an event time (ms); no result waits for that."""
        self.clock.advance(to)
        return self._ledger.close()

    def explain(self, source: int, record: Record) -> Explanation:
        """Say why a left record that was taken in joined, or did not; the right rows are elsewhere."""
        explain = partial(Explanation, clock=self.clock.now)
        if source != Side.LEFT:
            return explain(verdict=Verdict.APPLIED)
        try:
            names = None if record.value is None else self.join.foreign_key(record)
        except Refused as refused:
            return explain(verdict=Verdict.REFUSED, detail=str(refused))
        if record.key is None or (record.value is not None and names is None):
            return explain(verdict=Verdict.NULL_KEY)
        row = self._get(record.key)
        if row is None or row.version != record.offset:
            there = "another row" if row else "no row"
            return explain(
                verdict=Verdict.OVER, detail=f"the key has {there} now", reasons=frozenset({Reason.UNMATCHED})
            )
        detail = f"it names the right row {names!r}"
        if row.asked:
            return explain(verdict=Verdict.PENDING, detail=f"{detail}, and waits for the answer")
        if self.join.how is How.LEFT:  # there is a result in any case
            return explain(
                verdict=Verdict.OVER, untold=Verdict.MATCHED, detail=detail, reasons=frozenset({Reason.UNMATCHED})
            )
        return explain(verdict=Verdict.MATCHED if row.emitted else Verdict.UNMATCHED, detail=detail)

    def _receive(self, record: Record) -> None:
        self.balance.received += 1
        key = record.key
        if key is None:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_KEY)
            return
        try:
            names = None if record.value is None else self.join.foreign_key(record)
        except Refused as refused:
            self._ledger.rejected(self.balance, Side.LEFT, record, Reason.REFUSED, refused)
            return
        old = self._get(key)
        if old is not None and old.asked:
            self.balance.pending -= 1
            self.balance.rejected += 1
        if old is not None and old.names is not None and old.names != names:
            self._ask(old.names, key, record.offset, None, record.timestamp)
        emitted = old is not None and old.emitted
        if record.value is not None and names is not None:
            self._ask(names, key, record.offset, record.value, record.timestamp)
            self.balance.pending += 1
            self._put(key, _Left(record.offset, names, emitted, asked=True))
            return
        alone = record.value is not None and self.join.how is How.LEFT
        if alone:
            row = Row(record.value or b"", record.timestamp)
            self._ledger.results.append(Joined(key, row, None, record.timestamp))
        else:
            self._delete(key, record)
        if record.value is None:
            self._rows.delete(key)
            self._account(record, matched=emitted)
        else:
            self._put(key, _Left(record.offset, None, alone, asked=False))
            if alone:
                self._ledger.unmatched(Side.LEFT, record, Reason.NULL_KEY)
            else:
                self._ledger.rejected(self.balance, Side.LEFT, record, Reason.NULL_KEY)

    def _answered(self, record: Record) -> None:
        self.updates.received += 1
        self.updates.applied += 1
        key, answer = record.key or b"", _answer(record.value or b"")
        old = self._get(key)
        if old is None or old.version != answer.version:
            return  # the row has changed since it was asked for
        if old.asked:
            self.balance.pending -= 1
            asked = Event(key, answer.left.value, answer.left.timestamp, answer.version)
            self._account(asked, matched=answer.right is not None)
        emitted = answer.right is not None or self.join.how is How.LEFT
        if emitted:
            self._ledger.results.append(Joined(key, answer.left, answer.right, record.timestamp))
        else:
            self._delete(key, record)
        self._put(key, _Left(old.version, old.names, emitted, asked=False))

    def _delete(self, key: bytes, record: Record) -> None:
        """Delete the result of a left row, also if it has none that is known of.

        Answers come in no certain order. What was sent of one before a kill may be there, while the state has nothing
        of it, and the next time the answers come otherwise.
        """
        self._ledger.results.append(Joined(key, None, None, record.timestamp))

    def _account(self, record: Record, *, matched: bool) -> None:
        if matched:
            self.balance.matched += 1
        else:
            self._ledger.unmatched(Side.LEFT, record)

    def _ask(self, name: bytes, key: bytes, version: int, value: bytes | None, timestamp: int) -> None:
        self._ledger.results.append(Subscription(name, key, version, value, timestamp))

    def _get(self, key: bytes) -> _Left | None:
        row = self._rows.get(key)
        return None if row is None else _left(row)

    def _put(self, key: bytes, row: _Left) -> None:
        self._rows.put(key, _encode(row))


class ForeignKeyDeclaration(JoinDeclaration[Any]):
    """A foreign-key join as it is declared; it has two processors, and internal topics between them.

    Args:
        app: the app.
        name: of the join.
        left: the left topic, as source 0.
        right: the right topic, as source 1.
        foreign_key: gives the key of the right row that a left record names.
        how: inner or left.
    """

    def __init__(self, app: Any, name: str, left: Input, right: Input, foreign_key: ForeignKeyOf, how: How) -> None:
        subscriptions, answers = (f"{app.settings.id}-{name}-{kind}" for kind in ("subscriptions", "answers"))
        super().__init__(app, name, LeftSideJoin(foreign_key, how), [Input(answers, 1), left])
        self._how = how
        self._subscriptions = Output(app, subscriptions)
        self._answers = _Answers(app, answers, left.topic)
        # It answers about rows that name none too: whether that is a result is for the left side to say.
        join = ForeignKeyJoin(foreign_key=_name_of, how=How.LEFT)
        self._right = JoinDeclaration(
            app, f"{name}-right", join, [right, Input(subscriptions, 0, convert=_left_record)]
        )

    def sink(self, output: Output, value: Callable[[Any], Any] | None, lineage: Lineage | None) -> Sink[Any]:
        """Make what sends the results to a topic; the right side becomes a part of the app."""
        self.app.declared.internal |= {each.topic: each for each in (self._subscriptions, self._answers)}
        left, right = self.topics[Side.LEFT], self._right.topics[Side.RIGHT]
        self.app.derived |= {self._subscriptions.topic: left, self._answers.topic: right}
        processor = self._right.processor()
        processor.into(_AnswerSink(self._answers))
        processor.watch.keeps = self._how is How.LEFT
        if lineage is not None:
            lineage = Lineage({Side.LEFT: left, Side.RIGHT: right})
        return _LeftSink(output, value, self._subscriptions, lineage, self.topics)


def _left_record(record: Record) -> Record:
    """Make of a subscription the record of the left row, with the left key."""
    asked = _subscription(record.value or b"")
    return Event(asked.key, None if asked.value is None else record.value, record.timestamp, record.offset)


def _name_of(record: Record) -> bytes:
    return _subscription(record.value or b"").name


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

    @property
    def outputs(self) -> list[Output]:
        """The topics that it sends to; what it asks comes back in the answers, and there it ends."""
        return [self.output]

    def send(self, batch: Batch, results: Sequence[Any]) -> None:
        """Send what the left side made of a batch once the agent is done with it."""
        asked = [result for result in results if type(result) is Subscription]
        super().send(batch, [result for result in results if type(result) is not Subscription])
        records = [(Envelope(one.name, one.timestamp, NO_HEADERS, one), _encode(one)) for one in asked]
        self._subscriptions.send(batch, records, rekeyed=True, origin=self._asked)

    def _asked(self, stamped: Any) -> tuple[str, Record]:
        return self._topics[Side.LEFT], _left_row(stamped.source)


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

    async def refused(self, result: Result, source: TP, record: Any, error: RecordRefusedError) -> Results | None:
        """Return the dead letter of the left record that was asked for."""
        count = await self._app.producer.partition_count(self._left)
        left = TP(self._left, partition_of(result[0].key, count))
        return await super().refused(result, left, _left_row(record), error)


def _left_row(asked: Subscription) -> Any:
    """Return the left record that a subscription is of, without its headers."""
    return Event(asked.key, asked.value, asked.timestamp, asked.version)


class _AnswerSink(Sink[Joined]):
    """Sends what the right side joined to the left one; a row that is no longer asked for needs no answer."""

    def send(self, batch: Batch, results: Sequence[Joined]) -> None:
        """Send the answers of a batch once the agent is done with it."""
        records = []
        for joined in results:
            if joined.left is not None and joined.left.value is not None:
                asked = _subscription(joined.left.value)
                left = Row(asked.value or b"", asked.timestamp, asked.version)
                row = joined.right if isinstance(joined.right, Row) else None
                right = None if row is None else RightRow(row.value, row.timestamp, row.offset, batch.partition)
                answer = Answer(asked.version, left, right)
                records.append((Envelope(joined.key, joined.timestamp, NO_HEADERS, asked), _encode(answer)))
        self.output.send(batch, records, rekeyed=True)
