"""The horizon of an event clock: the time before which records are late."""

from __future__ import annotations

from typing import Final

from streamapp.joins import ordering
from streamapp.joins.clock import BEGINNING, Clock
from streamapp.joins.state import State

__all__ = ["Horizon"]

#: The row of the time before which all is late; before that of the declaration, see `DECLARED`.
_FLOOR: Final = b"~closed"


class Horizon:
    """Tells how far behind the clock a record may be: a grace, but not where windows have given their results already.

    Args:
        grace: that (ms).
        was: that (ms) by which the state was written; if it was shorter, what was late then stays late.
    """

    def __init__(self, state: State, clock: Clock, grace: int, was: int) -> None:
        self._clock = clock
        self._grace = grace
        stored = state.get(_FLOOR)
        #: What is older (ms) is late, whatever the grace.
        self.floor = BEGINNING if stored is None else ordering.time_of(stored)
        if was < grace and clock.time - was > self.floor:
            self.floor = clock.time - was
            state.put(_FLOOR, ordering.time(self.floor))

    @property
    def time(self) -> int:
        """The event time (ms) before which a record is late."""
        return self.at(self._clock.time)

    def at(self, now: int) -> int:
        """Return the same for when the clock shows ``now`` (ms)."""
        return max(now - self._grace, self.floor)
