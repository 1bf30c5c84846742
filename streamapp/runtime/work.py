"""Work: what an agent does with a batch. It takes effect as a whole once the agent is done, or not at all.

An agent that fails half-way leaves nothing behind: the results it gave so far are not sent, and the rows it wrote are
not in the table, when it gets the batch again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamapp.joins.rows import Row
    from streamapp.runtime.rejected import Rejected
    from streamapp.runtime.results import Results
    from streamapp.runtime.uncommitted import Uncommitted

__all__ = ["Work"]


class Work:
    """Results, rejected records and table changes of one batch, in the order in which the agent gave them."""

    __slots__ = ("changes", "effects", "expiry", "rejected", "results")

    def __init__(self) -> None:
        self.results: list[Results] = []
        self.rejected: list[Rejected] = []
        #: By table partition, the rows that were written; None deletes.
        self.changes: dict[Uncommitted, dict[bytes, Row | None]] = {}
        #: By table partition, the event time (ms) before which rows are to be deleted.
        self.expiry: dict[Uncommitted, int] = {}
        #: Called when the work takes effect; they must not fail.
        self.effects: list[Callable[[], None]] = []

    def copy(self) -> Work:
        """Make a copy, to which more can be added and which can be thrown away."""
        copy = Work()
        copy.results += self.results
        copy.rejected += self.rejected
        copy.changes = {partition: dict(changes) for partition, changes in self.changes.items()}
        copy.expiry.update(self.expiry)
        copy.effects += self.effects
        return copy
