"""The records of all keys of a partition, as far as look-back windows can still reach them."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, Final

from streamapp.joins.calendar import Calendar
from streamapp.joins.clock import BEGINNING
from streamapp.joins.state import State
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.record_pages import RecordPages, Taken
from streamapp.windows.record_tree import RecordTree
from streamapp.windows.slider import Slider

__all__ = ["Histories", "History"]

_TIME: Final = operator.attrgetter("timestamp")


class History:
    """The records of a key."""

    __slots__ = ("final", "heads", "key", "latest", "sliders", "tree")

    def __init__(self, key: bytes, tree: RecordTree) -> None:
        #: One object for all records of the key.
        self.key = key
        self.tree = tree
        #: The time (ms) of the latest record.
        self.latest = BEGINNING
        #: The windows that end at the latest record, one of each size.
        self.heads: list[Slider] = []
        #: The window that ends at the last record that gave its final result; None if there are none such.
        self.final: Slider | None = None
        #: All these; None = not made since the start.
        self.sliders: list[Slider] | None = None


class Histories(dict[bytes, History]):
    """The histories by key; ``histories[key]`` of a key that is not there makes one.

    Args:
        reach: how far (ms) the clock goes past a record before it is over.
        heads: whether there are to be windows that end at the latest record.
        final: whether there are to be ones that give final results.
    """

    def __init__(self, plan: Plan, state: State, reach: int, *, heads: bool, final: bool) -> None:
        super().__init__()
        self._plan = plan
        self._reach = reach
        self._heads = heads
        self._final = final
        self._pages = RecordPages(state, plan.fields)
        self._calendar: Calendar[History] = Calendar(reach // 16)
        #: Those that are not in the calendar yet.
        self._made: list[History] = []
        self._added: list[Taken] = []
        self._number = 0
        #: Of the records that were there at the start, those up to this time (ms) have given their final results.
        self._given = BEGINNING

    def __missing__(self, key: bytes) -> History:
        history = self[key] = History(key, RecordTree(self._plan))
        self._made.append(history)
        return history

    def restore(self, since: int, given: int, *, forget: bool) -> list[tuple[int, History]]:
        """Take the records from the state; first of all.

        Args:
            since: what is before (ms) is over.
            given: what is up to this time (ms) has given its final result.
            forget: whether what is over is to be forgotten for good, since the next start would not know that it is.

        Returns:
            The times (ms) and histories of the records that have not given their final results, in the order of (time,
            arrival).
        """
        records = sorted(self._pages.read(since), key=_TIME)
        if forget:
            self._pages.forget(since)
        slots = self._plan.column
        for key, timestamp, values in records:
            history = self[key]
            history.latest = timestamp
            history.tree.append(timestamp, [None if n is None else values[n] for n in slots], self._number)
            self._number += 1
        self._given = given
        return [(record.timestamp, self[record.key]) for record in records if record.timestamp > given]

    def add(self, history: History, timestamp: int, values: Sequence[Any], over: int) -> bool:
        """Put a record in; returns whether it is the latest of its key, and `heads` end at it.

        What is up to the time ``over`` (ms) may be forgotten.
        """
        sliders = history.sliders
        if sliders is None:
            sliders = self._prepare(history)
        number = self._number
        self._number += 1
        picked = [values[slot] for slot in self._plan.picked]
        self._added.append(Taken(history.key, timestamp, picked))
        tree = history.tree
        if timestamp >= history.latest:
            history.latest = timestamp
            if tree.append(timestamp, values, number):
                tree.trim(over)
                for slider in sliders:
                    slider.trimmed()
            for head in history.heads:
                head.slide(timestamp, values, number)
            return True
        leaf, index, right = tree.insert(timestamp, values, number)
        for head in history.heads:
            head.inserted(leaf, index, timestamp, values, number)
        if right is not None:
            for slider in sliders:
                slider.split(leaf, right)
        return False

    def features(self, history: History, timestamp: int | None = None) -> tuple[Any, ...]:
        """Return what the aggregates say of the windows that end at the latest record, or at an earlier time (ms)."""
        if len(heads := history.heads) == 1:
            return tuple(heads[0].results() if timestamp is None else heads[0].earlier(timestamp))
        found: list[Any] = [None] * len(self._plan.aggregates)
        for head, over in zip(heads, self._plan.overs, strict=True):
            results = head.results() if timestamp is None else head.earlier(timestamp)
            for slot, result in zip(over.slots, results, strict=True):
                found[slot] = result
        return tuple(found)

    def next(self, history: History) -> tuple[int, list[Any]]:
        """Return the time (ms) and the final results of the next record of a history that has not given them."""
        if history.sliders is None:
            self._prepare(history)
        slider = history.final
        if slider is None or (timestamp := slider.step()) is None:
            raise AssertionError("there is no record that waits for its final result")
        return timestamp, slider.results()

    def save(self, now: int) -> None:
        """Write down what was added, and forget what is over, when the clock shows `now` (ms)."""
        if self._added:
            self._pages.write(self._added, now)
            self._added = []
        over = now - self._reach
        self._pages.drop(over)
        due, self._made = self._made, []
        due += self._calendar.take(now)
        for history in due:
            if history.latest <= over:
                del self[history.key]
                continue
            history.tree.trim(over)
            for slider in history.sliders or ():
                slider.trimmed()
            # One that is ahead must not keep the others.
            self._calendar.add(min(history.latest, now) + self._reach, history)

    def _prepare(self, history: History) -> list[Slider]:
        """Make the windows of a history, before the next record is put in."""
        plan, tree = self._plan, history.tree
        if self._heads:
            history.heads = [Slider(plan, over, tree) for over in plan.overs]
        if self._final:
            history.final = Slider(plan, plan.overs[0], tree, self._given)
        history.sliders = sliders = [*history.heads, *([history.final] if history.final else ())]
        return sliders

