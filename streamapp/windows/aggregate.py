"""What is made of the records of a window: counts, sums and the like, each with a state that is added to."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Final, NamedTuple, Protocol, TypeGuard, TypeVar

from streamapp.joins import Refused

__all__ = ["Aggregate", "Batched", "Described", "OfField", "Place", "Removable", "batched", "removable", "unusable"]

S = TypeVar("S")

#: Of a value that is refused.
SHOWN_CHARACTERS: Final = 60


class Place(NamedTuple):
    """Where a record stands among those of its key: by event time, and at equal times by arrival."""

    timestamp: int
    number: int


class Aggregate(Protocol[S]):
    """A function of the records of one window.

    It describes only: the same object serves all keys, and what it knows of one is in a state, which is of plain types
    that msgpack can write (`state_type`), so that a window is kept in a table and goes on after a restart. A state may
    be changed in place by `add` and `merge`; what they return counts. Its text (``str``) is what it is declared as, and
    is kept with the state: two aggregates with one text can go on with each other's states.
    """

    @property
    def field(self) -> str | None:
        """The field of the records' values that it takes; None = it takes none, and is given None."""
        ...

    @property
    def takes(self) -> Any:
        """The type of the field's values besides null, for msgspec."""
        ...

    @property
    def state_type(self) -> Any:
        """The type of a state, for msgspec."""
        ...

    def initial(self) -> S:
        """Return the state of a window without records."""
        ...

    def add(self, state: S, value: Any, place: Place) -> S:
        """Return the state with one more record.

        Raises:
            Refused: for a value that it cannot use; the state is as it was.
        """
        ...

    def merge(self, state: S, other: S) -> S:
        """Return the state of the records of both, for sessions that become one; the other one is not used any more."""
        ...

    def result(self, state: S) -> Any:
        """Return the value for what was added so far, of types that JSON can write; the state stays as it is."""
        ...


class Removable(Aggregate[S], Protocol[S]):
    """An aggregate that can forget a record again, so that a look-back window moves on at constant cost."""

    def remove(self, state: S, value: Any, place: Place) -> S:
        """Return the state without a record that was added before."""
        ...


class Batched(Aggregate[S], Protocol[S]):
    """An aggregate that is faster with many records of a window at once."""

    def add_many(self, state: S, values: Sequence[Any], places: Sequence[Place]) -> S:
        """Return the state with these records, as if they were added one by one.

        Raises:
            Refused: if it cannot use one of the values; the state is as it was.
        """
        ...


def removable(aggregate: Aggregate[S]) -> TypeGuard[Removable[S]]:
    """Return whether an aggregate can forget a record."""
    return getattr(aggregate, "remove", None) is not None


def batched(aggregate: Aggregate[S]) -> TypeGuard[Batched[S]]:
    """Return whether an aggregate is faster with many records at once."""
    return hasattr(aggregate, "add_many")


class Described:
    """An aggregate that is a dataclass; its text is what makes it: ``Sum("amount")``."""

    def __repr__(self) -> str:
        told = []
        for field in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, field.name)
            if value != field.default:
                text = f'"{value}"' if isinstance(value, str) else repr(value)
                told.append(text if field.name == "field" else f"{field.name}={text}")
        return f"{type(self).__name__}({', '.join(told)})"


@dataclasses.dataclass(frozen=True, repr=False)
class OfField(Described):
    """An aggregate of a field.

    Args:
        field: its name.
    """

    field: str


def unusable(aggregate: OfField, value: object, needs: str) -> Refused:
    """Return the refusal of a value that an aggregate cannot use, which needs another one."""
    shown = repr(value)
    if len(shown) > SHOWN_CHARACTERS:
        shown = f"{shown[:SHOWN_CHARACTERS]}…"
    return Refused(f"the field {aggregate.field} is {shown}, and {aggregate} needs {needs}", "wrong_type")
