"""What a join was declared as when its state was written: kept with the state, for whoever goes on with it.

A join that is started on the state of another declaration takes over what can be taken over, or refuses. Each join says
for itself which is which (`Join.take_over`), by the join that wrote the state: what that one was done with is over for
the new one, too, and what it was not done with is not.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import Any, Final, Protocol, Self, TypeVar

import msgspec

from streamapp.joins.how import How
from streamapp.joins.ledger import LEDGER
from streamapp.joins.records import Side
from streamapp.joins.state import State

__all__ = [
    "DECLARED",
    "LAYOUT",
    "ROWS_APART",
    "Declared",
    "Described",
    "StateMismatch",
    "TakingOver",
    "changes",
    "duration",
    "earlier",
    "rebuilt",
    "widened",
]

#: Behind the rows that a join keeps, in the changelog too, and before its ledger: after a crash amid the commit that
#: takes a state over, it is taken over again.
DECLARED: Final = b"~declared"
#: Versions of how a join lays its state out: that of joins whose layout has never been another one, and that since when
#: the rows of plain tables are kept apart.
LAYOUT: Final = 1
ROWS_APART: Final = 2
#: Units of durations (ms), the largest first.
UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))

Value = int | str | None


class StateMismatch(Exception):
    """A state that a join cannot go on with; the text says why, without the join's name."""


class Declared(msgspec.Struct, frozen=True):
    """What kind of a join wrote a state, and with which settings (durations in ms)."""

    kind: str
    settings: Mapping[str, Value]
    layout: int = LAYOUT

    def __str__(self) -> str:
        told = [f"{name} {_told(value)}" for name, value in self.settings.items() if value is not None]
        return f"{self.kind} ({', '.join(told)})" if told else self.kind

    @property
    def has_clock(self) -> bool:
        """Whether it tells late records by its clock: those that have a grace do."""
        return any(name.startswith("grace") and value is not None for name, value in self.settings.items())

    @classmethod
    def of(cls, kind: str, join: object, *fields: str, layout: int = LAYOUT) -> Self:
        """Make it of some fields of a join."""
        return cls(kind, {name: _plain(getattr(join, name)) for name in fields}, layout)


class TakingOver(Protocol):
    """What a join has to say about its state."""

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""

    def written_by(self, declared: Declared) -> Self:
        """Return the join of this kind that wrote a state; a StateMismatch if there is none."""

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results after the state of another join of this kind is taken over.

        Raises:
            StateMismatch: if it cannot be.
        """


class Described:
    """A join that is a dataclass, with its settings as fields."""

    __slots__ = ()

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table."""
        return self.plain

    @property
    def plain(self) -> frozenset[int]:
        """Those of them whose table is a plain one."""
        return frozenset()

    @property
    def tick(self) -> int | None:
        """How often (ms) something may be due by the wall clock: never."""
        return None

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record of a stream until none of its results is to come; 0 = at once."""
        return 0

    def written_by(self, declared: Declared) -> Self:
        """Return the join that wrote a state, or raise a StateMismatch."""
        return rebuilt(self, declared)  # type: ignore[no-any-return]

    def take_over(self, was: Self) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over: nothing."""
        return []


J = TypeVar("J", bound=TakingOver)


def earlier(state: State, join: J) -> tuple[J, list[str]]:
    """Return the join that wrote a state, and what may be missing in the results of the one that goes on with it.

    A state that is empty, or was written before declarations were kept, counts as the new join's own. One that this
    join cannot go on with is a StateMismatch.
    """
    row, now = state.get(DECLARED), join.declared()
    before = None if row is None else _decode(row)
    if before == now:
        return join, []
    state.put(DECLARED, _encode(now))
    if before is None and state.get(LEDGER) is None:
        return join, []
    if before is not None and before.kind != now.kind:
        raise StateMismatch(f"it is that of {before}, and not of {now}")
    layout = LAYOUT if before is None else before.layout
    if layout != now.layout:
        raise StateMismatch(f"its layout is {layout}, and this version of streamapp knows {now.layout} only")
    if before is None:
        return join, []
    was = join.written_by(before)
    return was, join.take_over(was)


def rebuilt(join: Any, declared: Declared) -> Any:
    """Return a join, which is a dataclass, with the settings of a declaration; if they make none, a StateMismatch."""
    try:
        kinds = {name: type(getattr(join, name)) for name in declared.settings}
        return dataclasses.replace(
            join,
            **{
                name: kinds[name](value) if issubclass(kinds[name], enum.Enum) else value
                for name, value in declared.settings.items()
            },
        )
    except (AttributeError, TypeError, ValueError):
        raise StateMismatch(f"it is that of {declared}, which this version of streamapp does not know") from None


def changes(was: object, now: object, *names: str) -> str:
    """Return which of these settings differ between two joins, in words."""
    values = [(name, _plain(getattr(was, name)), _plain(getattr(now, name))) for name in names]
    return ", ".join(f"{name} {_told(old)} → {_told(new)}" for name, old, new in values if old != new)


def widened(was: How, now: How) -> list[str]:
    """Return what is missing after tables are joined another way; a StateMismatch if joined rows would have to go."""
    if any(was.keeps(side) and not now.keeps(side) for side in Side):
        raise StateMismatch(
            f"the rows of the joined table that have one side only (how {was}) are not deleted by {now}"
        )
    if was is now:
        return []
    return [f"how {was} → {now}: rows that have one side only are missing until their next update"]


def duration(ms: int) -> str:
    """Return a duration (ms) as users write it: in the largest unit of which it is a whole number."""
    return next((f"{ms // size}{unit}" for unit, size in UNITS if ms and not ms % size), "0")


def _plain(value: Any) -> Value:
    plain: Value = value.value if isinstance(value, enum.Enum) else value
    return int(plain) if isinstance(plain, int) else plain


def _told(value: Value) -> str:
    return "none" if value is None else duration(value) if isinstance(value, int) else value


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Declared).decode
