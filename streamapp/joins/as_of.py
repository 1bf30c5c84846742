"""The as-of join: each left record with the one right record of its key whose time is the closest.

Which one that is can only be told when none that is closer can come. So a left record waits until the clock has
passed the tolerance and the grace, as an unmatched one does in a stream-stream join, and the results do not
depend on the order in which records arrive. (pandas' merge_asof; Quix Streams' join_asof answers at once, and so
misses what comes later.)
"""

from __future__ import annotations

import dataclasses
import enum
from functools import partial

from streamapp.joins.buffer import Buffer
from streamapp.joins.clock import BEGINNING
from streamapp.joins.corrections import mark_of
from streamapp.joins.declared import Declared, Described, changes, earlier
from streamapp.joins.explanation import Explanation, Verdict, candidate, closest, unusable
from streamapp.joins.held import Held, buffered
from streamapp.joins.how import How
from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Buffered, Record, Side
from streamapp.joins.state import State
from streamapp.joins.windows import Windows, at_or_after, at_or_before, find, place

__all__ = ["AsOfJoin", "AsOfOperator", "Direction"]


class Direction(enum.StrEnum):
    """Where to look for the closest record."""

    BACKWARD = "backward"
    FORWARD = "forward"
    NEAREST = "nearest"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AsOfJoin(Described):
    """Joins each left record with the closest right one.

    One of the same time counts as the closest in each direction; of two as far to either side the earlier one is
    it, and of several right records of one time the one that came last.

    Args:
        tolerance: how far (ms) the right record may be.
        grace: how far (ms) a record may be behind the clock, which both sides share.
        direction: backward (not after the left record), forward (not before it) or nearest.
        how: inner, or left: a left record without a right one gives a result too.

    Raises:
        ValueError: if it is to be right or outer, or for a negative tolerance or grace.
    """

    tolerance: int
    grace: int
    direction: Direction = Direction.BACKWARD
    how: How = How.INNER

    def __post_init__(self) -> None:
        if self.how not in {How.INNER, How.LEFT}:
            raise ValueError(f"an as-of join is inner or left, not {self.how}")
        if min(self.tolerance, self.grace) < 0:
            raise ValueError("tolerance and grace must not be negative")

    @property
    def before(self) -> int:
        """How much earlier (ms) the right record may be."""
        return 0 if self.direction is Direction.FORWARD else self.tolerance

    @property
    def after(self) -> int:
        """How much later (ms) it may be."""
        return 0 if self.direction is Direction.BACKWARD else self.tolerance

    def start(self, state: State) -> AsOfOperator:
        """Begin, or go on, with what the state holds."""
        return AsOfOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("an as-of join", self, "tolerance", "grace", "direction", "how")

    @property
    def reach(self) -> tuple[int, int]:
        """How far (ms) the clock may go past a left record before it is joined, and past a right one that is wanted."""
        return self.after + self.grace, self.before + self.after + self.grace

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record until none of its results is to come."""
        return max(self.reach)

    def take_over(self, was: AsOfJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over."""
        if not any(new > old for new, old in zip(self.reach, was.reach, strict=True)):
            return []
        told = changes(was, self, "tolerance", "grace", "direction")
        return [f"{told}: right records that had left the state before are not joined"]


