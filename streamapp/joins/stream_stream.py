"""The stream-stream join: pairs of records that have one key and times that are close.

Every pair joins once, whichever of the two comes second. What a record can still join is a matter of the clock:
while it stands at ``now``, the records to come that are not late have timestamps from ``now - grace`` on. So a
left record can find a partner as long as ``timestamp + after >= now - grace``. Then its window is closed: it
leaves the buffer, and if it never matched, that is told now, and only now. This is why the results do not depend
on the order in which records arrive.

As Kafka Streams' KStream-KStream join, less KAFKA-19536 and KAFKA-16123; the mark of matched records is Flink's.
"""

from __future__ import annotations

import dataclasses
from functools import partial

from streamapp.joins.buffer import Buffer
from streamapp.joins.clock import END
from streamapp.joins.corrections import mark_of
from streamapp.joins.declared import Declared, Described, changes, earlier
from streamapp.joins.explanation import Explanation, Verdict, candidate, closest, unusable
from streamapp.joins.held import Held, buffered
from streamapp.joins.how import How
from streamapp.joins.ledger import Accounting
from streamapp.joins.output import Joined, Output, Reason
from streamapp.joins.records import Batch, Buffered, Record, Side
from streamapp.joins.state import State
from streamapp.joins.windows import Windows, at_or_after, at_or_before, between, find, place

