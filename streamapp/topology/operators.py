"""Operators by hand: windows and joins of the library inside of an agent, with their state in a table."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from streamapp.joins import Join, Operator, State
from streamapp.joins.declared import StateMismatch
from streamapp.runtime.batch import Batch
from streamapp.runtime.rows import Rows
from streamapp.stores.errors import StateError
from streamapp.topology.task import RowStore
from streamapp.worker.app import App
from streamapp.worker.table import OrderedTable

__all__ = ["Operators"]

R = TypeVar("R")


class _AtWork(NamedTuple, Generic[R]):
    epoch: int
    rows: Rows
    store: RowStore
    state: State
    operator: Operator[R]


@dataclasses.dataclass(eq=False)
class Operators(Generic[R]):
    """One operator for each partition of a topic, with its state in a table; made by `App.operators`.

    At least once, what a worker had taken in before a crash may be taken in again; exactly once it is not.
    """

    app: App
    join: Join[R]
    table: OrderedTable
    _at_work: dict[int, _AtWork[R]] = dataclasses.field(default_factory=dict)

    @contextlib.contextmanager
    def of(self, batch: Batch) -> Iterator[Operator[R]]:
        """Return the operator of a batch's partition.

        What it changes in its state takes effect with what else the agent does with the batch: all of it, or nothing.

        Raises:
            StateError: if the state was written by another declaration, from which this one cannot go on.
        """
        self.app.ahead.wall.refresh()
        number, partition = batch.partition, self.table.partition(batch.partition)
        at_work = self._at_work.pop(number, None)
        if at_work is None or (at_work.rows.rows, at_work.epoch) != (partition, partition.epoch):
            at_work = self._started(Rows(partition, batch.work))
        at_work.rows.work = batch.work
        yield at_work.operator
        at_work.store.timestamp = max(0, at_work.operator.clock.now or 0)
        at_work.state.commit()
        # If the work on the batch is given up, the operator knows more than the table has, and is of no use any more.
        batch.work.effects.append(partial(self._at_work.__setitem__, number, at_work))

    def _started(self, rows: Rows) -> _AtWork[R]:
        store = RowStore(rows)
        state = State(store, self.app.ahead.wall)
        try:
            return _AtWork(rows.rows.epoch, rows, store, state, self.join.start(state))
        except StateMismatch as exc:
            raise StateError(f"{self.table.name} cannot go on with its state: {exc}") from None
