"""Cases of joins: what is sent to one, step by step, as in the conformance tests."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from streamapp.joins import (
    Driver,
    Event,
    ForeignKeyJoin,
    How,
    Join,
    Joined,
    Record,
    Row,
    Side,
    Store,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from streamapp.replay.keys import Key, Time, decode_key, encode_key

__all__ = ["Case", "Family", "Result", "Step", "StepOutput"]

#: A foreign key that is a number.
NUMBER: Final = re.compile(r"-?[0-9]{1,18}")


class Family(enum.StrEnum):
    """Kinds of joins that a case can be of."""

    STREAM_STREAM = "stream-stream"
    STREAM_TABLE = "stream-table"
    STREAM_TABLE_GRACE = "stream-table-grace"
    TABLE_TABLE = "table-table"
    FOREIGN_KEY = "fk"


class Input(msgspec.Struct, frozen=True):
    """A record; ``ts`` is its event time (ms)."""

    side: Literal["left", "right"]
    key: Key
    value: str | None
    ts: Time


class Result(msgspec.Struct, frozen=True):
    """A result; a value of None is a tombstone."""

    key: Key
    value: str | None
    ts: int


class Step(msgspec.Struct, frozen=True):
    """Records that are sent together."""

    inputs: list[Input]
    expected: list[Result] = []
    dropped: int = 0


class Window(msgspec.Struct, frozen=True):
    """The window of a stream-stream join."""

    before_ms: int
    after_ms: int
    grace_ms: int


class StepOutput(msgspec.Struct, frozen=True):
    """What a step gave, and how many of its records were late or could not be joined."""

    case: str
    step: int
    results: list[Result]
    late: int
    dropped: int


class Case(msgspec.Struct, frozen=True):
    """A join and what is sent to it."""

    id: str
    family: Family
    joins: list[How]
    steps: list[Step]
    window: Window | None = None
    table_versioned: bool = False
    left_versioned: bool = False
    right_versioned: bool = False
    history_retention_ms: int = 0
    grace_ms: int | None = None

    def join(self) -> Join[Joined]:
        """Return the join.

        Raises:
            ValueError: if the case does not describe one.
        """
        if len(self.joins) != 1:
            raise ValueError(f"joins must name one kind, not {len(self.joins)}")
        (how,), history, grace, window = self.joins, self.history_retention_ms, self.grace_ms, self.window
        match self.family:
            case Family.STREAM_STREAM:
                if window is None:
                    raise ValueError("a stream-stream join needs a window")
                return StreamStreamJoin(how=how, before=window.before_ms, after=window.after_ms, grace=window.grace_ms)
            case Family.STREAM_TABLE:
                return StreamTableJoin(how, history=history if self.table_versioned else None)
            case Family.STREAM_TABLE_GRACE:
                if grace is None:
                    raise ValueError("a stream-table-grace join needs grace_ms")
                return StreamTableJoin(how, history=history, grace=grace)
            case Family.TABLE_TABLE:
                left, right = (history if kept else None for kept in (self.left_versioned, self.right_versioned))
                return TableTableJoin(how=how, left_history=left, right_history=right)
            case Family.FOREIGN_KEY:
                if self.left_versioned or self.right_versioned:
                    raise ValueError("tables of a foreign-key join are not versioned")
                return ForeignKeyJoin(how=how, foreign_key=_foreign_key)

    def check(self) -> None:
        """Raise a ValueError if it describes no join, or has a record that is none of it."""
        self.join()
        for given in (given for step in self.steps for given in step.inputs):
            self.record(given)

    def record(self, given: Input) -> tuple[Side, Event]:
        """Return the record of an input, and its side.

        Raises:
            ValueError: for a left value of a foreign-key join without a foreign key.
        """
        value = None if given.value is None else given.value.encode()
        names = self.family is Family.FOREIGN_KEY and given.side == "left"
        if names and value is not None and b"|" not in value:
            raise ValueError(f"the left value {given.value} must be name|foreign key")
        return Side[given.side.upper()], Event(encode_key(given.key), value, given.ts)

    def run(self, store: Store | None = None) -> Iterator[StepOutput]:
        """Send the steps one by one."""
        driver = Driver(self.join(), store)
        for number, step in enumerate(self.steps):
            before = _counts(driver)
            output = driver.process([self.record(given) for given in step.inputs])
            late, dropped = (after - earlier for after, earlier in zip(_counts(driver), before, strict=True))
            yield StepOutput(self.id, number, [self.render(joined) for joined in output.results], late, dropped)

    def render(self, joined: Joined) -> Result:
        """Write a result as cases do: ``left-right``, or ``(left,right)`` of a foreign-key join."""
        form = "({},{})" if self.family is Family.FOREIGN_KEY else "{}-{}"
        value = None if joined.tombstone else form.format(_text(joined.left), _text(joined.right))
        return Result(decode_key(joined.key), value, joined.timestamp)


def _foreign_key(record: Record) -> bytes | None:
    _, _, name = (record.value or b"").decode().rpartition("|")
    return encode_key(int(name) if NUMBER.fullmatch(name) else name or None)


def _text(side: Record | Row | None) -> str:
    return "null" if side is None or side.value is None else side.value.decode()


def _counts(driver: Driver[Joined]) -> tuple[int, int]:
    balance, updates = driver.operator.balance, driver.operator.updates
    return balance.late + updates.late, balance.rejected + updates.rejected
