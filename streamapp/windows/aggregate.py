"""What is made of the records of a window: counts, sums and the like, each with a state that is added to."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, TypeVar

__all__ = ["Aggregate", "Place", "Removable"]

S = TypeVar("S")


class Place(NamedTuple):
    """Where a record stands among those of its key: by event time, and at equal times by arrival."""

    timestamp: int
    number: int


class Aggregate(Protocol[S]):
    """A function of the records of one window.

    It describes only: the same object serves all keys, and what it knows of one is in a state, which is of plain types
    that msgpack can write (`state_type`), so that a window is kept in a table and goes on after a restart. A state may
    be changed in place by `add` and `merge`; what they return counts.
    """

    @property
    def field(self) -> str | None:
        """The field of the records' values that it takes; None = it takes none, and is given None."""
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
