"""What all joins have in common: a description that can be started on a partition's state, and what runs then."""

from __future__ import annotations

from typing import Protocol, TypeVar

from streamapp.joins.balance import Balance, Updates
from streamapp.joins.clock import Clock
from streamapp.joins.declared import TakingOver
from streamapp.joins.explanation import Explanation
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

    def refuse(self, source: int, record: Record, detail: object) -> None:
        """Reject a record that is not to be joined, and say why; it comes out at the side with the next batch."""

    def process(self, batch: Batch) -> Output[R]:
        """Join records in the order in which they are given; the state then has all changes to be committed."""

    def explain(self, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells; changes nothing."""

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

    def start(self, state: State) -> Operator[R]:
        """Begin, or go on, with what the state of a partition holds.

        Raises:
            StateMismatch: if the state was written by a join that this one cannot go on from.
        """
