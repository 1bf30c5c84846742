"""What all joins have in common: a description that can be started on a partition's state, and what runs then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from streamapp.joins.balance import Balance, Updates
from streamapp.joins.clock import Clock
from streamapp.joins.declared import TakingOver
from streamapp.joins.explanation import Explanation
from streamapp.joins.held import Held
from streamapp.joins.output import Output
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State

__all__ = ["Join", "Operator"]

R = TypeVar("R")


class Operator(Protocol[R]):
    """A join at work on one partition.

    After an exception in `process` it is of no use any more: another one is started on what was committed last.
    """

    clock: Clock
    balance: Balance
    updates: Updates

    @property
    def waits(self) -> bool:
        """Whether something waits for the event clock."""
        ...

    @property
    def due(self) -> bool:
        """Whether something is due by the wall clock: a batch without records is to be processed."""
        ...

    def refuse(self, source: int, record: Record, detail: object) -> None:
        """Reject a record that is not to be joined, and say why; it comes out at the side with the next batch."""

    def process(self, batch: Batch) -> Output[R]:
        """Join records in the order in which they are given; the state then has all changes to be committed."""

    def explain(self, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells; changes nothing."""

    def held(self, key: bytes) -> Sequence[Held] | None:
        """Return what is held for a key, by source and time; None = what it holds is not told by key."""

    def advance(self, to: int) -> Output[R]:
        """Move the clock on to an event time (ms) without a record, which closes what waits for that."""


class Join(TakingOver, Protocol[R]):
    """What is joined how; the same for all partitions."""

    @property
    def tables(self) -> frozenset[int]:
        """The sources whose records are rows of a table in the state: without them results are missing for ever."""

    @property
    def plain(self) -> frozenset[int]:
        """Those of them whose table is a plain one: its rows may be kept elsewhere (`State.tables`)."""

    @property
    def tick(self) -> int | None:
        """How often (ms) it is to be looked whether something is due by the wall clock; None = nothing ever is."""
        ...

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record of a stream until none of its results is to come; 0 = at once."""
        ...

    def start(self, state: State) -> Operator[R]:
        """Begin, or go on, with what the state of a partition holds.

        Raises:
            StateMismatch: if the state was written by a join that this one cannot go on from.
        """
