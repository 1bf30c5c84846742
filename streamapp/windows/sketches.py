"""What sketches of bounded size estimate, those of Apache DataSketches: quantiles, and how many different values.

A state is a sketch as its library writes it; empty, as long as there is no value.
"""

from __future__ import annotations

import bisect
import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, ClassVar

from streamapp.extras import Extra, require
from streamapp.windows.aggregate import Number, OfField, Place, Scalar
from streamapp.windows.frequencies import key_of

__all__ = ["ApproxDistinct", "Quantiles"]


@functools.cache
def _library() -> Any:
    require(Extra.SKETCHES)
    import datasketches  # of the extra `sketches`

    return datasketches


@dataclasses.dataclass(frozen=True, repr=False)
class ApproxDistinct(OfField):
    """How many different values that are not null are in a field, estimated by HyperLogLog.

    The estimate is the same whatever the order of the records.

    Args:
        field: its name.
        error: the relative standard error, from 0.001 on: an estimate is off by more than it in a third of all cases,
            and by more than three times as much in one of 370. It is next to nothing for few values.

    Raises:
        ValueError: for an error that is not between 0.001 and 0.2.
        MissingExtraError: if the extra ``sketches`` is not installed.
    """

    error: float = 0.02
    takes: ClassVar[Any] = Scalar
    state_type: ClassVar[Any] = bytes

    def __post_init__(self) -> None:
        if not 0.001 <= self.error <= 0.2:
            raise ValueError(f"{self}: the error must be between 0.001 and 0.2")
        _log_buckets(self.error)

    def initial(self) -> bytes:
        """Return the sketch of no values."""
        return b""

    def add(self, state: bytes, value: Any, place: Place) -> bytes:
        """Return the sketch with a value more."""
        return self.add_many(state, (value,))

    def add_many(self, state: bytes, values: Sequence[Any]) -> bytes:
        """Return the sketch with these values, too."""
        sketches = _library()
        new, known = sketches.hll_sketch, sketches.hll_sketch.deserialize
        sketch = known(state) if state else new(_log_buckets(self.error), sketches.HLL_4)
        for value in values:
            if value is not None:
                sketch.update(key_of(value))
        return sketch.serialize_compact()  # type: ignore[no-any-return]

    def merge(self, state: bytes, other: bytes) -> bytes:
        """Return the sketch of the values of both."""
        if not state or not other:
            return state or other
        return self._union(state, other).serialize_compact()  # type: ignore[no-any-return]

    def result(self, state: bytes) -> int:
        """Return about how many there are."""
        # That of a union goes by what is in the sketch; a sketch's own one by the order in which that came, too.
        return round(self._union(state, state).get_estimate()) if state else 0

    def _union(self, *states: bytes) -> Any:
        sketches = _library()
        union = sketches.hll_union(_log_buckets(self.error))
        for state in states:
            union.update(sketches.hll_sketch.deserialize(state))
        return union.get_result(sketches.HLL_4)


@dataclasses.dataclass(frozen=True, repr=False)
class Quantiles(OfField):
    """Quantiles of the numbers in a field, estimated by KLL: a list of floats; None (null) if all are null.

    The quantile of rank 0.5, the median, is the smallest of the numbers such that at least half of them are not larger.

    Args:
        field: its name.
        ranks: from 0, the smallest number, to 1, the largest.
        error: how far off the rank of a result may be, in 99 of 100 cases: with 0.01, what is told for the rank 0.5 has
            a rank of 0.49 to 0.51. It is exact for no more than 2 / ``error`` numbers.

    Raises:
        ValueError: for no ranks, one that is not from 0 to 1, or an error that is not between 0.0001 and 0.2.
        MissingExtraError: if the extra ``sketches`` is not installed.
    """

    ranks: tuple[float, ...] = (0.5, 0.95, 0.99)
    error: float = 0.01
    takes: ClassVar[Any] = Number
    state_type: ClassVar[Any] = bytes

    def __post_init__(self) -> None:
        if not self.ranks or not all(0 <= rank <= 1 for rank in self.ranks):
            raise ValueError(f"{self}: ranks must be from 0 to 1")
        if not 0.0001 <= self.error <= 0.2:
            raise ValueError(f"{self}: the error must be between 0.0001 and 0.2")
        _kept(self.error)

    def initial(self) -> bytes:
        """Return the sketch of no numbers."""
        return b""

    def add(self, state: bytes, value: Any, place: Place) -> bytes:
        """Return the sketch with a number more."""
        return self.add_many(state, (value,))

    def add_many(self, state: bytes, values: Sequence[Any]) -> bytes:
        """Return the sketch with these numbers, too."""
        sketch = self._sketch(state)
        for value in values:
            if value is not None:
                sketch.update(value)
        return sketch.serialize()  # type: ignore[no-any-return]

    def merge(self, state: bytes, other: bytes) -> bytes:
        """Return the sketch of the numbers of both."""
        sketch = self._sketch(state)
        sketch.merge(self._sketch(other))
        return sketch.serialize()  # type: ignore[no-any-return]

    def result(self, state: bytes) -> list[float] | None:
        """Return the quantiles, in the order of the ranks."""
        sketch = self._sketch(state)
        return None if sketch.is_empty() else list(sketch.get_quantiles(self.ranks, inclusive=True))

    def _sketch(self, state: bytes) -> Any:
        sketch = _library().kll_doubles_sketch
        return sketch.deserialize(state) if state else sketch(_kept(self.error))


@functools.cache
def _log_buckets(error: float) -> int:
    """Return the logarithm of how many buckets of HyperLogLog have at most this error."""
    relative = _library().hll_sketch.get_rel_err
    return next(log for log in range(4, 22) if relative(False, True, log, 1) <= error)


@functools.cache
def _kept(error: float) -> int:
    """Return how many values KLL keeps at least for at most this error."""
    rank_error = _library().kll_doubles_sketch.get_normalized_rank_error
    return bisect.bisect_left(range(1 << 16), -error, lo=8, key=lambda k: -rank_error(k, False))
