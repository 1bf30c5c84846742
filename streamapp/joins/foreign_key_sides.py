"""The two sides of a foreign-key join, and what they tell each other.

A left row subscribes to the right row that it names. It is answered at once, and whenever the right row changes. So
the sides need not be in one place: messages between them may take their time, and those of different right rows may
overtake each other. An answer has the version of the left row that it is for, and makes a result only if that is still
the row (KIP-213, KAFKA-18713).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

import msgspec

from streamapp.joins import ordering
from streamapp.joins.explanation import ANY, NAMED, Explanation, Verdict, candidate, explain_row
from streamapp.joins.held import Held, Holding
from streamapp.joins.how import How
from streamapp.joins.ledger import Ledger, Refused
from streamapp.joins.output import Joined, Reason
from streamapp.joins.records import Event, Record, Side
from streamapp.joins.rows import Row
from streamapp.joins.state import State
from streamapp.joins.table import Table, Version

__all__ = ["Answer", "ForeignKeyOf", "LeftSide", "Message", "RightRow", "RightSide", "Subscription"]

#: Gives the key of the right row that a left record names; None names none, `Refused` puts the record out at the side.
ForeignKeyOf = Callable[[Record], bytes | None]

#: Of the left rows that follow a right one, so many are told of.
FOLLOWERS_TOLD: Final = 1_000

_encode: Final = msgspec.msgpack.Encoder().encode


class Subscription(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the left side asks the right one: to follow the right row of a key, or (without a value) no longer to."""

    to: bytes
    key: bytes
    #: The offset of the left record.
    version: int
    value: bytes | None
    timestamp: int

    @property
    def left(self) -> Event:
        """The left record."""
        return Event(self.key, self.value, self.timestamp, self.version)

    def encode(self) -> bytes:
        """Return it as the value of a record, whose key is `to`."""
        return _encode(self)


