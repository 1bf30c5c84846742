"""Idle inputs: an event clock that goes on by wall time while no record comes.

An event clock stands still when its partition falls silent, and so do the windows that wait for it: Kafka Streams
and Quix Streams hold the last results back until somebody writes again. With an idle timeout, event time is taken
to pass as wall time does once nothing came for that long. The price: a record that comes after that and is older
than the clock by more than the grace is late.
"""

from __future__ import annotations

__all__ = ["IdleTimeout"]


class IdleTimeout:
    """Tells to which event time a clock is to be moved if nothing came for so long; it is told the wall time (ms)."""

    def __init__(self, timeout: int, wall: int) -> None:
        if timeout < 0:
            raise ValueError("an idle timeout must not be negative")
        self._timeout = timeout
        self._last = wall
        self._clock: int | None = None

    def seen(self, clock: int | None, wall: int) -> None:
        """Note that records came: their event clock after them, and the wall time."""
        self._clock, self._last = clock, wall

    def due(self, wall: int) -> int | None:
        """Give the event time to move the clock to; None while the inputs are not idle."""
        silence = wall - self._last
        return None if self._clock is None or silence < self._timeout else self._clock + silence
