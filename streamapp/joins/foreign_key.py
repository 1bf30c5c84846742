"""The foreign-key join: two tables, where a row of the left one names the row of the right one that it goes with.

The joined table has the keys of the left one. A left update looks one right row up; a right update reaches every
left row that names it, in the order of their keys. (Kafka Streams' KTable foreign-key join, KIP-213.)

`ForeignKeyJoin` has both sides in one partition. Where they are in different ones, a `LeftHalf` and a `RightHalf` run
apart, and somebody carries their messages.
"""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Final, Generic, Self, TypeVar

import msgspec

from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import ROWS_APART, Declared, Described, TakingOver, earlier, widened
from streamapp.joins.explanation import ANY, Explanation, Verdict, candidate, explain_row
from streamapp.joins.foreign_key_sides import Answer, ForeignKeyOf, LeftSide, Message, RightSide, Subscription
from streamapp.joins.held import Held
from streamapp.joins.how import How
from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Record, Side
from streamapp.joins.state import State

__all__ = ["ForeignKeyJoin", "ForeignKeyOf", "LeftHalf", "RightHalf"]

R = TypeVar("R")

_subscription: Final = msgspec.msgpack.Decoder(Subscription).decode
_answer: Final = msgspec.msgpack.Decoder(Answer).decode


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Naming(Described):
    """What is joined by the names that left rows have."""

    foreign_key: ForeignKeyOf
    how: How = How.INNER

    kind: ClassVar[str]

    def __post_init__(self) -> None:
        if self.how not in {How.INNER, How.LEFT}:
            raise ValueError(f"a foreign-key join is inner or left, not {self.how}")

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of(self.kind, self, "how", layout=ROWS_APART)

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results, or raise a StateMismatch for rows that would have to go."""
        return widened(was.how, self.how)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ForeignKeyJoin(_Naming):
    """Joins each left row with the right row that it names.

    Args:
        foreign_key: gives the name.
        how: inner, or left: a left row gives a result too if it names no row that exists.

    Raises:
        ValueError: if it is to be right or outer.
    """

    kind: ClassVar[str] = "a foreign-key join"
    tables: ClassVar[frozenset[int]] = frozenset(Side)
    plain: ClassVar[frozenset[int]] = frozenset({Side.RIGHT})

    def start(self, state: State) -> ForeignKeyOperator:
        """Begin, or go on, with what the state holds."""
        return ForeignKeyOperator(self, state)


@dataclasses.dataclass(frozen=True, kw_only=True)
class LeftHalf(_Naming):
    """The left side: takes left records (source 0) and answers (source 1); gives results and `Subscription`.

    Args:
        exact: whether there are no results but those that the state knows of; after a crash there may be.
    """

    exact: bool = True

    kind: ClassVar[str] = "the left half of a foreign-key join"
    tables: ClassVar[frozenset[int]] = frozenset({Side.LEFT})

    def start(self, state: State) -> LeftHalfOperator:
        """Begin, or go on, with what the state holds."""
        return LeftHalfOperator(self, state)


@dataclasses.dataclass(frozen=True)
class RightHalf(Described):
    """The right side: takes right records (source 1) and the subscriptions (source 0); gives each `Answer`."""

    tables: ClassVar[frozenset[int]] = frozenset(Side)
    plain: ClassVar[frozenset[int]] = frozenset({Side.RIGHT})

    def start(self, state: State) -> RightHalfOperator:
        """Begin, or go on, with what the state holds."""
        return RightHalfOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared("the right half of a foreign-key join", {}, ROWS_APART)


class _Operator(Accounting[R], Generic[R]):
    """What the operators have in common; no result waits for the clock."""

    def __init__(self, join: TakingOver, state: State, updates_from: int | None = None) -> None:
        earlier(state, join)
        super().__init__(state, updates_from=updates_from)

    def process(self, batch: Batch) -> Output[R]:
        """Take records in the order in which they are given."""
        for side, record in batch:
            self.clock.advance(record.timestamp)
            self._take(side, record)
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[R]:
        """Move the clock on to an event time (ms)."""
        self.clock.advance(to)
        return self._ledger.close()

    def _take(self, side: int, record: Record) -> None:
        """Take a record of a table; one without a key is rejected."""
        self.balance.received += 1
        if record.key is None:
            self._ledger.rejected(self.balance, side, record, Reason.NULL_KEY)
        else:
            self._receive(side, record.key, record)

    def _receive(self, side: int, key: bytes, record: Record) -> None:
        raise NotImplementedError

    def _send(self, message: R) -> None:
        self._ledger.results.append(message)


class ForeignKeyOperator(_Operator[Joined]):
    """A foreign-key join at work on one partition, which has the left rows and the right ones that they name.

    All updates of both sides count in its balance; one is matched if it met a row of the other side, a tombstone
    if the row that it deletes had.
    """

    def __init__(self, join: ForeignKeyJoin, state: State) -> None:
        super().__init__(join, state)
        self._right = RightSide(state, self._ledger, lambda answer: self._left.answered(answer))
        self._left = LeftSide(join.foreign_key, join.how, True, state, self._ledger, self._right.follow)

    def _receive(self, side: int, key: bytes, record: Record) -> None:
        if side == Side.LEFT:
            self._left.receive(key, record)
        else:
            self._right.update(key, record)

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why an update that was taken in joined, or did not: by the rows that the tables have now."""
        if side == Side.RIGHT:
            return self._right.explain(record)
        explained, key = self._left.explain(record), record.key
        if key is None or explained.verdict in {Verdict.REFUSED, Verdict.NULL_KEY}:
            return explained
        name = self._left.named(key)
        row, right = (None, None) if name is None else (self._right.follower(name, key), self._right.rows.get(name))
        joined = [candidate(Side.RIGHT, name, right, ANY)] if name is not None and right is not None else []
        return explain_row(side, record, row, joined, self.clock)

    def held(self, key: bytes) -> list[Held]:
        """Return the left and the right row of a key, and left rows that name the right one."""
        return [*(self._with_row(one, key) for one in self._left.held(key)), *self._right.held(key)]

    def _with_row(self, left: Held, key: bytes) -> Held:
        row = None if left.names is None else self._right.follower(left.names, key)
        if row is None or row.offset != left.offset:
            return left
        return msgspec.structs.replace(left, timestamp=row.timestamp, value=row.value)