class Answer(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the right side tells a left row: the right row that it names, if there is one."""

    to: bytes
    #: The left row as it was asked for; its offset is its version.
    row: Version
    right: Version | None
    timestamp: int
    #: The partition of the right topic; -1 = not known.
    partition: int = -1

    @property
    def left(self) -> Event:
        """The left record."""
        return Event(self.to, self.row.value, self.row.timestamp, self.row.offset)

    def encode(self) -> bytes:
        """Return it as the value of a record, whose key is `to`."""
        return _encode(self)


#: What comes of the sides: results, and what they tell each other.
Message = Joined | Subscription | Answer
Books = Ledger[Joined] | Ledger[Message]


class RightRow(Row, frozen=True, gc=False):
    """A right row, and the partition of the right topic that it is from; -1 = not known."""

    partition: int = -1


class _Left(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What the left side knows of a row."""

    version: int = -1
    #: The right row; None = it names none, or it is deleted.
    names: bytes | None = None
    #: Whether there is a result, and whether that has a right row.
    emitted: bool = False
    met: bool = False
    #: The versions that are not answered yet.
    asked: tuple[int, ...] = ()


_left: Final = msgspec.msgpack.Decoder(_Left).decode
_follower: Final = msgspec.msgpack.Decoder(Version).decode


class LeftSide:
    """The left side: of left records it makes subscriptions, of answers results.

    Left records count in the balance: pending until their answer comes. By then the row may be another one; such a
    record comes out as superseded.
    Where results are exactly as the state says, those that there are not need no tombstone.
    """

    def __init__(
        self,
        foreign_key: ForeignKeyOf,
        how: How,
        exact: bool,
        state: State,
        ledger: Books,
        ask: Callable[[Subscription], None],
    ) -> None:
        self._foreign_key = foreign_key
        self._how = how
        self._exact = exact
        self._rows = state.section(b"left/")
        self._ledger = ledger
        self._ask = ask

    def receive(self, key: bytes, record: Record) -> None:
        """Take a left record, which may be a tombstone."""
        try:
            names = self.name(record)
        except Refused as refused:
            self._ledger.rejected(self._ledger.balance, Side.LEFT, record, Reason.REFUSED, refused)
            return
        old, value, version = self._get(key), record.value, record.offset
        if old.names is not None and old.names != names:
            self._ask(Subscription(old.names, key, version, None, record.timestamp))
        if value is not None and names is not None:
            self._ledger.balance.pending += 1
            self._put(key, _Left(version, names, old.emitted, old.met, (*old.asked, version)))
            self._ask(Subscription(names, key, version, value, record.timestamp))
            return
        alone = value is not None and self._how is How.LEFT
        self._put(key, _Left(version, None, alone, asked=old.asked))
        row = Row(value, record.timestamp, version) if value is not None and alone else None
        self._emit(key, old, row, None, record.timestamp)
        if value is None:
            self._account(record, matched=old.met)
        elif alone:
            self._ledger.unmatched(Side.LEFT, record, Reason.NULL_KEY)
        else:
            self._ledger.rejected(self._ledger.balance, Side.LEFT, record, Reason.NULL_KEY)

    def answered(self, answer: Answer) -> None:
        """Take an answer."""
        key, version, right = answer.to, answer.row.offset, answer.right
        old = self._get(key)
        current, awaited = old.names is not None and version == old.version, version in old.asked
        asked = old.asked
        if awaited:
            place = asked.index(version)
            asked = asked[:place] + asked[place + 1 :]
            self._ledger.balance.pending -= 1
        if current:
            emitted = right is not None or self._how is How.LEFT
            self._put(key, _Left(version, old.names, emitted, right is not None, asked))
            row = None
            if right is not None:
                row = RightRow(right.value or b"", right.timestamp, right.offset, answer.partition)
            self._emit(key, old, answer.row.row if emitted else None, row, answer.timestamp)
            if awaited:
                self._account(answer.left, matched=right is not None)
        elif awaited:
            self._put(key, msgspec.structs.replace(old, asked=asked))
            self._ledger.rejected(self._ledger.balance, Side.LEFT, answer.left, Reason.SUPERSEDED)

    def explain(self, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not; the right rows are elsewhere."""
        clock = self._ledger.clock.now
        try:
            names = None if record.key is None else self.name(record)
        except Refused as refused:
            return Explanation(verdict=Verdict.REFUSED, clock=clock, detail=str(refused))
        if record.key is None or (record.value is not None and names is None):
            return Explanation(verdict=Verdict.NULL_KEY, clock=clock)
        row = self._get(record.key)
        detail = f"it names the right row {names!r}"
        if record.offset in row.asked:
            return Explanation(verdict=Verdict.PENDING, clock=clock, detail=f"{detail}, and waits for the answer")
        if row.names is None or row.version != record.offset:
            return Explanation(
                verdict=Verdict.OVER,
                clock=clock,
                detail="the key has no row now" if row.names is None else "the key has another row now",
                untold=Verdict.MATCHED,
                reasons=frozenset({Reason.UNMATCHED, Reason.SUPERSEDED}),
            )
        return Explanation(verdict=Verdict.MATCHED if row.met else Verdict.UNMATCHED, clock=clock, detail=detail)

    def name(self, record: Record) -> bytes | None:
        """Return the key of the right row that a record names, which may raise `Refused`; a tombstone names none."""
        return None if record.value is None else self._foreign_key(record)

    def named(self, key: bytes) -> bytes | None:
        """Return the key of the right row that a left row names."""
        return self._get(key).names

    def held(self, key: bytes) -> list[Held]:
        """Return what is known of the left row of a key: pending while an answer to it is awaited."""
        row = self._get(key)
        if row.names is None and not row.emitted and not row.asked:
            return []
        holding = Holding.PENDING if row.asked else Holding.ROW
        return [Held(Side.LEFT, holding, -1, None, row.version, names=row.names)]

    def _emit(self, key: bytes, old: _Left, left: Row | None, right: Row | None, timestamp: int) -> None:
        """Give a result; without a left row it is a tombstone for the earlier one."""
        if left is not None or old.emitted or not self._exact:
            self._ledger.results.append(Joined(key, left, right if left is not None else None, timestamp))

    def _account(self, record: Record, *, matched: bool) -> None:
        if matched:
            self._ledger.balance.matched += 1
        else:
            self._ledger.unmatched(Side.LEFT, record)

    def _get(self, key: bytes) -> _Left:
        row = self._rows.get(key)
        return _Left() if row is None else _left(row)

    def _put(self, key: bytes, row: _Left) -> None:
        if row.names is None and not row.emitted and not row.asked:
            self._rows.delete(key)
        else:
            self._rows.put(key, _encode(row))


class RightSide:
    """The right side: of right records, and of subscriptions, it makes answers.

    Right records count in the balance: one is matched if a left row follows it.
    """

    def __init__(self, state: State, ledger: Books, answer: Callable[[Answer], None]) -> None:
        self.rows = Table.of(state, Side.RIGHT)
        #: The left rows, by the right key that they name and their own.
        self._followers = state.section(b"followers/")
        self._ledger = ledger
        self._answer = answer

    def follow(self, asked: Subscription) -> None:
        """Take a subscription."""
        entry = ordering.grouped(asked.to) + asked.key
        if asked.value is None:
            self._followers.delete(entry)
            return
        left = Version(asked.value, asked.timestamp, asked.version)
        self._followers.put(entry, _encode(left))
        row = self.rows.get(asked.to)
        right = None if row is None else Version(row.value, row.timestamp, row.offset)
        timestamp = asked.timestamp if row is None else max(asked.timestamp, row.timestamp)
        self._answer(Answer(asked.key, left, right, timestamp))

    def update(self, key: bytes, record: Record) -> None:
        """Take a right record, which may be a tombstone; what follows it is answered in the order of the left keys."""
        self.rows.put(key, record.value, record.timestamp, record.offset)
        right = None if record.value is None else Version(record.value, record.timestamp, record.offset)
        followers = self.following(key)
        for left_key, left in followers:
            self._answer(Answer(left_key, left, right, max(record.timestamp, left.timestamp)))
        if followers:
            self._ledger.balance.matched += 1
        else:
            self._ledger.unmatched(Side.RIGHT, record)

    def following(self, key: bytes) -> list[tuple[bytes, Version]]:
        """Return the left rows that follow a right one, with their keys, in the order of these."""
        group = ordering.grouped(key)
        return [(entry[len(group) :], _follower(row)) for entry, row in self._followers.scan(group)]

    def follower(self, name: bytes, key: bytes) -> Row | None:
        """Return a left row that follows a right one."""
        row = self._followers.get(ordering.grouped(name) + key)
        return None if row is None else _follower(row).row

    def held(self, key: bytes) -> list[Held]:
        """Return the right row of a key, and of the left rows that follow it the first ones, by their keys."""
        group = ordering.grouped(key)
        following = itertools.islice(self._followers.scan(group), FOLLOWERS_TOLD)
        lefts = [(entry[len(group) :], _follower(row)) for entry, row in following]
        return [
            *(
                Held(Side.LEFT, Holding.BUFFERED, one.timestamp, one.value, one.offset, names=key, key=left)
                for left, one in lefts
            ),
            *self.rows.held(Side.RIGHT, key),
        ]

    def explain(self, record: Record) -> Explanation:
        """Say why a right record that was taken in joined, or did not: by the left rows that follow it now."""
        key = record.key or b""
        joined = [candidate(Side.LEFT, name, left, ANY) for name, left in self.following(key)[:NAMED]]
        return explain_row(Side.RIGHT, record, self.rows.get(key), joined, self._ledger.clock)
