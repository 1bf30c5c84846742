"""Steps without a state: functions on records, of which several are run in one pass over a batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from streamapp.functions.record import TypedRecord, made_of
from streamapp.joins import Refused
from streamapp.windows.aggregate import Value

__all__ = ["Branch", "Filter", "FlatMap", "Map", "Path", "Records", "Reject", "Rekey", "Step", "Tree"]

T = TypeVar("T")

#: Records as they go from step to step.
Records = Sequence[TypedRecord[Value]]
#: Takes a record at which a step failed, and why; may raise that, which ends the pass.
Reject = Callable[[TypedRecord[Value], Exception], None]


class Step(Protocol):
    """A function of records; a record without a value is handed on by those that look at values."""

    def __call__(self, records: Records, reject: Reject, /) -> Records:
        """Return what comes of records, in their order."""
        ...


#: Steps one after the other.
Path = tuple[Step, ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Map:
    """Makes a record of each."""

    function: Callable[[TypedRecord[Value]], Value]

    def __call__(self, records: Records, reject: Reject) -> Records:
        """Return a record for each."""
        made, function = list[TypedRecord[Value]](), self.function
        for record in records:
            if record.value is None:
                made.append(record)
                continue
            try:
                made.append(made_of(record, function(record)))
            except Exception as error:
                reject(record, error)
        return made


@dataclasses.dataclass(frozen=True, eq=False)
class Filter:
    """Leaves out records."""

    function: Callable[[TypedRecord[Value]], object]

    def __call__(self, records: Records, reject: Reject) -> Records:
        """Return those for which the function says something true."""
        kept, function = list[TypedRecord[Value]](), self.function
        for record in records:
            try:
                if record.value is None or function(record):
                    kept.append(record)
            except Exception as error:
                reject(record, error)
        return kept


@dataclasses.dataclass(frozen=True, eq=False)
class FlatMap:
    """Makes any number of records of each."""

    function: Callable[[TypedRecord[Value]], Iterable[Value]]

    def __call__(self, records: Records, reject: Reject) -> Records:
        """Return all of them; of a record at which the function fails there is none."""
        made, function = list[TypedRecord[Value]](), self.function
        for record in records:
            if record.value is None:
                made.append(record)
                continue
            try:
                made += [made_of(record, result) for result in _several(function(record))]
            except Exception as error:
                reject(record, error)
        return made


def _several(results: Iterable[Value]) -> Iterable[Value]:
    """Make sure that results are not one alone which could be taken for many."""
    if isinstance(results, (str, bytes, Mapping)):
        raise TypeError(f"flat_map takes a list of results for each record, not {results!r}")
    return results


@dataclasses.dataclass(frozen=True, eq=False)
class Branch:
    """Leaves out the records that are of another branch: the first one whose condition holds has a record.

    A record without a value is of all branches: each of them may have had a record of its key.
    """

    conditions: Sequence[Callable[[TypedRecord[Value]], object]]
    number: int

    def __call__(self, records: Records, reject: Reject) -> Records:
        """Return the records of this branch."""
        kept, *before = list[TypedRecord[Value]](), *self.conditions[: self.number]
        condition = self.conditions[self.number]
        for record in records:
            try:
                if record.value is None or (not any(earlier(record) for earlier in before) and condition(record)):
                    kept.append(record)
            except Exception as error:
                reject(record, error)
        return kept


@dataclasses.dataclass(frozen=True, eq=False)
class Rekey:
    """Gives each record the key that a function makes of it, as it is sent: its value is bytes.

    One without a value has nothing that a key could be made of.
    """

    function: Callable[[Value], bytes | None]
    encode: Callable[[TypedRecord[Value]], bytes | None]

    def __call__(self, records: Records, reject: Reject) -> Records:
        """Return the records with their new keys."""
        made = list[TypedRecord[Value]]()
        for record in records:
            value = self.encode(record)
            if value is None:
                reject(record, Refused("it has no value, and so nothing in it to go by", "tombstone"))
                continue
            try:
                key = self.function(record.replace(value=value))
            except Exception as error:
                reject(record, error)
            else:
                made.append(record.replace(key=key))
        return made


class Tree(Generic[T]):
    """Steps that have their beginnings in common, and what is at their ends: each step runs once for all ends."""

    def __init__(self) -> None:
        self._then: dict[Step, Tree[T]] = {}
        self.ends: list[T] = []

    def add(self, path: Path, end: T) -> None:
        """Put an end to a path."""
        tree = self
        for step in path:
            tree = tree._then.setdefault(step, Tree())
        tree.ends.append(end)

    def run(self, records: Records, reject: Reject) -> Iterator[tuple[T, Records]]:
        """Return for each end the records that come to it."""
        if not records:
            return
        for end in self.ends:
            yield end, records
        for step, tree in self._then.items():
            yield from tree.run(step(records, reject), reject)
