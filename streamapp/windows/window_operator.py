"""What the operators of all kinds of windows have in common."""

from __future__ import annotations

import abc
from collections.abc import Sequence

from streamapp.joins.declared import earlier
from streamapp.joins.explanation import Explanation, Verdict
from streamapp.joins.horizon import Horizon
from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Record
from streamapp.joins.state import State
from streamapp.windows.aggregate import Value
from streamapp.windows.states import States
from streamapp.windows.ticks import Ticks
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["WindowOperator"]


class WindowOperator(Accounting[Windowed], abc.ABC):
    """Windows of one partition; all records count in the balance, one is matched when its window gives its last result.

    Args:
        join: what is aggregated.
        state: of the partition.
        head: the types of what a window keeps beside the states of the aggregates.
    """

    def __init__(self, join: WindowedAggregate, state: State, head: Sequence[Value]) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._horizon = Horizon(state, self.clock, join.grace, was.grace)
        self._values = join.values
        self._state = state.section(b"windows/")
        self._states = States(join, head)
        #: What wrote the state, and the slots of the aggregates that it did not have.
        self._was = was
        self._new = [slot for slot, name in enumerate(join.aggregates) if name not in was.aggregates]
        self._updates = join.emission.updates
        #: Whether each record gives its updates itself.
        self._at_once = self._updates and join.every is None
        self._ticks = Ticks(join.every, self.clock.time)
        #: Rows to be written or deleted.
        self._changes: dict[bytes, bytes | None] = {}

    def advance(self, to: int) -> Output[Windowed]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        self._pass(self.clock.time)
        self._save()
        self._state.update(self._changes)
        self._changes = {}
        return self._ledger.close()

    @abc.abstractmethod
    def _pass(self, now: int) -> None:
        """Close the windows that the clock has passed, and tell of those that changed if there was a tick."""

    @abc.abstractmethod
    def _save(self) -> None:
        """Note the rows of the windows that changed."""

    def _reject(self, source: int, record: Record) -> None:
        """Account for a record without a key or a value, which does not move the clock."""
        reason = Reason.NULL_VALUE if record.value is None else Reason.NULL_KEY
        self._ledger.rejected(self.balance, source, record, reason)

    def _rejected(self, record: Record) -> Explanation:
        """Explain such a record."""
        verdict = Verdict.NULL_VALUE if record.value is None else Verdict.NULL_KEY
        return Explanation(verdict=verdict, clock=self.clock.now)
