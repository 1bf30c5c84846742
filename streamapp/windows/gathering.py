"""Features of records that are made elsewhere, since they are of several keys: each record waits for all of its own.

The records of a partition come from source 0, and come out in that order; what is told of them comes from source 1, in
any order, and maybe before the record, or more than once. What waits is kept in the state, and in memory.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, Final, Self

import msgspec

from streamapp.joins import ordering
from streamapp.joins.declared import Declared, Described, StateMismatch, earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.held import Held, Holding
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State

__all__ = ["RECORDS", "Answer", "Gathered", "Gathering", "GatheringOperator", "Original"]

RECORDS: Final = 0
#: Records that wait, at most, if it is to be told which of them are of a key.
LOOKED_THROUGH: Final = 10_000
#: Between the names of groups in a declaration.
SEPARATOR: Final = ", "


class Original(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A record as it came, with its offset there, and the groups that were asked for its features."""

    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: list[tuple[str, bytes]] = []
    groups: tuple[str, ...] = ()


class Answer(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a group tells of the record of an offset: its features, as members of a JSON object.

    They are null if the record was late (ms). If there is an error the record cannot be told its features at all.
    """

    offset: int
    group: str
    features: bytes
    late_by: int = 0
    error: str = ""


class Gathered(msgspec.Struct, frozen=True, gc=False):
    """A record with its features, as members of a JSON object."""

    key: bytes | None
    record: Record
    features: bytes
    timestamp: int


class _Waiting(msgspec.Struct, array_like=True, gc=False):
    """A record that waits, for which groups, and what it has been told by now."""

    record: Original
    groups: tuple[str, ...]
    answers: dict[str, Answer] = {}

    @property
    def complete(self) -> bool:
        return all(group in self.answers for group in self.groups)


_encode: Final = msgspec.msgpack.Encoder().encode
_waiting: Final = msgspec.msgpack.Decoder(_Waiting).decode
_answers: Final = msgspec.msgpack.Decoder(dict[str, Answer]).decode
_answer: Final = msgspec.msgpack.Decoder(Answer).decode


@dataclasses.dataclass(frozen=True, kw_only=True)
class Gathering(Described):
    """Gives each record its features once all groups have told theirs.

    Args:
        groups: their names, in the order of their features.
        keyed: whether a record must have a key.
    """

    groups: Sequence[str]
    keyed: bool = False

    def start(self, state: State) -> GatheringOperator:
        """Begin, or go on, with what the state holds."""
        return GatheringOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared("records that wait for features", {})

    def written_by(self, declared: Declared) -> Self:
        """Return what wrote a state: each record in it has the groups that it waits for."""
        if declared != self.declared():
            raise StateMismatch(f"it is that of {declared}, which this version of streamapp does not know")
        return self


class GatheringOperator(Accounting[Gathered]):
    """Records that wait, of one partition; those from source 0 count in its balance."""

    def __init__(self, join: Gathering, state: State) -> None:
        self.join = join
        earlier(state, join)
        super().__init__(state, updates_from=1)
        self._groups = tuple(join.groups)
        self._waiting_rows, self._early_rows = state.section(b"waiting/"), state.section(b"early/")
        #: By offset, in the order in which they came; each has the number of its row.
        self._queue: dict[int, tuple[int, _Waiting]] = {}
        self._next = 0
        for key, row in self._waiting_rows.scan():
            waiting, number = _waiting(row), ordering.number_of(key)
            # Nobody tells it any more what is not declared any more.
            waiting.groups = self._declared(waiting.groups)
            self._queue[waiting.record.offset] = number, waiting
            self._next = number + 1
        #: Of the rows from here on none is in the state.
        self._stored = self._next
        #: What came before its record, by the offset of that, and of which of these there are rows.
        self._early = {ordering.number_of(key): _answers(row) for key, row in self._early_rows.scan()}
        self._early_stored = set(self._early)
        #: The offsets of those that are not in the state as they are.
        self._changed: set[int] = set()

    def process(self, batch: Batch) -> Output[Gathered]:
        """Take in records, and what is told of them."""
        now, last = self.clock.time, -1
        for source, record in batch:
            if source == RECORDS:
                self._wait(record)
                now, last = max(now, record.timestamp), record.offset
            else:
                self._answered(_answer(record.value or b""))
        # Records come in the order of their offsets: what was told of earlier ones is of none that will come.
        self._early = {offset: answers for offset, answers in self._early.items() if offset > last}
        return self.advance(now)

    def advance(self, to: int) -> Output[Gathered]:
        """Let the records out that have been told all; they do not wait for the clock."""
        self.clock.advance(to)
        gone = self._release()
        self.balance.pending = len(self._queue)
        self._save(gone)
        return self._ledger.close()

    def held(self, key: bytes) -> list[Held] | None:
        """Return the records of a key that wait, in their order; None if more wait than are looked through."""
        if len(self._queue) > LOOKED_THROUGH:
            return None
        waiting = (one.record for _, one in self._queue.values())
        return [
            Held(RECORDS, Holding.PENDING, one.timestamp, one.value, one.offset) for one in waiting if one.key == key
        ]

    def explain(self, source: int, record: Record) -> Explanation:
        """Say whether a record waits."""
        if record.value is None or (self.join.keyed and record.key is None):
            return unusable(record, self.clock, None)
        waits = record.offset in self._queue
        return Explanation(
            verdict=Verdict.PENDING if waits else Verdict.MATCHED,
            clock=self.clock.now,
            windows=None if waits else (),
            detail="it waits for features, or for one before it that does" if waits else "it is done with",
            reasons=frozenset() if waits else frozenset({Reason.PARTLY_LATE, Reason.REFUSED}),
        )

    def _declared(self, groups: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of some groups that there still are."""
        return groups if groups == self._groups else tuple(group for group in groups if group in self._groups)

    def _wait(self, record: Any) -> None:
        self.balance.received += 1
        if record.value is None or (self.join.keyed and record.key is None):
            reason = Reason.NULL_VALUE if record.value is None else Reason.NULL_KEY
            self._ledger.rejected(self.balance, RECORDS, record, reason)
            return
        early = self._early.pop(record.offset, {})
        told = {group: answer for group, answer in early.items() if group in self._groups}
        self._queue[record.offset] = self._next, _Waiting(record, self._declared(record.groups), told)
        self._changed.add(record.offset)
        self._next += 1

    def _answered(self, answer: Answer) -> None:
        self.updates.received += 1
        self.updates.applied += 1
        if (found := self._queue.get(answer.offset)) is None:
            self._early.setdefault(answer.offset, {})[answer.group] = answer
            self._changed.add(answer.offset)
        elif answer.group in found[1].groups:
            found[1].answers[answer.group] = answer
            self._changed.add(answer.offset)

    def _release(self) -> list[int]:
        """Let out the first records as far as they have been told all; returns the numbers of their rows."""
        ready = list(itertools.takewhile(lambda waits: waits[1].complete, self._queue.values()))
        for _, waiting in ready:
            del self._queue[waiting.record.offset]
            self._give(waiting)
        return [number for number, _ in ready if number < self._stored]

    def _give(self, waiting: _Waiting) -> None:
        record, answers = waiting.record, [waiting.answers[group] for group in waiting.groups]
        if error := next((answer.error for answer in answers if answer.error), ""):
            refused = Refused(f"it cannot be told its features: {error}", "too_large")
            self._ledger.rejected(self.balance, RECORDS, record, Reason.REFUSED, refused)
            return
        if late_by := max([answer.late_by for answer in answers], default=0):
            self._ledger.partly_late(RECORDS, record, late_by)
        features = b",".join([answer.features for answer in answers])
        self._ledger.results.append(Gathered(record.key, record, features, record.timestamp))
        self.balance.matched += 1

    def _save(self, gone: Sequence[int]) -> None:
        """Write down what waits now, and forget what does not any more."""
        waiting: dict[bytes, bytes | None] = {ordering.number(number): None for number in gone}
        early: dict[bytes, bytes | None] = {}
        for offset in self._changed:
            if (found := self._queue.get(offset)) is not None:
                waiting[ordering.number(found[0])] = _encode(found[1])
            elif (answers := self._early.get(offset)) is not None:
                early[ordering.number(offset)] = _encode(answers)
                self._early_stored.add(offset)
        for offset in self._early_stored - self._early.keys():
            early[ordering.number(offset)] = None
        self._early_stored &= self._early.keys()
        self._waiting_rows.update(waiting)
        self._early_rows.update(early)
        self._changed.clear()
        self._stored = self._next
