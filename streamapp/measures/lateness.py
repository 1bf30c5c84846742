"""Lateness: how far the event time of records is behind the clock of their partition when they come."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

from streamapp.joins.clock import BEGINNING, Clock, Wall
from streamapp.measures.histogram import DurationHistogram

__all__ = ["NAMED", "Dragger", "Lateness", "Measured", "Place"]

#: Records that are named, of those that the others are behind.
NAMED: Final = 5


class Place(NamedTuple):
    """Where a record is."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Dragger(NamedTuple):
    """A record that moved the clock on, and what came before it was moved on again."""

    #: How much of the lateness of others it made (ms): by how far it moved the clock, but no more than the most that
    #: one of them was behind. Where that one is late by itself, or came after a silence, it is next to nothing.
    drag: int
    place: Place
    timestamp: int
    #: By how far (ms) it moved the clock on; None = it was the first record.
    jump: int | None
    #: How many records were behind it, and by how much (ms) at most.
    behind: int
    worst: int


class Measured:
    """What was measured of one clock, or of several together (`merge`)."""

    def __init__(self) -> None:
        #: How far records were behind (ms).
        self.histogram = DurationHistogram()
        #: How many were late, by the grace that there is.
        self.late = 0
        #: How many were ahead of the wall clock, and how many of these by more than they may be, so that they moved no
        #: clock; and the one that was the furthest ahead, with its event time (ms).
        self.future = self.beyond = 0
        self.furthest: tuple[int, Place] | None = None
        #: Those that the others were behind, the one that made the most lateness first.
        self.draggers: list[Dragger] = []

    def merge(self, other: Measured) -> None:
        """Take in what was measured of another clock."""
        self.histogram.merge(other.histogram)
        self.late += other.late
        self.future += other.future
        self.beyond += other.beyond
        self.furthest = max(filter(None, (self.furthest, other.furthest)), default=None)
        self.draggers = _named([*self.draggers, *other.draggers])


class Lateness(Measured):
    """Measures the records of one partition, or of several that share a clock, in the order in which they come.

    Args:
        wall: bounds the clock, as that of a join; None = nothing does.
        grace: counts those that are behind by more (ms); None = there is none.
    """

    def __init__(self, wall: Wall | None = None, grace: int | None = None) -> None:
        super().__init__()
        self.clock = Clock(wall)
        #: The first event time (ms) that the clock had.
        self.first: int | None = None
        self._grace = grace
        #: The record that moved the clock last, and when it did so; by how far: None = it was the first.
        self._mover: Place | None = None
        self._jump: int | None = None
        self._behind = self._worst = 0

    def see(self, place: Place, timestamp: int, *, moves: bool = True) -> int:
        """Take in a record: its event time (ms), and whether it can be joined, and so moves the clock.

        Returns how far (ms) it is behind, by which it is late if that is more than the grace.
        """
        clock = self.clock
        before = clock.time
        behind = before - timestamp if before > timestamp else 0
        self.histogram.add(behind)
        if behind:
            self._behind += 1
            if behind > self._worst:
                self._worst = behind
            if self._grace is not None and behind > self._grace:
                self.late += 1
        elif moves:
            if timestamp > clock.wall.now:
                self._look_ahead(place, timestamp)
            clock.advance(timestamp)
            if clock.time > before:
                self._moved(place, before)
        return behind

    def pass_to(self, time: int) -> None:
        """Move the clock on to an event time (ms) without a record, as an idle timeout does."""
        before = self.clock.time
        self.clock.advance(time)
        if self.clock.time > before:
            self._moved(None, before)

    def close(self) -> Measured:
        """Return what was measured; to be called once all records are in."""
        self._moved(None, self.clock.time)
        return self

    def _look_ahead(self, place: Place, timestamp: int) -> None:
        self.future += 1
        self.beyond += timestamp > self.clock.wall.limit
        self.furthest = max(self.furthest or (timestamp, place), (timestamp, place))

    def _moved(self, place: Place | None, before: int) -> None:
        """Take note that another record moves the clock from now on."""
        drag = self._worst if self._jump is None else min(self._jump, self._worst)
        if self._mover is not None and drag > 0:
            draggers = self.draggers
            if len(draggers) < NAMED or drag > draggers[-1].drag:
                one = Dragger(drag, self._mover, before, self._jump, self._behind, self._worst)
                self.draggers = _named([*draggers, one])
        if self.first is None:
            self.first = self.clock.now
        self._mover = place
        self._jump = None if before == BEGINNING else self.clock.time - before
        self._behind = self._worst = 0


def _named(draggers: Iterable[Dragger]) -> list[Dragger]:
    return heapq.nlargest(NAMED, draggers, key=lambda one: (one.drag, one.behind, one.timestamp))
