"""Look-back windows: for each record the aggregates of those of its key that came before it by event time.

A record's window is ``(timestamp - size, timestamp]``; of several records at one time those that came before it are in
it, and it itself. What is late is ``timestamp < clock - grace``: so once the clock is at ``timestamp + grace`` nothing
can come any more that is before a record, and its result is final. (pandas' ``rolling(…, closed="right")``, SQL's
``RANGE BETWEEN … PRECEDING AND CURRENT ROW``.)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial

from streamapp.joins.declared import earlier
from streamapp.joins.explanation import Explanation, Verdict, unusable
from streamapp.joins.horizon import Horizon
from streamapp.joins.join import Operator
from streamapp.joins.ledger import Accounting, Refused
from streamapp.joins.output import Output, Reason
from streamapp.joins.records import Batch, Record
from streamapp.joins.state import State
from streamapp.windows.chunks import chunks, together
from streamapp.windows.durations import Duration, milliseconds
from streamapp.windows.histories import Histories, History
from streamapp.windows.look_back_plan import Plan
from streamapp.windows.slider import Slider
from streamapp.windows.waiting import Waiting
from streamapp.windows.windowed import Windowed
from streamapp.windows.windowed_aggregate import WindowedAggregate

__all__ = ["LookBack", "LookBackOperator", "look_back"]


@dataclasses.dataclass(frozen=True)
class LookBack:
    """For each record a window ``(timestamp - size, timestamp]`` of its key.

    Updates are, at once, the result of each record and again that of each one after it which has it in its window.

    Args:
        size: length of the windows (ms).

    Raises:
        ValueError: if that is not more than 0.
    """

    size: int

    def __post_init__(self) -> None:
        if self.size <= 0:
            raise ValueError(f"the size of windows must be more than 0, but is {self.size} ms")

    @property
    def kind(self) -> str:
        """What they are called in a declaration."""
        return "aggregates in look-back windows"

    @property
    def span(self) -> int:
        """How far (ms) the end of a window may be behind a record in it."""
        return self.size

    def check(self, join: WindowedAggregate) -> None:
        """Take any aggregates, and no ``every``."""
        if join.every is not None:
            raise ValueError("every= is not for look-back windows: each record has one of its own")

    def start(self, join: WindowedAggregate, state: State) -> Operator[Windowed]:
        """Begin, or go on, with what the state of a partition holds."""
        return LookBackOperator(join, self.size, state)


def look_back(size: Duration) -> LookBack:
    """Return for each record the window of the last ``1m`` of its key, a `timedelta` or ms, which it is in itself."""
    return LookBack(milliseconds(size))


class LookBackOperator(Accounting[Windowed]):
    """Aggregates in look-back windows at work on one partition.

    All records count in its balance; one is matched when its result is final.
    """

    def __init__(self, join: WindowedAggregate, size: int, state: State) -> None:
        self.join = join
        was, _ = earlier(state, join)
        super().__init__(state)
        self._size = size
        self._values = join.values
        self._horizon = Horizon(state, self.clock, join.grace, was.grace)
        self._plan = Plan([(aggregate, size) for aggregate in join.aggregates.values()])
        self._updates, self._final = join.emission.updates, join.emission.final
        self._histories = Histories(
            self._plan, state.section(b"records/"), join.grace + size, heads=self._updates, final=self._final
        )
        #: The histories of the records whose results are not final.
        self._waiting: Waiting[History] = Waiting()
        # Where the clock is set back, what has given its final result is not there any more: it would give it again.
        set_back, given = self._ledger.set_back, max(self._ledger.reached - was.grace, self._horizon.floor)
        since = given if set_back else given - size
        for timestamp, history in self._histories.restore(since + 1, given, forget=set_back):
            self._waiting.add(timestamp, history)

    def process(self, batch: Batch) -> Output[Windowed]:
        """Put records in, and tell what they change, and what is final by now."""
        now = self.clock.time
        # What was over before this batch: the results of what waits come at its end.
        over = now - self.join.grace - self._size
        for some in chunks(batch):
            chunk = None if self._updates else together(some, self._values, self.clock, partial(self._in_time, now))
            if chunk is None:
                now = self._one_by_one(some, now, over)
                continue
            self._histories.add_all(chunk.keys, chunk.times, chunk.columns, over)
            for timestamp, history in zip(chunk.times, map(self._histories.__getitem__, chunk.keys), strict=True):
                self._waiting.add(timestamp, history)
            self.balance.received += len(chunk.keys)
            now = max(now, chunk.latest)
        return self.advance(now)

    def _in_time(self, now: int, earliest: int, latest: int) -> bool:
        """Return whether none of the records between two times (ms) is late."""
        return earliest >= self._horizon.at(max(now, latest))

    def _one_by_one(self, batch: Batch, now: int, over: int) -> int:
        """Put records in, and tell what they change; returns the time (ms) that the clock shows then."""
        ledger, horizon, values, histories = self._ledger, self._horizon, self._values, self._histories
        waiting, updates, results, size = self._waiting, self._updates, ledger.results, self._size
        limit, since = self.clock.wall.limit, horizon.at(now)
        for source, record in batch:
            self.balance.received += 1
            key, timestamp = record.key, record.timestamp
            if key is None or record.value is None:
                reason = Reason.NULL_VALUE if record.value is None else Reason.NULL_KEY
                ledger.rejected(self.balance, source, record, reason)
                continue
            if timestamp < since:
                ledger.late(self.balance, source, record, since - timestamp)
                continue
            try:
                row = values(record)
            except Refused as refused:
                ledger.rejected(self.balance, source, record, Reason.REFUSED, refused)
                continue
            history = histories[key]
            told = histories.add(history, timestamp, row, over)
            waiting.add(timestamp, history)
            if updates:
                if told is None:
                    self._again(history, timestamp)
                else:
                    results.append(Windowed(history.key, timestamp - size, timestamp, tuple(told), timestamp, False))
            if timestamp > now:
                if timestamp > limit:
                    self.clock.advance(timestamp)
                else:
                    now = timestamp
                    since = horizon.at(now)
            if updates and waiting.first <= since:
                self._release(since)
        return now

    def advance(self, to: int) -> Output[Windowed]:
        """Move the clock on to an event time (ms), as a record would that is of no key."""
        self.clock.advance(to)
        self._release(self._horizon.time)
        self._histories.save(self.clock.time)
        self.balance.pending = self._waiting.count
        return self._ledger.close()

    def explain(self, source: int, record: Record) -> Explanation:
        """Say what became of a record that was taken in, as far as the state tells."""
        clock, grace, time = self.clock, self.join.grace, record.timestamp
        if record.key is None or record.value is None:
            return unusable(record, clock, None)
        fate = Verdict.PENDING if time > self._horizon.time else Verdict.MATCHED
        in_time = time >= self._horizon.time
        return Explanation(
            verdict=fate if in_time else Verdict.OVER,
            clock=clock.now,
            grace=grace,
            windows=[(time - self._size, time)],
            until=time + grace,
            untold=fate,
            reasons=frozenset({Reason.REFUSED} if in_time else {Reason.LATE, Reason.REFUSED}),
        )

    def windows(self, key: bytes) -> Iterator[Windowed]:
        """Return the window of a key that ends where the clock is, if it has records in it."""
        now, history = self.clock.time, self._histories.get(key)
        if history is None:
            return
        slider = Slider(self._plan, self._plan.overs[0], history, now)
        if (latest := slider.latest) is not None:
            yield Windowed(key, now - self._size, now, tuple(slider.results()), latest, final=False)

    def _again(self, history: History, timestamp: int) -> None:
        """Tell the result of a record that was put in among others, and those of the others that have changed."""
        size, results = self._size, self._ledger.results
        slider = Slider(self._plan, self._plan.overs[0], history, timestamp)
        end, told = timestamp, slider.results()
        while True:
            results.append(Windowed(history.key, end - size, end, tuple(told), end, False))
            following = slider.next_time()
            if following is None or following >= timestamp + size:
                return
            end, told = slider.step()

    def _release(self, until: int) -> None:
        """Give the final results of records up to a time (ms)."""
        results, size, following, final = self._ledger.results, self._size, self._histories.next, self._final
        before = self._waiting.count
        for _, history in self._waiting.take(until):
            if final:
                end, values = following(history)
                results.append(Windowed(history.key, end - size, end, tuple(values), end, True))
        self.balance.matched += before - self._waiting.count
