"""What is computed of the records that a key has in look-back windows: which aggregates, over which sizes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final, Protocol

from streamapp.windows.aggregate import Aggregate, Held, Place, Value, batched, mergeable, picked, removable

__all__ = ["Columns", "Over", "Plan"]

#: Where records stand of whose places an aggregate takes no note.
NOWHERE: Final = Place(0, 0)


class Columns(Protocol):
    """Records in the order of (time, arrival), in columns."""

    @property
    def times(self) -> Sequence[int]:
        """Their times (ms)."""
        ...

    @property
    def numbers(self) -> Sequence[int]:
        """In which order they came, if the plan is `placed`."""
        ...

    @property
    def columns(self) -> Sequence[list[Value]]:
        """A list of values for each field."""
        ...


class Over:
    """The aggregates over one size of window, by their slots: their places in the plan."""

    def __init__(
        self, size: int, aggregates: Sequence[tuple[int, Aggregate[Held]]], column: Sequence[int | None]
    ) -> None:
        #: (ms).
        self.size = size
        self.slots = [slot for slot, _ in aggregates]
        #: Those that forget records, with the columns of their values; the others that can be merged; and the rest.
        self.removes = [(slot, one.remove, column[slot]) for slot, one in aggregates if removable(one)]
        self.stacked = [slot for slot, one in aggregates if not removable(one) and mergeable(one)]
        self.scanned = [slot for slot, one in aggregates if not removable(one) and not mergeable(one)]
        #: Those that take a record as it comes.
        self.adds = [(slot, one.add, one.result) for slot, one in aggregates if slot not in self.scanned]
        #: Whether it matters where a record stands.
        self.placed = not all(batched(one) for _, one in aggregates)
        #: Whether all of them forget, wherever a record stands, so that their states are those of the window.
        self.light = not self.stacked and not self.scanned and not self.placed
        self.results = [(slot, one.result) for slot, one in aggregates]
        #: Those that take any record back, not just the earliest, and whose states grow with the records: to take some
        #: back is cheaper than to merge.
        self.walked = [
            slot
            for slot, one in aggregates
            if removable(one) and batched(one) and isinstance(one.initial(), (dict, list, set))
        ]


class Plan:
    """Aggregates over sizes of windows: the same for all keys.

    The values of a record are a sequence with one for each aggregate, in their order; what several take of one field is
    kept once.

    Args:
        aggregates: with the size (ms) of the window of each.
    """

    def __init__(self, aggregates: Sequence[tuple[Aggregate[Held], int]]) -> None:
        self.aggregates: list[Held] = [aggregate for aggregate, _ in aggregates]
        fields = [aggregate.field for aggregate in self.aggregates]
        self.fields = list(picked(self.aggregates))
        #: For each field, the first slot that has its values; for each slot, the column that does.
        self.picked = list(picked(self.aggregates).values())
        #: Both the columns and these.
        self.kept = list(enumerate(self.picked))
        self.column = [None if field is None else self.fields.index(field) for field in fields]
        self.sizes = list(dict.fromkeys(size for _, size in aggregates))
        self.overs = [
            Over(size, [(slot, one) for slot, (one, its) in enumerate(aggregates) if its == size], self.column)
            for size in self.sizes
        ]
        slots = [slot for over in self.overs for slot in over.slots]
        #: Where the result of each slot is among those of one size after the other; None = there.
        self.places = None if slots == sorted(slots) else [slots.index(slot) for slot in range(len(slots))]
        #: Whether there are aggregates that cannot forget.
        self.stacked = any(over.stacked for over in self.overs)
        #: Whether there are aggregates to which it matters where a record stands.
        self.placed = not all(batched(one) for one in self.aggregates)
        self._many = [one.add_many if batched(one) else None for one in self.aggregates]
        walked = {slot for over in self.overs for slot in over.walked}
        #: The slots of which parts of the records have states, for they can be merged.
        self.merged = [slot for slot, one in enumerate(self.aggregates) if mergeable(one) and slot not in walked]
        self._adds = [(slot, self.aggregates[slot].add) for slot in self.merged]

    def rows(self, columns: Sequence[Sequence[Value]]) -> Iterable[Sequence[Value]]:
        """Return for each record its values by slot, of the columns of the fields; without a field there is no end."""
        return zip(*[repeat(None) if column is None else columns[column] for column in self.column], strict=False)

    def initial(self) -> list[Held]:
        """Return the states of no records, by slot."""
        return [aggregate.initial() for aggregate in self.aggregates]

    def values(self, records: Columns, index: int) -> list[Value]:
        """Return the values of a record, by slot."""
        columns = records.columns
        return [None if column is None else columns[column][index] for column in self.column]

    def add(self, states: list[Held], values: Sequence[Value], place: Place) -> None:
        """Add a record to the states that can be merged."""
        for slot, add in self._adds:
            states[slot] = add(states[slot], values[slot], place)

    def add_stretch(self, states: list[Held], slots: Sequence[int], records: Columns, begin: int, end: int) -> None:
        """Add the records from one index up to another one."""
        if begin == end:
            return
        for slot in slots:
            column = self.column[slot]
            values = [None] * (end - begin) if column is None else records.columns[column][begin:end]
            if (add_many := self._many[slot]) is not None:
                states[slot] = add_many(states[slot], values)
                continue
            state, add = states[slot], self.aggregates[slot].add
            for value, *place in zip(values, records.times[begin:end], records.numbers[begin:end], strict=True):
                state = add(state, value, Place(*place))
            states[slot] = state

    def merge(self, states: list[Held], slots: Sequence[int], others: Sequence[Held]) -> None:
        """Merge other states into these; they stay as they are."""
        for slot in slots:
            states[slot] = self.aggregates[slot].merge(states[slot], others[slot])