class LeftHalfOperator(_Operator[Message]):
    """The left side at work on one partition; left records count in its balance, answers in its updates."""

    def __init__(self, join: LeftHalf, state: State) -> None:
        super().__init__(join, state, updates_from=Side.RIGHT)
        self._left = LeftSide(join.foreign_key, join.how, join.exact, state, self._ledger, self._send)

    def _take(self, side: int, record: Record) -> None:
        if side == Side.LEFT:
            super()._take(side, record)
        else:
            self.updates.received += 1
            self.updates.applied += 1
            self._left.answered(_answer(record.value or b""))

    def _receive(self, side: int, key: bytes, record: Record) -> None:
        self._left.receive(key, record)

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why a left record that was taken in joined, or did not."""
        if side == Side.LEFT:
            return self._left.explain(record)
        return Explanation(verdict=Verdict.APPLIED, clock=self.clock.now)

    def held(self, key: bytes) -> list[Held]:
        """Return what is known of the left row of a key; its value is with the right row that it names."""
        return self._left.held(key)


class RightHalfOperator(_Operator[Message]):
    """The right side at work on one partition; right records count in its balance, subscriptions in its updates."""

    def __init__(self, join: RightHalf, state: State) -> None:
        super().__init__(join, state)
        self._right = RightSide(state, self._ledger, self._send)

    def _take(self, side: int, record: Record) -> None:
        if side == Side.RIGHT:
            super()._take(side, record)
        else:
            self.updates.received += 1
            self.updates.applied += 1
            self._right.follow(_subscription(record.value or b""))

    def _receive(self, side: int, key: bytes, record: Record) -> None:
        self._right.update(key, record)

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why a right record that was taken in joined, or did not."""
        if side == Side.RIGHT:
            return self._right.explain(record)
        return Explanation(verdict=Verdict.APPLIED, clock=self.clock.now)

    def held(self, key: bytes) -> list[Held]:
        """Return the right row of a key, and left rows that name it."""
        return self._right.held(key)