class AsOfOperator(Accounting[Joined]):
    """An as-of join at work on one partition.

    The records of the left side count in its balance, those of the right one in its updates.
    """

    def __init__(self, join: AsOfJoin, state: State) -> None:
        self.join = join
        super().__init__(state, updates_from=1)
        was, _ = earlier(state, join)
        self._reach = join.reach
        left_reach, right_reach = self._reach
        self._lefts = Buffer(state.section(b"left/"), span=left_reach)
        self._rights = Buffer(state.section(b"right/"), span=right_reach)
        self._windows = Windows(left_reach, right_reach)
        # What the join that wrote the state was done with stays so, and it was not done with the rest.
        forget = self._ledger.set_back or was is not join
        left_since, right_since = (self._ledger.reached - reach for reach in was.reach)
        self._lefts.restore(left_since, forget=forget)
        for record in self._rights.restore(right_since, forget=forget):
            place(self._windows[record.key].right, record)

    def process(self, batch: Batch) -> Output[Joined]:
        """Take records in, and join those whose time has come."""
        for side, record in batch:
            account = self.balance if side == Side.LEFT else self.updates
            account.received += 1
            key, value, timestamp = record.key, record.value, record.timestamp
            late_by = self.clock.time - self.join.grace - timestamp
            if value is None:
                self._ledger.rejected(account, side, record, Reason.NULL_VALUE)
            elif late_by > 0 and not self._corrects(side, record):
                self._ledger.late(account, side, record, late_by)
            elif key is None:
                self._without_key(side, record)
            else:
                self.clock.advance(timestamp)
                if side == Side.LEFT:
                    self._lefts.add(key, value, timestamp, record.offset)
                else:
                    place(self._windows[key].right, self._rights.add(key, value, timestamp, record.offset))
                    self.updates.applied += 1
        return self.advance(BEGINNING)

    def advance(self, to: int) -> Output[Joined]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        self._join()
        left_reach, right_reach = self._reach
        self._windows.tidy(self.clock.time)
        self._rights.take(self.clock.time - right_reach)
        now, furthest = self.clock.time, self.clock.furthest
        self._lefts.save(now - left_reach, now, furthest)
        self._rights.save(now - right_reach, now, furthest)
        self.balance.pending = self._lefts.waiting
        return self._ledger.close()

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells."""
        clock, join, key, time = self.clock, self.join, record.key, record.timestamp
        if key is None or record.value is None:
            return unusable(record, clock, join.grace)
        left, until = side == Side.LEFT, time + self._reach[side]
        window = (time - join.before, time + join.after) if left else (time - join.after, time + join.before)
        rights = self._windows.look(key).right
        near = (at_or_before(rights, time), at_or_after(rights, time + 1)) if left else ()
        partners = closest((right for right in near if right is not None), time)
        candidates = [candidate(Side.RIGHT, key, right, window) for right in partners]
        explain = partial(Explanation, clock=clock.now, grace=join.grace, window=window, candidates=candidates)
        if until < clock.time:
            reasons = {Reason.LATE, Reason.UNMATCHED} if left else {Reason.LATE}
            untold = Verdict.MATCHED if left else Verdict.APPLIED
            return explain(verdict=Verdict.OVER, untold=untold, reasons=frozenset(reasons))
        if (self._lefts.find(record) if left else find(rights, record)) is None:
            late_by = clock.time - join.grace - time
            return explain(verdict=Verdict.LATE, late_by=late_by, reasons=frozenset({Reason.LATE}))
        return explain(verdict=Verdict.PENDING if left else Verdict.APPLIED, until=until + 1)

    def held(self, key: bytes) -> list[Held]:
        """Return the left records of a key that wait, and the right ones that they may join."""
        left_reach, right_reach = self._reach
        rights = [one for one in self._windows.look(key).right if one.timestamp + right_reach >= self.clock.time]
        return [
            *buffered(Side.LEFT, self._lefts.of(key), left_reach, pending=True),
            *buffered(Side.RIGHT, rights, right_reach, pending=False),
        ]

    def _corrects(self, side: int, record: Record) -> bool:
        """Return whether a redriven record that is late finds, or is found by, all that the state is to have for it.

        A left one that is not to be joined yet has the right ones before it still; a right one is for those left ones
        that are not joined yet.
        """
        return mark_of(record) is not None and record.timestamp + self._reach[side] >= self.clock.time

    def _without_key(self, side: int, record: Record) -> None:
        if side == Side.LEFT and self.join.how is How.LEFT:
            self._join()
            self._ledger.results.append(Joined(None, record, None, record.timestamp))
            self._ledger.unmatched(side, record, Reason.NULL_KEY)
        else:
            account = self.balance if side == Side.LEFT else self.updates
            self._ledger.rejected(account, side, record, Reason.NULL_KEY)

    def _join(self) -> None:
        """Join the left records that the clock has passed, in the order of (timestamp, key, arrival)."""
        for left in self._lefts.release(self.clock.time - self._reach[0]):
            right = self._closest(left)
            if right is not None:
                self.balance.matched += 1
            else:
                self._ledger.unmatched(Side.LEFT, left)
            if right is not None or self.join.how is How.LEFT:
                self._ledger.results.append(Joined(left.key, left, right, left.timestamp))

    def _closest(self, left: Buffered) -> Buffered | None:
        key, timestamp = left.key, left.timestamp
        rights = self._windows.look(key).right
        back = at_or_before(rights, timestamp) if self.join.direction is not Direction.FORWARD else None
        ahead = at_or_after(rights, timestamp) if self.join.direction is not Direction.BACKWARD else None
        near = (right for right in (back, ahead) if right and abs(right.timestamp - timestamp) <= self.join.tolerance)
        return min(near, key=lambda right: abs(right.timestamp - timestamp), default=None)
