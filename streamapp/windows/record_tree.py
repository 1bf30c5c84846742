"""The records of a key in the order of (time, arrival), and the aggregates of any stretch of them.

A B+ tree whose nodes know the aggregates of what is below them, as soon as they have been asked for. So a stretch costs
a logarithm of merges, wherever it begins and ends, and so does a record, wherever it is put in; one that comes in order
costs next to nothing. (Tangwongsan, Hirzel, Schneider: Optimal and General Out-of-Order Sliding-Window Aggregation,
VLDB 2019, have such a tree.)
"""

from __future__ import annotations

import bisect
import operator
from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

from streamapp.windows.aggregate import Held, Place, Value
from streamapp.windows.look_back_plan import Plan

__all__ = ["LEAF_RECORDS", "Leaf", "RecordTree"]

#: Records of a leaf, and children of another node.
LEAF_RECORDS: Final = 64
CHILDREN: Final = 16
_FIRST: Final = operator.attrgetter("first")


class Leaf:
    """Some records, in columns."""

    __slots__ = ("columns", "dropped", "first", "next", "numbers", "parent", "states", "times")

    def __init__(self, times: array[int], numbers: array[int], columns: tuple[list[Value], ...]) -> None:
        self.times = times
        #: The numbers that tell in which order they came, if the plan is `placed`.
        self.numbers = numbers
        self.columns = columns
        #: A time (ms) before which there is none, unless this is the first leaf.
        self.first: int = times[0] if times else 0
        self.parent: _Node | None = None
        self.next: Leaf | None = None
        #: Of the records together; None = not asked for so far.
        self.states: list[Held] | None = None
        #: Whether it is no more in the tree.
        self.dropped = False


class _Node:
    """Leaves or other nodes."""

    __slots__ = ("children", "first", "parent", "states")

    def __init__(self, children: list[_Any]) -> None:
        self.children = children
        self.first: int = children[0].first
        self.parent: _Node | None = None
        self.states: list[Held] | None = None
        for child in children:
            child.parent = self


_Any: TypeAlias = Leaf | _Node
#: A record, by its leaf and its index there; the index after the last one stands for the first record of the next leaf.
Position: TypeAlias = tuple[Leaf, int]