__all__ = ["StreamStreamJoin", "StreamStreamOperator"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamStreamJoin(Described):
    """Joins records of one key with ``left.timestamp - before <= right.timestamp <= left.timestamp + after``.

    Args:
        before: how much earlier (ms) the right record may be; negative: how much later it must be.
        after: how much later (ms) it may be; negative: how much earlier it must be.
        grace: how far (ms) a record may be behind the clock, which both sides share.
        how: which unmatched records give a result, once their window is closed.

    Raises:
        ValueError: for a window or a grace smaller than nothing.
    """

    before: int
    after: int
    grace: int
    how: How = How.INNER

    def __post_init__(self) -> None:
        if self.before + self.after < 0:
            raise ValueError(f"before ({self.before} ms) and after ({self.after} ms) leave no window between them")
        if self.grace < 0:
            raise ValueError(f"the grace must not be negative, but is {self.grace} ms")

    def start(self, state: State) -> StreamStreamOperator:
        """Begin, or go on, with what the state holds."""
        return StreamStreamOperator(self, state)

    def declared(self) -> Declared:
        """Return what is kept with the state of what is declared."""
        return Declared.of("a join of two streams", self, "before", "after", "grace", "how")

    @property
    def reach(self) -> tuple[int, int]:
        """How far (ms) the clock may go past a record of the left side, and of the right one, before it is over."""
        return self.after + self.grace, self.before + self.grace

    @property
    def waiting(self) -> int:
        """How far (ms) the clock may go past a record until none of its results is to come."""
        return max(self.reach)

    def take_over(self, was: StreamStreamJoin) -> list[str]:
        """Return what may be missing in the results after the state of another such join is taken over."""
        if not any(new > old for new, old in zip(self.reach, was.reach, strict=True)):
            return []
        told = changes(was, self, "before", "after", "grace")
        return [f"{told}: pairs with records that had left the state before are missing"]


@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    """The join as one side sees it.

    A partner may be `back` ms earlier and `ahead` ms later than a record of this side, whose window is closed once the
    clock is more than `reach` ms past it. `kept` is whether it gives a result without a partner.
    """

    side: Side
    mine: Buffer
    theirs: Buffer
    back: int
    ahead: int
    reach: int
    kept: bool


class StreamStreamOperator(Accounting[Joined]):
    """A stream-stream join at work on one partition; all records of both sides count in its balance."""

    def __init__(self, join: StreamStreamJoin, state: State) -> None:
        self.join = join
        super().__init__(state)
        before, after = join.before, join.after
        was, _ = earlier(state, join)
        left_reach, right_reach = join.reach
        left = Buffer(state.section(b"left/"), span=before + left_reach)
        right = Buffer(state.section(b"right/"), span=after + right_reach)
        self._views = (
            _View(Side.LEFT, left, right, before, after, left_reach, join.how.keeps(Side.LEFT)),
            _View(Side.RIGHT, right, left, after, before, right_reach, join.how.keeps(Side.RIGHT)),
        )
        self._windows = Windows(left_reach, right_reach)
        forget = self._ledger.set_back or was is not join
        for view, reach in zip(self._views, was.reach, strict=True):
            # What the join that wrote the state was done with stays so, and it was not done with the rest.
            for record in view.mine.restore(self._ledger.reached - reach, forget=forget):
                place(self._windows[record.key].side(view.side), record)

    def process(self, batch: Batch) -> Output[Joined]:
        """Join records in the order in which they are given."""
        ledger, grace, views, windows = self._ledger, self.join.grace, self._views, self._windows
        results = ledger.results
        now, due, limit = self.clock.time, self._due(), self.clock.wall.limit
        received = matched = 0
        for side, record in batch:
            received += 1
            key, value, timestamp = record.key, record.value, record.timestamp
            if key is None or value is None:
                self._without(side, record, now)
                continue
            if timestamp > now:
                if timestamp > limit:
                    self.clock.advance(timestamp)
                else:
                    now = timestamp
                    if now > due:
                        due = self._close(now)
            elif timestamp < now - grace:
                if mark_of(record) is not None and self._correct(side, record, key, value, now):
                    due = self._due()
                else:
                    ledger.late(self.balance, side, record, now - grace - timestamp)
                continue
            view = views[side]
            left, right, key = windows[key]
            mine, theirs = (right, left) if side else (left, right)
            others = between(theirs, timestamp - view.back, timestamp + view.ahead)
            here = view.mine.add(key, value, timestamp, record.offset, bool(others))
            place(mine, here)
            if others:
                matched += 1
                for there in others:
                    if not there.matched:
                        view.theirs.match(there)
                        matched += 1
                    latest = max(timestamp, there.timestamp)
                    results.append(Joined(key, there, here, latest) if side else Joined(key, here, there, latest))
            elif view.kept and timestamp + view.reach < due:
                due = timestamp + view.reach
                if now > due:
                    due = self._close(now)
        self.balance.received += received
        self.balance.matched += matched
        return self.advance(now)

    def advance(self, to: int) -> Output[Joined]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        self._close(self.clock.time)
        self._windows.tidy(self.clock.time)
        for view in self._views:
            view.mine.save(self.clock.time - view.reach, self.clock.time, self.clock.furthest)
        self.balance.pending = sum(view.mine.waiting for view in self._views)
        return self._ledger.close()

    def explain(self, side: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells."""
        clock, view = self.clock, self._views[side]
        key, time = record.key, record.timestamp
        if key is None or record.value is None:
            return unusable(record, clock, self.join.grace)
        window, until = (time - view.back, time + view.ahead), time + view.reach
        mine, theirs = (self._windows.look(key).side(one) for one in (side, 1 - side))
        inside = between(theirs, *window)
        around = at_or_before(theirs, window[0] - 1), at_or_after(theirs, window[1] + 1)
        near = [*closest(inside, time), *(there for there in around if there is not None)]
        candidates = [candidate(1 - side, key, there, window) for there in near]
        explain = partial(Explanation, clock=clock.now, grace=self.join.grace, window=window, candidates=candidates)
        if until < clock.time:
            reasons = frozenset({Reason.LATE, Reason.UNMATCHED})
            return explain(verdict=Verdict.OVER, untold=Verdict.MATCHED, reasons=reasons)
        kept = find(mine, record)
        if kept is None:
            late_by = clock.time - self.join.grace - time
            return explain(verdict=Verdict.LATE, late_by=late_by, reasons=frozenset({Reason.LATE}))
        return explain(verdict=Verdict.MATCHED if kept.matched else Verdict.PENDING, until=until + 1)

    def held(self, key: bytes) -> list[Held]:
        """Return the records of a key whose windows are open, by side and time."""
        window, now = self._windows.look(key), self.clock.time
        return [
            one
            for view in self._views
            for one in buffered(view.side, window.side(view.side), view.reach)
            if one.timestamp + view.reach >= now
        ]

    def _correct(self, side: int, record: Record, key: bytes, value: bytes, now: int) -> bool:
        """Join a redriven record that is late with what the state still has; return whether it has any of its window.

        Partners whose windows are closed have left the state, and may have been told as unmatched: it joins none of
        them, and is told as partly late. Those that are still to come find it as long as its own window is open.
        """
        view, other, timestamp = self._views[side], self._views[1 - side], record.timestamp
        first = max(timestamp - view.back, now - other.reach)
        others = between(self._windows.look(key).side(other.side), first, timestamp + view.ahead)
        if not others and timestamp + view.reach < now:
            return False
        here = view.mine.add(key, value, timestamp, record.offset, bool(others))
        place(self._windows[key].side(side), here)
        self.balance.matched += bool(others)
        for there in others:
            if not there.matched:
                other.mine.match(there)
                self.balance.matched += 1
            left, right = (there, here) if side else (here, there)
            self._ledger.results.append(Joined(key, left, right, max(timestamp, there.timestamp)))
        self._ledger.partly_late(side, record, now - self.join.grace - timestamp)
        return True

    def _without(self, side: int, record: Record, now: int) -> None:
        """Account for a record without a key or a value; it joins nothing, and does not move the clock."""
        late_by = now - self.join.grace - record.timestamp
        if record.value is None:
            self._ledger.rejected(self.balance, side, record, Reason.NULL_VALUE)
        elif late_by > 0:
            self._ledger.late(self.balance, side, record, late_by)
        elif self._views[side].kept:
            self._ledger.results.append(_alone(side, record))
            self._ledger.unmatched(side, record, Reason.NULL_KEY)
        else:
            self._ledger.rejected(self.balance, side, record, Reason.NULL_KEY)

    def _due(self) -> int:
        """Give the time that the clock has to pass before the next record which is kept can be told as unmatched."""
        return min((view.mine.calm + view.reach for view in self._views if view.kept), default=END)

    def _close(self, now: int) -> int:
        """Close the windows that the clock has passed; gives when that is due again."""
        closed = [(view, record) for view in self._views for record in view.mine.take(now - view.reach)]
        for view, record in sorted(closed, key=_order):
            if view.kept:
                self._ledger.results.append(_alone(view.side, record))
            self._ledger.unmatched(view.side, record)
        return self._due()


def _alone(side: int, record: Record) -> Joined:
    left, right = (record, None) if side == Side.LEFT else (None, record)
    return Joined(record.key, left, right, record.timestamp)


def _order(closed: tuple[_View, Buffered]) -> tuple[int, int, bytes, int]:
    """Sort by (timestamp, right before left, key, arrival)."""
    view, record = closed
    return record.timestamp, -view.side, record.key, record.number
