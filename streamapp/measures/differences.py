"""Differences: what two runs over the same records gave, compared: counted, and a few of each kind shown."""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator
from typing import Final, Generic, NamedTuple, TypeVar

__all__ = ["SAMPLES", "Change", "Difference", "Differences", "Kind"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

#: Of each kind that many are shown.
SAMPLES: Final = 5


class Kind(enum.StrEnum):
    """What became of something, in the first run (A) and the second one (B)."""

    SAME = "same"
    CHANGED = "changed"
    ONLY_A = "only_a"
    ONLY_B = "only_b"


class Change(NamedTuple, Generic[K, V]):
    """Something that differs: what it is, and what the two runs gave for it, in order; nothing = it is not there."""

    what: K
    a: tuple[V, ...]
    b: tuple[V, ...]


class Difference(NamedTuple, Generic[K, V]):
    """How many are of each kind, and the first of those that differ, by their order."""

    counts: Counter[Kind]
    samples: dict[Kind, list[Change[K, V]]]


class Differences(Generic[K, V]):
    """Takes what two runs give for the same things, in any order of the runs; kept until they are compared."""

    def __init__(self) -> None:
        self._given: tuple[defaultdict[K, list[V]], defaultdict[K, list[V]]] = (defaultdict(list), defaultdict(list))

    def add(self, run: int, what: K, value: V) -> None:
        """Take in that a run (0 = A, 1 = B) gave a value for something."""
        self._given[run][what].append(value)

    def changes(self) -> Iterator[tuple[Kind, Change[K, V]]]:
        """Go through all that is there, in the order in which A gave it, then what B alone did."""
        first, second = self._given
        for what, a in first.items():
            b = second.get(what)
            kind = Kind.ONLY_A if b is None else Kind.SAME if a == b else Kind.CHANGED
            yield kind, Change(what, tuple(a), tuple(b or ()))
        for what, b in second.items():
            if what not in first:
                yield Kind.ONLY_B, Change(what, (), tuple(b))

    def compare(self) -> Difference[K, V]:
        """Count them."""
        counts: Counter[Kind] = Counter(dict.fromkeys(Kind, 0))
        samples: dict[Kind, list[Change[K, V]]] = {kind: [] for kind in Kind if kind is not Kind.SAME}
        for kind, change in self.changes():
            counts[kind] += 1
            if kind is not Kind.SAME and len(samples[kind]) < SAMPLES:
                samples[kind].append(change)
        return Difference(counts, samples)