class RecordTree:
    """The records of a key."""

    __slots__ = ("_asked", "_plan", "_root", "begin", "last")

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._root: _Any = self._leaf()
        #: Whether any of them have states; until then none has to know of a record behind all others.
        self._asked = False
        #: The first and the last leaf.
        self.begin = self.last = self._root

    @property
    def end(self) -> Position:
        """Where the next record in order goes."""
        return self.last, len(self.last.times)

    def append(self, timestamp: int, values: Sequence[Value], number: int) -> bool:
        """Put a record behind all others; returns whether it is the first of a leaf."""
        leaf, plan = self.last, self._plan
        if grown := len(leaf.times) >= LEAF_RECORDS:
            leaf = self._grow(timestamp)
        leaf.times.append(timestamp)
        columns = leaf.columns
        for column, slot in plan.kept:
            columns[column].append(values[slot])
        if plan.placed:
            leaf.numbers.append(number)
        if self._asked:
            self._count(leaf, timestamp, values, number)
        return grown

    def follow(self, timestamp: int, values: Sequence[Value]) -> bool:
        """Put a record behind all others if that is all there is to do; returns whether it is done.

        It is, as a rule: unless a leaf is full, or something is known of stretches, or of where records stand.
        """
        leaf = self.last
        if self._asked or len(leaf.times) >= LEAF_RECORDS:
            return False
        leaf.times.append(timestamp)
        columns = leaf.columns
        for column, slot in self._plan.kept:
            columns[column].append(values[slot])
        return True

    def extend(self, times: Sequence[int], numbers: Sequence[int], rows: Sequence[Sequence[Value]]) -> None:
        """Put records, in their order, into an empty tree; a row has the values of the fields."""
        plan = self._plan
        for begin in range(0, len(times), LEAF_RECORDS):
            end = begin + LEAF_RECORDS
            leaf = self._grow(times[begin]) if begin else self.last
            leaf.times.extend(times[begin:end])
            for column, values in zip(leaf.columns, zip(*rows[begin:end], strict=True), strict=True):
                column.extend(values)
            if plan.placed:
                leaf.numbers.extend(numbers[begin:end])

    def insert(self, timestamp: int, values: Sequence[Value], number: int) -> tuple[Leaf, int, Leaf | None]:
        """Put a record among others; returns where, and the leaf to which the second half of that one went after it."""
        plan = self._plan
        leaf, index = self.find(timestamp)
        leaf.times.insert(index, timestamp)
        for column, slot in zip(leaf.columns, plan.picked, strict=True):
            column.insert(index, values[slot])
        if plan.placed:
            leaf.numbers.insert(index, number)
        self._count(leaf, timestamp, values, number)
        return leaf, index, self._split(leaf) if len(leaf.times) > LEAF_RECORDS else None

    def find(self, bound: int) -> Position:
        """Return the position of the first record with a time after a bound (ms)."""
        node = self._root
        while isinstance(node, _Node):
            node = node.children[max(0, bisect.bisect_right(node.children, bound, key=_FIRST) - 1)]
        return node, bisect.bisect_right(node.times, bound)

    def newest(self, count: int) -> list[tuple[int, tuple[Value, ...]]]:
        """Return the last records, at most so many, in their order: the time (ms) and the values of the fields."""
        leaves = deque(stretches((self.begin, 0), self.end), maxlen=count)
        rows = [
            (time, tuple(values))
            for leaf, first, after in leaves
            for time, *values in zip(*(column[first:after] for column in (leaf.times, *leaf.columns)), strict=True)
        ]
        return rows[-count:]

    def trim(self, until: int) -> None:
        """Drop leaves of which no record has a time after this (ms)."""
        while self.begin is not self.last and self.begin.times[-1] <= until:
            self._drop()

    def aggregate(self, slots: Sequence[int], begin: Position, end: Position) -> list[Held]:
        """Return the states of the records from one position up to another one, for some slots, which it may change."""
        plan = self._plan
        states = [aggregate.initial() for aggregate in plan.aggregates]
        merged = [slot for slot in slots if slot in plan.merged]
        if others := [slot for slot in slots if slot not in plan.merged]:
            for leaf, first, after in stretches(begin, end):
                plan.add_stretch(states, others, leaf, first, after)
        if not merged:
            return states
        (left, first), (right, after) = begin, end
        if left is right:
            plan.add_stretch(states, merged, left, first, after)
            return states
        plan.add_stretch(states, merged, left, first, len(left.times))
        for node in _between(left, right):
            plan.merge(states, merged, self._states(node))
        plan.add_stretch(states, merged, right, 0, after)
        return states

    def _states(self, node: _Any) -> list[Held]:
        """Return the states of what is below a node."""
        if node.states is None:
            self._asked = True
            plan = self._plan
            states = plan.initial()
            if isinstance(node, _Node):
                for child in node.children:
                    plan.merge(states, plan.merged, self._states(child))
            else:
                plan.add_stretch(states, plan.merged, node, 0, len(node.times))
            node.states = states
        return node.states

    def _count(self, leaf: Leaf, timestamp: int, values: Sequence[Value], number: int) -> None:
        """Have the nodes that a record is below know of it."""
        node: _Any | None = leaf
        while node is not None:
            if timestamp < node.first:
                node.first = timestamp
            if node.states is not None:
                self._plan.add(node.states, values, Place(timestamp, number))
            node = node.parent

    def _grow(self, timestamp: int) -> Leaf:
        """Put a leaf behind all others, for a record of this time (ms)."""
        leaf = self.last
        leaf.first = min(leaf.first, leaf.times[0])
        leaf.next = self.last = self._leaf()
        self.last.first = timestamp
        self._attach(leaf, self.last)
        if self._plan.stacked and leaf.parent is not None and leaf.parent.parent is not None:
            # They will be asked for: not for all leaves of a large tree at once.
            self._states(leaf)
        return self.last

    def _leaf(self) -> Leaf:
        return Leaf(array("q"), array("q"), tuple([] for _ in self._plan.fields))

    def _split(self, leaf: Leaf) -> Leaf:
        """Put the second half of a leaf into one of its own."""
        half = len(leaf.times) // 2
        right = Leaf(leaf.times[half:], leaf.numbers[half:], tuple(column[half:] for column in leaf.columns))
        for column in (leaf.times, leaf.numbers, *leaf.columns):
            del column[half:]
        leaf.first, leaf.states = min(leaf.first, leaf.times[0]), None
        right.next, leaf.next = leaf.next, right
        if self.last is leaf:
            self.last = right
        self._attach(leaf, right)
        return right

    def _attach(self, left: _Any, right: _Any) -> None:
        """Put a new node beside another one, to its right."""
        parent = left.parent
        if parent is None:
            self._root = _Node([left, right])
            return
        children = parent.children
        place = children.index(left) + 1
        children.insert(place, right)
        right.parent = parent
        if len(children) > CHILDREN:
            # What comes in order leaves nodes behind that are full.
            cut = CHILDREN if place == CHILDREN else CHILDREN // 2
            other = _Node(children[cut:])
            del children[cut:]
            parent.states = None
            self._attach(parent, other)

    def _drop(self) -> None:
        """Drop the first leaf."""
        leaf = self.begin
        node: _Any = leaf
        leaf.dropped = True
        if leaf.next is not None:
            self.begin = leaf.next
        while (parent := node.parent) is not None and len(parent.children) == 1:
            node = parent
        if parent is not None:
            parent.children.pop(0)
        while parent is not None:
            parent.states = None
            parent = parent.parent
        leaf.parent = None
        while isinstance(self._root, _Node) and len(self._root.children) == 1:
            self._root = self._root.children[0]
            self._root.parent = None


def stretches(begin: Position, end: Position) -> Iterator[tuple[Leaf, int, int]]:
    """Go through the leaves from one position up to another one: each with the indices from which and up to which."""
    leaf, first = begin
    last, after = end
    while leaf is not last:
        yield leaf, first, len(leaf.times)
        if leaf.next is None:
            raise AssertionError("the end of a stretch is not behind its begin")
        leaf, first = leaf.next, 0
    yield leaf, first, after


def _between(left: _Any, right: _Any) -> Iterator[_Any]:
    """Go through the nodes that have all that is between two leaves, from the left to the right."""
    behind: list[list[_Any]] = []
    while True:
        above, beyond = left.parent, right.parent
        if above is None or beyond is None:
            raise AssertionError("two leaves of different trees")
        place = above.children.index(left) + 1
        if above is beyond:
            yield from above.children[place : above.children.index(right)]
            break
        yield from above.children[place:]
        behind.append(beyond.children[: beyond.children.index(right)])
        left, right = above, beyond
    for nodes in reversed(behind):
        yield from nodes
