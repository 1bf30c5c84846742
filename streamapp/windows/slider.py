"""A window that slides over the records of a key: what its aggregates are when it ends at one record, then the next.

An aggregate that can forget records is added to at one end, and forgets at the other. Of the others the records of the
first leaf have states from each of them to the end of the leaf, and the rest has one together (the two stacks of a
queue, which is what sliding windows use as a rule; here the first one never has more than a leaf).
"""

from __future__ import annotations

from collections.abc import Sequence

from streamapp.windows.aggregate import Held, Place, Value
from streamapp.windows.look_back_plan import NOWHERE, Over, Plan
from streamapp.windows.record_tree import Leaf, Position, RecordTree, stretches

__all__ = ["Slider"]


class Slider:
    """The window of a size that ends at a record.

    Args:
        tree: the records.
        until: where the window ends (ms); None = at the last record, where it goes on as records are appended.
    """

    __slots__ = ("_bound", "_first", "_front", "_index", "_over", "_plan", "_states", "_to", "_tree")

    def __init__(self, plan: Plan, over: Over, tree: RecordTree, until: int | None = None) -> None:
        self._plan = plan
        self._over = over
        self._tree = tree
        last = tree.last.times[-1] if tree.last.times else 0
        #: The window has what is after this (ms).
        self._bound = (last if until is None else until) - over.size
        #: Where it begins, and after which record it ends; None = behind all.
        self._first, self._index = tree.find(self._bound)
        self._to: Position | None = None if until is None else tree.find(until)
        #: Of those that forget, the states of the whole window; of the others, those of what comes after `_front`.
        self._states = tree.aggregate(over.slots, (self._first, self._index), self._end)
        #: From each of the first records to the last of these, the last one first; None = to be made anew.
        self._front: list[list[Held]] | None = []

    @property
    def _end(self) -> Position:
        return self._tree.end if self._to is None else self._to

    @property
    def latest(self) -> int | None:
        """The time (ms) of the last record in the window; None = there is none."""
        leaf, index = self._end
        if not index or leaf.times[index - 1] <= self._bound:
            return None
        return leaf.times[index - 1]

    def follow(self, timestamp: int, values: Sequence[Value], told: list[Held]) -> None:
        """Do as `slide`, if the aggregates are `light`; what they say is put behind what is `told` already."""
        over, states, index, times = self._over, self._states, self._index, self._first.times
        self._bound = bound = timestamp - over.size
        if index == len(times) or times[index] <= bound:
            self._forget(bound)
        for slot, add, result in over.adds:
            states[slot] = state = add(states[slot], values[slot], NOWHERE)
            told.append(result(state))

    def slide(self, timestamp: int, values: Sequence[Value], number: int) -> list[Held]:
        """Have it end at the next record, which is in the tree already; returns what the aggregates say."""
        over, states, index, times = self._over, self._states, self._index, self._first.times
        self._bound = bound = timestamp - over.size
        if index == len(times) or times[index] <= bound:
            self._forget(bound)
        place = Place(timestamp, number) if over.placed else NOWHERE
        for slot, add, _ in over.adds:
            states[slot] = add(states[slot], values[slot], place)
        return self.results()

    def step(self) -> tuple[int, list[Held]]:
        """Have it end at the next record; returns its time (ms) and what the aggregates say."""
        leaf, index = self._end
        if index == len(leaf.times):
            if leaf.next is None:
                raise AssertionError("there is no record behind the window")
            leaf, index = leaf.next, 0
        self._to = leaf, index + 1
        timestamp = leaf.times[index]
        number = leaf.numbers[index] if self._plan.placed else 0
        return timestamp, self.slide(timestamp, self._plan.values(leaf, index), number)

    def next_time(self) -> int | None:
        """Return the time (ms) of the next record; None = there is none."""
        leaf, index = self._end
        if index == len(leaf.times):
            return None if leaf.next is None else leaf.next.times[0]
        return leaf.times[index]

    def results(self) -> list[Held]:
        """Return what the aggregates say, in the order of the size's slots."""
        over, found = self._over, self._states
        if over.stacked:
            if self._front is None:
                self._flip()
            if self._front:
                found = found.copy()
                for slot in over.stacked:
                    aggregate = self._plan.aggregates[slot]
                    front = aggregate.merge(aggregate.initial(), self._front[-1][slot])
                    found[slot] = aggregate.merge(front, found[slot])
        if over.scanned:
            found = found.copy()
            scanned = self._tree.aggregate(over.scanned, (self._first, self._index), self._end)
            for slot in over.scanned:
                found[slot] = scanned[slot]
        return [result(found[slot]) for slot, result in over.results]

    def earlier(self, timestamp: int) -> list[Held]:
        """Return what the aggregates say of the window of this size that ends at an earlier time (ms)."""
        over, tree, plan = self._over, self._tree, self._plan
        begin, end = tree.find(timestamp - over.size), tree.find(timestamp)
        walked = over.walked if timestamp > self._bound else []
        found = tree.aggregate([slot for slot in over.slots if slot not in walked], begin, end)
        for slot in walked:
            self._take_back(slot, end, self._end)
            found[slot] = self._states[slot]
        for leaf, first, after in stretches(begin, (self._first, self._index)) if walked else ():
            plan.add_stretch(found, walked, leaf, first, after)
        results = [result(found[slot]) for slot, result in over.results]
        for slot in walked:
            self._states[slot] = found[slot]
            self._take_back(slot, begin, (self._first, self._index))
        for leaf, first, after in stretches(end, self._end) if walked else ():
            plan.add_stretch(self._states, walked, leaf, first, after)
        return results

    def _take_back(self, slot: int, begin: Position, end: Position) -> None:
        """Have an aggregate forget records that need not be the earliest ones."""
        state, column = self._states[slot], self._plan.column[slot]
        remove = self._plan.aggregates[slot].remove
        for leaf, first, after in stretches(begin, end):
            for value in [None] * (after - first) if column is None else leaf.columns[column][first:after]:
                state = remove(state, value, NOWHERE)
        self._states[slot] = state

    def inserted(self, leaf: Leaf, index: int, timestamp: int, values: Sequence[Value], number: int) -> None:
        """Take note of a record that was put in before the end of the window."""
        if timestamp <= self._bound:
            if leaf is self._first and index <= self._index:
                self._index += 1
            return
        front = self._front
        if leaf is self._first and front and index < self._index + len(front):
            self._front = None
        place = Place(timestamp, number)
        for slot, add, _ in self._over.adds:
            self._states[slot] = add(self._states[slot], values[slot], place)

    def split(self, leaf: Leaf, right: Leaf) -> None:
        """Take note of a leaf whose second half is in another one now."""
        half = len(leaf.times)
        if self._first is leaf:
            self._front = None
            if self._index > half:
                self._first, self._index = right, self._index - half
        if self._to is not None and self._to[0] is leaf and self._to[1] > half:
            self._to = right, self._to[1] - half

    def trimmed(self) -> None:
        """Take note of leaves that were dropped."""
        while self._first.dropped and self._index == len(self._first.times) and self._first.next is not None:
            self._first, self._index = self._first.next, 0

    def _forget(self, bound: int) -> None:
        """Move the begin over the records up to a time (ms)."""
        leaf, index, states = self._first, self._index, self._states
        removes, front, placed = self._over.removes, self._front, self._over.placed
        while True:
            if index == len(leaf.times):
                following = leaf.next
                # It stays there as long as the next one is in the window: what is inserted before that one is, too.
                if following is None or (following.times[0] > bound and not leaf.dropped):
                    break
                leaf, index = following, 0
                continue
            if leaf.times[index] > bound:
                break
            place = Place(leaf.times[index], leaf.numbers[index]) if placed else NOWHERE
            for slot, remove, column in removes:
                value = None if column is None else leaf.columns[column][index]
                states[slot] = remove(states[slot], value, place)
            if front:
                front.pop()
            else:
                front = None
            index += 1
        self._first, self._index, self._front = leaf, index, front

    def _flip(self) -> None:
        """Make the states of the first records anew, and that of all behind them."""
        plan, stacked = self._plan, self._over.stacked
        leaf, end = self._first, self._end
        after = end[1] if end[0] is leaf else len(leaf.times)
        states = [aggregate.initial() for aggregate in plan.aggregates]
        self._front = front = []
        for index in range(after - 1, self._index - 1, -1):
            values = plan.values(leaf, index)
            place = Place(leaf.times[index], leaf.numbers[index] if plan.placed else 0)
            longer: list[Held] = [None] * len(states)
            for slot in stacked:
                aggregate = plan.aggregates[slot]
                longer[slot] = aggregate.add(aggregate.merge(aggregate.initial(), states[slot]), values[slot], place)
            front.append(longer)
            states = longer
        rest = self._tree.aggregate(stacked, (leaf, after), end)
        for slot in stacked:
            self._states[slot] = rest[slot]
