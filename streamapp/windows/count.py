"""How many records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from streamapp.windows.aggregate import ANYTHING, OfRecords, Place, Value

__all__ = ["Count"]


@dataclasses.dataclass(frozen=True, repr=False)
class Count(OfRecords):
    """How many records a window has; with a field, how many have a value in it that is not null."""

    field: str | None = None
    takes = ANYTHING
    state_type = int

    def initial(self) -> int:
        """Return 0."""
        return 0

    def add(self, state: int, value: Value, place: Place) -> int:
        """Return one more, unless the field is null."""
        return state + (self.field is None or value is not None)

    def add_many(self, state: int, values: Sequence[Value]) -> int:
        """Return as many more as there are values that are not null."""
        return state + len(values) - (0 if self.field is None else values.count(None))

    def value_of(self, values: Sequence[Value]) -> int:
        """Return how many of the values are not null."""
        return len(values) if self.field is None else len(values) - values.count(None)

    def remove(self, state: int, value: Value, place: Place) -> int:
        """Return one less, unless the field is null."""
        return state - (self.field is None or value is not None)

    def merge(self, state: int, other: int) -> int:
        """Return how many both have."""
        return state + other

    def result(self, state: int) -> int:
        """Return how many there are."""
        return state
