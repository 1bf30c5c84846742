"""The records of all keys of a partition, as far as look-back windows can still reach them."""

from __future__ import annotations

import bisect
import itertools
import operator
from collections.abc import Sequence
from typing import Final

from streamapp.joins.calendar import Calendar
from streamapp.joins.clock import BEGINNING
from streamapp.joins.state import State
from streamapp.windows.aggregate import Held, Value
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.record_pages import RecordPages
from streamapp.windows.record_tree import RecordTree
from streamapp.windows.slider import Slider

__all__ = ["Histories", "History"]

#: The time of a record, and in which order it came.
_PLACE: Final = operator.itemgetter(0, 1)


class History(RecordTree):
    """The records of a key, and its windows."""

    __slots__ = ("final", "head", "heads", "key", "latest", "light", "sliders")

    def __init__(self, key: bytes, plan: Plan) -> None:
        super().__init__(plan)
        #: One object for all records of the key.
        self.key = key
        #: The time (ms) of the latest record.
        self.latest = BEGINNING
        #: The windows that end at the latest record, one of each size.
        self.heads: list[Slider] = []
        #: The only one of these, if there is one size only.
        self.head: Slider | None = None
        #: All of these, if their aggregates are `light`.
        self.light: Sequence[Slider] = ()
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
        #: Keys, times (ms) and fields of the records that are not in the state yet, and the number of the first one.
        self._keys: list[bytes] = []
        self._times: list[int] = []
        self._columns: list[list[Value]] = [[] for _ in plan.fields]
        self._number = 0
        #: Of the records that were there at the start, those up to this time (ms) have given their final results.
        self._given = BEGINNING

    def __missing__(self, key: bytes) -> History:
        history = self[key] = History(key, self._plan)
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
        kept = self._pages.read(since)
        if forget:
            self._pages.forget(since)
        left: list[tuple[int, int, History]] = []
        for key, records in kept.items():
            history = self[key]
            history.latest = records.times[-1]
            history.extend(records.times, records.numbers, records.rows)
            self._number = max(self._number, max(records.numbers) + 1)
            first = bisect.bisect_right(records.times, given)
            left += zip(records.times[first:], records.numbers[first:], itertools.repeat(history))
        self._given = given
        left.sort(key=_PLACE)
        return [(timestamp, history) for timestamp, _, history in left]

    def add(self, history: History, timestamp: int, values: Sequence[Value], over: int) -> list[Held] | None:
        """Put a record in; returns what is said of the windows that end at it, None if it is not the latest of its key.

        What is up to the time ``over`` (ms) may be forgotten. The values are one for each aggregate.
        """
        number = self._number + len(self._keys)
        self._keys.append(history.key)
        self._times.append(timestamp)
        for column, slot in self._plan.kept:
            self._columns[column].append(values[slot])
        return self._put(history, timestamp, values, number, over)

    def add_all(
        self, keys: Sequence[bytes], times: Sequence[int], columns: Sequence[Sequence[Value]], over: int
    ) -> list[tuple[Held, ...]]:
        """Put records in; returns what is said of the windows that end at each of them, if there are `heads`.

        Args:
            keys: of the records.
            times: of the records (ms).
            columns: the values of each field.
            over: what is up to this time (ms) may be forgotten.
        """
        numbers = itertools.count(self._number + len(self._keys))
        self._keys += keys
        self._times += times
        for mine, column in zip(self._columns, columns, strict=True):
            mine += column
        told: list[tuple[Held, ...]] = []
        heads = self._heads
        rows = self._plan.rows(columns)
        for key, timestamp, values, number in zip(keys, times, rows, numbers, strict=False):
            history = self[key]
            if (light := history.light) and timestamp >= history.latest and history.follow(timestamp, values):
                history.latest = timestamp
                one: list[Held] = []
                for head in light:
                    head.follow(timestamp, values, one)
                told.append(tuple(self._by_slot(one)))
                continue
            said = self._put(history, timestamp, values, number, over)
            if heads:
                told.append(tuple(self.earlier(history, timestamp) if said is None else said))
        return told

    def _put(
        self, history: History, timestamp: int, values: Sequence[Value], number: int, over: int
    ) -> list[Held] | None:
        sliders = history.sliders
        if sliders is None:
            sliders = self._prepare(history)
        if timestamp >= history.latest:
            history.latest = timestamp
            if history.append(timestamp, values, number):
                history.trim(over)
                for slider in sliders:
                    slider.trimmed()
            if (head := history.head) is not None:
                return head.slide(timestamp, values, number)
            told: list[Held] = []
            for head in history.heads:
                told += head.slide(timestamp, values, number)
            return self._by_slot(told)
        leaf, index, right = history.insert(timestamp, values, number)
        for head in history.heads:
            head.inserted(leaf, index, timestamp, values, number)
        if right is not None:
            for slider in sliders:
                slider.split(leaf, right)
        return None

    def earlier(self, history: History, timestamp: int) -> list[Held]:
        """Return what the aggregates say of the windows that end at a time (ms) before the latest record."""
        return self._by_slot([held for head in history.heads for held in head.earlier(timestamp)])

    def next(self, history: History) -> tuple[int, list[Held]]:
        """Return the time (ms) and the final results of the next record of a history that has not given them."""
        if history.sliders is None:
            self._prepare(history)
        if history.final is None:
            raise AssertionError("there are no final results")
        return history.final.step()

    def _by_slot(self, told: list[Held]) -> list[Held]:
        """Return what is said of the windows of one size after the other in the order of the aggregates."""
        places = self._plan.places
        return told if places is None else [told[place] for place in places]

    def save(self, now: int) -> None:
        """Write down what was added, and forget what is over, when the clock shows `now` (ms)."""
        if self._keys:
            self._pages.write(self._keys, self._times, self._columns, now)
            self._number += len(self._keys)
            self._keys, self._times, self._columns = [], [], [[] for _ in self._columns]
        over = now - self._reach
        self._pages.drop(over)
        due, self._made = self._made, []
        due += self._calendar.take(now)
        for history in due:
            if history.latest <= over:
                del self[history.key]
                continue
            history.trim(over)
            for slider in history.sliders or ():
                slider.trimmed()
            # One that is ahead must not keep the others.
            self._calendar.add(min(history.latest, now) + self._reach, history)

    def _prepare(self, history: History) -> list[Slider]:
        """Make the windows of a history, before the next record is put in."""
        plan = self._plan
        if self._heads:
            history.heads = [Slider(plan, over, history) for over in plan.overs]
            history.head = history.heads[0] if len(history.heads) == 1 else None
            history.light = history.heads if all(over.light for over in plan.overs) else ()
        if self._final:
            history.final = Slider(plan, plan.overs[0], history, self._given)
        history.sliders = sliders = [*history.heads, *([history.final] if history.final else ())]
        return sliders
