"""What is made of the records of a window: counts, sums and the like, each with a state that is added to."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, NamedTuple, Protocol, TypeAlias, TypeGuard, TypeVar

from msgspec import Meta

from streamapp.windows.durations import Duration

__all__ = [
    "ANYTHING",
    "LARGEST",
    "Aggregate",
    "Batched",
    "Number",
    "OfField",
    "OfRecords",
    "Place",
    "Removable",
    "Scalar",
    "Whole",
    "batched",
    "mergeable",
    "picked",
    "removable",
    "scalar",
    "text",
    "value_of",
]

S = TypeVar("S")

#: Floats that aggregates take are not larger, so that the sum of the squares of 10^18 of them is a float, too.
LARGEST: Final = 1e140
#: A finite number: an integer of 64 bits or a float; true and false are none.
Number: TypeAlias = (
    Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | Annotated[float, Meta(ge=-LARGEST, le=LARGEST)]
)
#: A value of a user's record, or one that is made of them: what JSON can write.
Value: TypeAlias = Any
#: A state of one of several aggregates; only that one knows its type.
Held: TypeAlias = Any
#: A type, as msgspec takes it (PEP 747's ``TypeForm``, where that is there).
Form: TypeAlias = Any
#: That of all values.
ANYTHING: Final[Form] = Any
#: A JSON value that is no object and no array.
Scalar: TypeAlias = str | bool | Number


class Place(NamedTuple):
    """Where a record stands among those of its key: by event time, and at equal times by arrival."""

    timestamp: int
    number: int


class Aggregate(Protocol[S]):
    """A function of the records of one window.

    It describes only: the same object serves all keys, and what it knows of one is in a state, which is of plain types
    that msgpack can write (`state_type`), so that a window is kept in a table and goes on after a restart. What returns
    a state may have changed the one that it was given, which is not used any more. Its text (``repr``) says what it is,
    and is kept with the states: what has the same text can go on with them.
    """

    @property
    def field(self) -> str | None:
        """The field of the records' values that it takes; None = it takes none, and is given None."""
        ...

    @property
    def takes(self) -> Form:
        """The type, for msgspec, of the values that it can use besides None; other records have been refused before."""
        ...

    @property
    def state_type(self) -> Form:
        """The type of a state, for msgspec."""
        ...

    def initial(self) -> S:
        """Return the state of a window without records."""
        ...

    def add(self, state: S, value: Value, place: Place) -> S:
        """Return the state with one more record."""
        ...

    def merge(self, state: S, other: S) -> S:
        """Return the state of the records of both; the other one stays as it is."""
        ...

    def result(self, state: S) -> Value:
        """Return the value for what was added so far, of types that JSON can write; the state stays as it is."""
        ...


class Removable(Aggregate[S], Protocol[S]):
    """An aggregate that can forget a record again, so that a look-back window moves on at constant cost."""

    def remove(self, state: S, value: Value, place: Place) -> S:
        """Return the state without a record that was added before: the earliest one of those that are left."""
        ...


class Batched(Aggregate[S], Protocol[S]):
    """An aggregate to which the order of the records is nothing, and that is faster with many of them at once."""

    def add_many(self, state: S, values: Sequence[Value]) -> S:
        """Return the state with these records, as if they were added one by one."""
        ...


class Whole(Batched[S], Protocol[S]):
    """An aggregate that is faster without a state, where it is given all records of a window at once."""

    def value_of(self, values: Sequence[Value]) -> Value:
        """Return the same as `result` for the state with just these records."""
        ...


def removable(aggregate: Aggregate[S]) -> TypeGuard[Removable[S]]:
    """Return whether an aggregate can forget a record."""
    return getattr(aggregate, "remove", None) is not None


def mergeable(aggregate: Aggregate[Held]) -> bool:
    """Return whether two states of an aggregate can become one, as sessions need it."""
    return getattr(aggregate, "merge", None) is not None


def batched(aggregate: Aggregate[S]) -> TypeGuard[Batched[S]]:
    """Return whether an aggregate is faster with many records at once."""
    return hasattr(aggregate, "add_many")


def value_of(aggregate: Batched[Held]) -> Callable[[Sequence[Value]], Value]:
    """Return what makes the value of all records of a window; `Whole.value_of`, if it has that."""
    made: Callable[[Sequence[Value]], Value] | None = getattr(aggregate, "value_of", None)
    return made or (lambda values: aggregate.result(aggregate.add_many(aggregate.initial(), values)))


def picked(aggregates: Sequence[Aggregate[Held]]) -> dict[str, int]:
    """Return the fields that aggregates take, each with the first of their slots that has its values."""
    fields = [aggregate.field for aggregate in aggregates]
    return {field: fields.index(field) for field in fields if field is not None}


def scalar(aggregate: Aggregate[Held]) -> bool:
    """Return whether it takes no values but scalars, which are the same once msgpack has written and read them."""
    return aggregate.field is None or aggregate.takes in (Scalar, Number, str)


def text(aggregate: Held) -> str:
    """Return what makes an aggregate that is a dataclass: ``Sum("amount")``."""
    told = []
    # What is for features comes last.
    for field in sorted(dataclasses.fields(aggregate), key=lambda field: field.name in {"over", "by"}):
        value = getattr(aggregate, field.name)
        if value != field.default:
            shown = f'"{value}"' if isinstance(value, str) else repr(value)
            told.append(shown if field.name == "field" else f"{field.name}={shown}")
    return f"{type(aggregate).__name__}({', '.join(told)})"


@dataclasses.dataclass(frozen=True, repr=False, kw_only=True)
class OfRecords:
    """An aggregate that is a dataclass.

    Args:
        over: how far it looks back from a record, if it is a feature of it (`Topic.enrich`).
        by: the field whose value the records have in common then; None = they have their key in common.
    """

    over: Duration | None = None
    by: str | None = None
    __repr__ = text


@dataclasses.dataclass(frozen=True, repr=False)
class OfField(OfRecords):
    """An aggregate of a field.

    Args:
        field: its name.
    """

    field: str
