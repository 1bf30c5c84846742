"""The states of the aggregates of a window: how they are added to, and how they are kept as rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from typing import Final

import msgspec

from streamapp.joins.declared import StateMismatch
from streamapp.joins.state import State
from streamapp.windows.aggregate import Form, Held, Place, Value, batched, value_of
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["NO_PLACES", "NO_ROWS", "States"]

#: Of windows whose records are all in their aggregates: one list for all of them, to which nothing is added.
NO_ROWS: Final[list[Value]] = []
NO_PLACES: Final[list[Place]] = []

_encode: Final = msgspec.msgpack.Encoder().encode


class States:
    """What a `WindowedAggregate` keeps of each window: a list with the state of each aggregate, as they are declared.

    A row has what the kind of windows keeps itself, and then these by the names of the aggregates: so other aggregates
    can go on with it.

    Args:
        join: the aggregates.
        head: the types of what comes before the states in a row.
    """

    def __init__(self, join: WindowedAggregate, head: Sequence[Value]) -> None:
        self._aggregates = aggregates = list(join.aggregates.values())
        plan = Plan([(one, 0) for one in aggregates])
        #: The columns of fields, each with the first slot that has its values.
        self.picked = plan.kept
        #: Those that take many records at once, and those that want to know of each where it stands.
        self._many = [(n, plan.column[n], one.add_many) for n, one in enumerate(aggregates) if batched(one)]
        self._placed = [(n, plan.column[n], one.add) for n, one in enumerate(aggregates) if not batched(one)]
        #: Whether records are added with their places.
        self.placed = bool(self._placed)
        self._values_of = [(plan.column[n], value_of(one)) for n, one in enumerate(aggregates) if batched(one)]
        self._initial = [one.initial for one in aggregates]
        self._results = [one.result for one in aggregates]
        slots = [f"_{n}" for n in range(len(aggregates))]
        self._by_name = by_name = msgspec.defstruct(
            "ByName",
            [(slot, one.state_type, msgspec.UNSET) for slot, one in zip(slots, aggregates, strict=True)],
            rename=dict(zip(slots, join.aggregates, strict=True)),
            gc=False,
        )
        row: Form = tuple[*head, by_name]  # type: ignore[valid-type]
        self._decode = msgspec.msgpack.Decoder(row).decode

    def initial(self) -> list[Held]:
        """Return the states of a window without records."""
        return [initial() for initial in self._initial]

    def begin(self, states: list[Held], slots: Iterable[int]) -> None:
        """Have some of the states begin anew."""
        for slot in slots:
            states[slot] = self._initial[slot]()

    def add(self, states: list[Held], rows: Sequence[Sequence[Value]], places: Sequence[Place]) -> None:
        """Add records: their values, and where they stand, which may be left out if none is `placed`."""
        self.add_columns(states, len(rows), [[row[slot] for row in rows] for _, slot in self.picked], places)

    def add_columns(
        self, states: list[Held], count: int, columns: Sequence[Sequence[Value]], places: Sequence[Place]
    ) -> None:
        """Add so many records: the values of each field, and where they stand."""
        for n, column, add_many in self._many:
            states[n] = add_many(states[n], range(count) if column is None else columns[column])
        for n, column, add in self._placed:
            state = states[n]
            for value, place in zip(repeat(None, count) if column is None else columns[column], places, strict=True):
                state = add(state, value, place)
            states[n] = state

    def values(self, counts: Sequence[int], columns: Sequence[Sequence[Sequence[Value]]]) -> list[tuple[Value, ...]]:
        """Return the aggregates' values for windows: of so many records each, with these values of each field.

        It can be done without a state if none is `placed`.
        """
        return list(
            zip(
                *[map(of, map(range, counts) if column is None else columns[column]) for column, of in self._values_of],
                strict=True,
            )
        )

    def merge(self, states: list[Held], others: list[Held]) -> None:
        """Add the records of another window, whose states are not used any more."""
        for n, aggregate in enumerate(self._aggregates):
            states[n] = aggregate.merge(states[n], others[n])

    def results(self, states: list[Held]) -> tuple[Value, ...]:
        """Return the aggregates' values."""
        return tuple([result(state) for result, state in zip(self._results, states, strict=True)])

    def row(self, head: tuple[Value, ...], states: list[Held]) -> bytes:
        """Return the row of a window."""
        return _encode((*head, self._by_name(*states)))

    def read(self, state: State) -> Iterator[tuple[bytes, Sequence[Value], list[Held]]]:
        """Go through the rows: the key, what comes before the states, and the states.

        Raises:
            StateMismatch: for a state that is not of its aggregate's type.
        """
        for key, row in state.scan():
            try:
                *head, found = self._decode(row)
            except msgspec.ValidationError as exc:
                raise StateMismatch(f"the state of an aggregate is of another type: {exc}") from None
            stored = zip(msgspec.structs.astuple(found), self._initial, strict=True)
            yield key, head, [initial() if state is msgspec.UNSET else state for state, initial in stored]
