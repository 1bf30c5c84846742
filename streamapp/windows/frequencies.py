"""How often there is each value: how many different ones there are, and which are the most frequent."""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from streamapp.windows.aggregate import OfField, Place, Scalar

__all__ = ["ApproxTopK", "Distinct", "Frequent", "TopK", "key_of"]

#: How often there is each value, by its key.
Counts: TypeAlias = dict[str, int]

#: What the key of a value that is no string begins with, so that 1 is not "1".
MARK: Final = "\0"

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder().decode


def key_of(value: Scalar) -> str:
    """Return a text for a value that only equal values have: 1 and 1.0 are equal, 1, "1" and true are not."""
    if type(value) is str and value[:1] > MARK:  # no empty one: sketches take that for nothing
        return value
    if type(value) is float and value.is_integer():
        value = int(value)
    return MARK + _encode(value).decode()


def _value_of(key: str) -> Any:
    return _decode(key[1:]) if key.startswith(MARK) else key


class _Counting(OfField):
    """An aggregate whose state is how often there is each value that is not null."""

    takes: ClassVar[Any] = Scalar
    state_type: ClassVar[Any] = Counts

    def initial(self) -> Counts:
        """Return no counts."""
        return {}

    def add(self, state: Counts, value: Any, place: Place) -> Counts:
        """Return the counts with one more of a value."""
        if value is not None:
            key = key_of(value)
            state[key] = state.get(key, 0) + 1
        return state

    def add_many(self, state: Counts, values: Sequence[Any]) -> Counts:
        """Return the counts with these values, too."""
        for value in values:
            if value is not None:
                key = key_of(value)
                state[key] = state.get(key, 0) + 1
        return state

    def remove(self, state: Counts, value: Any, place: Place) -> Counts:
        """Return the counts with one less of a value."""
        if value is not None:
            key = key_of(value)
            if state[key] == 1:
                del state[key]
            else:
                state[key] -= 1
        return state

    def merge(self, state: Counts, other: Counts) -> Counts:
        """Return the counts of both."""
        for key, count in other.items():
            state[key] = state.get(key, 0) + count
        return state


class Distinct(_Counting):
    """How many different values that are not null are in a field, exactly."""

    def result(self, state: Counts) -> int:
        """Return how many there are."""
        return len(state)


@dataclasses.dataclass(frozen=True, repr=False)
class TopK(_Counting):
    """The most frequent values in a field that are not null, and how often each is there, exactly.

    The result is ``[{"value": …, "count": …}, …]``, the most frequent first; of equally frequent ones, those that are
    the smallest as text.

    Args:
        field: its name.
        k: how many values.

    Raises:
        ValueError: if that is none.
    """

    k: int = 10

    def __post_init__(self) -> None:
        _check(self)

    def result(self, state: Counts) -> list[dict[str, Any]]:
        """Return the most frequent values."""
        return _most_frequent(state, self.k)


class Frequent(msgspec.Struct, array_like=True, gc=False):
    """How often there are the frequent ones of many values: each at least so often, and at most `less` more."""

    counts: Counts = {}
    less: int = 0


@dataclasses.dataclass(frozen=True, repr=False)
class ApproxTopK(OfField):
    """The most frequent values in a field that are not null, from a state of bounded size.

    The result is as that of `TopK`. A count may be too small, by at most ``error`` times the number of values: so what
    is more frequent is there for sure. It is exact as long as there are no more than 2 / ``error`` different values.

    Args:
        field: its name.
        k: how many values.
        error: 0.001 = a tenth of a percent of the number of values.

    Raises:
        ValueError: for no values, or an error that is not between 0 and 1.
    """

    k: int = 10
    error: float = 0.001
    takes: ClassVar[Any] = Scalar
    state_type: ClassVar[Any] = Frequent

    def __post_init__(self) -> None:
        _check(self)
        if not 0 < self.error < 1:
            raise ValueError(f"{self}: the error must be between 0 and 1")

    def initial(self) -> Frequent:
        """Return no counts."""
        return Frequent()

    def add(self, state: Frequent, value: Any, place: Place) -> Frequent:
        """Return the counts with one more of a value."""
        return self.add_many(state, (value,))

    def add_many(self, state: Frequent, values: Sequence[Any]) -> Frequent:
        """Return the counts with these values, too."""
        return self._plus(state, ((key_of(value), 1) for value in values if value is not None))

    def merge(self, state: Frequent, other: Frequent) -> Frequent:
        """Return the counts of both."""
        state.less += other.less
        return self._plus(state, other.counts.items())

    def result(self, state: Frequent) -> list[dict[str, Any]]:
        """Return the most frequent values."""
        return _most_frequent(state.counts, self.k)

    def _plus(self, state: Frequent, counts: Iterable[tuple[str, int]]) -> Frequent:
        """Add to counts. When there are too many, all become less by as much as makes half of them nothing.

        So the sum of all counts is less by at least half of their number times that. (Misra and Gries; Agarwal et al.,
        Mergeable Summaries, for that it holds of merged ones, too.)
        """
        kept = math.ceil(1 / self.error)
        for key, count in counts:
            state.counts[key] = state.counts.get(key, 0) + count
            if len(state.counts) > 2 * kept:
                less = heapq.nlargest(kept + 1, state.counts.values())[-1]
                state.counts = {key: count - less for key, count in state.counts.items() if count > less}
                state.less += less
        return state


def _check(aggregate: TopK | ApproxTopK) -> None:
    if aggregate.k <= 0:
        raise ValueError(f"{aggregate}: k must be at least 1")


def _most_frequent(counts: Counts, k: int) -> list[dict[str, Any]]:
    found = heapq.nsmallest(k, counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"value": _value_of(key), "count": count} for key, count in found]
