"""Alignment: of partitions that are joined, the record with the smallest event time is processed first.

A stream record must meet the table as it was at the record's time, and a table record that was produced before it must
be in the table by then. Agents of different topics run side by side, so without more the stream record may well be
first: at a cold start of a plain Faust app 5 % of the matches are lost in that way. Kafka Streams chooses, for each
task, the partition whose next record has the smallest timestamp, and waits for a partition that has nothing at hand
while it knows of records there (``max.task.idle.ms=0``, KIP-695, by the end offsets of its last fetches).

So it is here, a batch at a time: what was fetched of a partition waits in its `Lane` (no more is fetched meanwhile, so
memory is bounded) until each partition that it is joined with has records at hand too, or is read up to the end offset
that the broker gave *after* the batch had been fetched: a record that was acknowledged before another one was sent is
never missed. Then as many records go as are older than the other partitions' first ones.

A record that is too far ahead of the wall clock (`streamapp.runtime.ahead`) goes with the records around it, whatever
its time: by that it would hold back all that follow it in its partition, and they would meet later rows than those of
their time.

A partition that agents write once more from another topic (`streamapp.runtime.hops`) is in the order of event times
only if one worker writes all of it; then it is as good as any, from where that worker has begun. Several workers are
not equally far: a click may be at hand before an older profile has come through. So of such a partition all goes first
that the broker had when the click was fetched, whatever its time: a click may then meet a profile that is newer than
it, but misses none.

Where one agent reads all the topics that are joined (`BatchSchema.merged`), the records of several partitions go at
once, as a round, and the agent's stream merges them: topics whose records alternate would make batches of one record.

A topic may go as a whole, and after others: then all its partitions go in rounds, as far as they are older than what
those others have. Of its other partitions only what the broker had at the last fetch is waited for: nothing is missed
where one of them is a moment ahead.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Self

from faust.types import TP, TopicT

from streamapp.joins import Wall
from streamapp.runtime.batch import Batch, BatchSchema
from streamapp.runtime.lane import Lane

__all__ = ["Alignment", "Arrangement", "groups"]


def groups(after: Mapping[str, Iterable[str]], merged: Iterable[Sequence[str]] = ()) -> dict[str, tuple[str, ...]]:
    """Return, for each topic, the topics that are joined, itself among them: at equal times the former go first.

    Args:
        after: for each topic, those that go before it.
        merged: topics that one agent merges, those first that go first at equal times; where that contradicts what is
            said elsewhere, it is left alone.

    Raises:
        graphlib.CycleError: if two go before each other.
    """
    before = {topic: set(others) for topic, others in after.items()}
    order = list(TopologicalSorter(before).static_order())
    pairs = [pair for topics in merged for pair in itertools.pairwise(topics)]
    for first, then in pairs:
        preferred = {**before, then: {*before.get(then, ()), first}}
        with contextlib.suppress(CycleError):
            order, before = list(TopologicalSorter(preferred).static_order()), preferred
    joined: dict[str, set[str]] = {topic: {topic} for topic in order}
    for topic, other in [*pairs, *((topic, other) for topic, others in after.items() for other in others)]:
        together = joined[topic] | joined.setdefault(other, {other})
        joined.update(dict.fromkeys(together, together))
    return {topic: tuple(sorted(together, key=order.index)) for topic, together in joined.items()}


@dataclasses.dataclass(frozen=True)
class Arrangement:
    """How the topics whose agents get batches go together."""

    #: The topics whose agents get batches.
    batched: Collection[str] = frozenset()
    #: For each topic, those that are joined, itself among them (`groups`).
    joined: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    #: Topics whose agent merges them with those that they are joined with.
    merged: Collection[str] = frozenset()
    #: Topics of which all partitions go together.
    whole: Collection[str] = frozenset()
    #: By topic, what is to be told of each batch that begins to wait for its agent.
    ahead: Mapping[str, Sequence[Callable[[Batch], None]]] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, topics: Iterable[TopicT]) -> Self:
        """Return that of Faust topics; those without a `BatchSchema` have no part in it."""
        schemas = [(topic.topics, topic.schema) for topic in topics if isinstance(topic.schema, BatchSchema)]
        after: dict[str, set[str]] = {}
        ahead: defaultdict[str, list[Callable[[Batch], None]]] = defaultdict(list)
        for names, schema in schemas:
            for name in names:
                after.setdefault(name, set()).update(schema.after)
                ahead[name] += schema.ahead
        joined = groups(after, [names for names, schema in schemas if schema.merged])
        # Agents that go one after the other get one batch at a time.
        apart = {other for topic, others in after.items() if others for other in joined[topic]}
        whole = {
            name
            for names, schema in schemas
            if schema.whole
            for name in names
            if schema.after or joined[name] == (name,)
        }
        return cls(frozenset(after), joined, after.keys() - apart, whole, ahead)


@dataclasses.dataclass(eq=False)
class Alignment:
    """Which records may go to the agents now."""

    #: For each topic, the topics that are joined, itself among them (`groups`).
    joined: Mapping[str, tuple[str, ...]]
    #: The partitions that this worker has.
    assigned: Iterable[TP] = ()
    _: dataclasses.KW_ONLY
    #: Topics whose agent merges them with those that they are joined with.
    merged: Collection[str] = ()
    #: Topics whose partitions all go together.
    whole: Collection[str] = ()
    #: Topics whose records are not in the order of their times.
    unordered: Collection[str] = ()
    #: Seconds that records wait for a partition they are joined with to get some, although the broker has none of it;
    #: less than 0 = they never wait, and not for those that the broker has either.
    max_idle: float = 0
    #: Tells which records are ahead of it.
    wall: Wall = dataclasses.field(default_factory=Wall)
    #: Batches that went although a partition they are joined with had nothing at hand, since the time to wait for it
    #: was over (Kafka Streams calls it ``enforced-processing``); in earlier generations, too.
    enforced: int = 0

    def __post_init__(self) -> None:
        self.lanes: defaultdict[TP, Lane] = defaultdict(Lane)
        #: By partition, the offset before which records are in no order, since other workers have written some of them.
        self.mixed: Mapping[TP, int] = {}
        #: The next offset to be fetched from each partition.
        self.positions: dict[TP, int] = {}
        self.assigned = assigned = frozenset(self.assigned)
        self.whole = whole = frozenset(self.whole)
        self._others: dict[TP, tuple[TP, ...]] = {}
        #: Of a topic that goes as a whole, and after others, the other partitions.
        self._beside: dict[TP, tuple[TP, ...]] = {}
        self._groups: list[tuple[TP, ...]] = []
        for tp in sorted(assigned):
            topics = self.joined.get(tp.topic, (tp.topic,))
            group = tuple(member for topic in topics if (member := TP(topic, tp.partition)) in assigned)
            if not whole.isdisjoint(topics):
                alike = tuple(member for topic in topics for member in sorted(assigned) if member.topic == topic)
                if len(topics) == 1:
                    group = alike
                elif tp.topic in whole:
                    self._beside[tp] = tuple(member for member in alike if member.topic == tp.topic and member != tp)
                self._others[tp], group = tuple(member for member in group if member != tp), alike
            else:
                self._others[tp] = tuple(member for member in group if member != tp)
            if group[0] == tp:
                self._groups.append(group)

    def lane(self, tp: TP) -> Lane:
        """Return the lane of a partition."""
        return self.lanes[tp]

    def done(self, tp: TP) -> int | None:
        """Return the offset that may be committed of a partition; None = nothing of it is finished.

        Where nothing is left to do that is the position: it has moved past what holds no records, such as the markers
        of transactions, aborted batches, and what was compacted away, which would count as lag for ever.
        """
        lane = self.lanes[tp]
        idle = lane.waiting is None and not lane.offsets.pending
        return self.positions.get(tp, lane.offsets.committable) if idle else lane.offsets.committable

    def reached(self, tp: TP) -> int:
        """Return up to where a partition of this worker is read and committed; -1 = nothing is known to be."""
        lane = self.lanes.get(tp)
        if lane is None:
            return self.positions.get(tp, -1)
        committed = -1 if lane.committed is None else lane.committed
        busy = lane.waiting is not None or lane.working or lane.offsets.pending
        if busy or (lane.offsets.committable or -1) > committed:
            return committed
        return self.positions.get(tp, committed)  # behind markers of transactions, too

    def others(self, partitions: Iterable[TP]) -> set[TP]:
        """Return the partitions that these are joined with."""
        return {other for tp in partitions for other in self._others.get(tp, ())}

    def beside(self, tp: TP) -> tuple[TP, ...]:
        """Return the partitions that this one goes in rounds with, besides those that it is joined with."""
        return self._beside.get(tp, ())

    def hold(self, batch: Batch, now: float = 0) -> None:
        """Put a fetched batch into its lane, which has none waiting: `full` partitions are not fetched."""
        self.lanes[batch.tp].hold(batch, now, self.wall)

    def learn(self, barriers: Mapping[TP, Mapping[TP, int]], positions: Mapping[TP, int]) -> None:
        """Take in what the broker said after the waiting batches had been fetched.

        Args:
            barriers: for partitions whose batch waits, the end offsets of those that they are joined with.
            positions: next offsets to be fetched.
        """
        self.positions.update(positions)
        for tp, barrier in barriers.items():
            lane = self.lanes.get(tp)
            if lane is not None and lane.waiting is not None and lane.barrier is None:
                lane.barrier = barrier

    @property
    def full(self) -> set[TP]:
        """Partitions of which no more should be fetched, since a batch waits already."""
        return {tp for tp, lane in self.lanes.items() if lane.waiting is not None}

    @property
    def held(self) -> int:
        """How many records wait although no agent works on the partitions they are joined with."""
        return sum(
            len(lane.waiting) - lane.at
            for lanes in map(self._lanes, self._groups)
            if not any(lane.working for lane in lanes)
            for lane in lanes
            if lane.waiting is not None
        )

    def take(self, now: float = 0) -> list[Batch]:
        """Take what may go to the agents at a time (s): of the partitions that are joined one batch, or one round."""
        waiting = self.full
        return [batch for group in self._groups if not waiting.isdisjoint(group) for batch in self._take(group, now)]

    def _lanes(self, group: tuple[TP, ...]) -> list[Lane]:
        return [self.lanes[tp] for tp in group]

    def _take(self, group: tuple[TP, ...], now: float) -> list[Batch]:
        lanes = self._lanes(group)
        if any(lane.working for lane in lanes):
            return []
        waiting = [lane for lane in lanes if lane.waiting is not None]
        if any(lane.ahead is not None for lane in waiting):
            # Among themselves they are in order: the clock of this host may be behind.
            ahead = all(lane.ahead is not None for lane in waiting)
            for lane in waiting:
                lane.compare(ahead)
        heads = sorted([(lane.times[lane.at], order) for order, lane in enumerate(lanes) if lane.waiting is not None])
        merged = len(lanes) > 1 and group[0].topic in self.merged
        if merged:
            stops = self._round(lanes, heads, now)
        elif group[-1].topic in self.whole:
            # Each topic has an agent of its own: the records of one go at a time.
            topic = group[heads[0][1]].topic
            stops = self._round(lanes, heads, now, [tp.topic == topic for tp in group], self._ended(group, lanes))
        elif self._goes_first(group, lanes):
            stops = {0: lanes[0].until(None)}
        else:
            stops = self._first(lanes, heads, now)
        parts = frozenset(group[order] for order in stops)
        taken = []
        for order, stop in sorted(stops.items()):
            batch = lanes[order].take(stop)
            batch.round = parts
            taken.append(batch)
        return taken

    def _goes_first(self, group: tuple[TP, ...], lanes: list[Lane]) -> bool:
        """Return whether the first lane, whose records are in no order, goes before the others whatever their times.

        It does up to what the broker had when those of the others were fetched; behind that it is one of them.
        """
        lane, *later = lanes
        if not later or lane.waiting is None or self.max_idle < 0:
            return False
        if group[0].topic not in self.unordered and lane.next_offset >= self.mixed.get(group[0], 0):
            return False
        waiting = [one.barrier for one in later if one.waiting is not None]
        return not waiting or any(barrier is None or lane.next_offset < barrier[group[0]] for barrier in waiting)

    def _first(self, lanes: list[Lane], heads: list[tuple[int, int]], now: float) -> dict[int, int]:
        """Return up to where the lane may go whose head is the first, if it may."""
        (_, order), *others = heads
        if len(heads) < len(lanes) and not self._may_go_without(lanes[order], now):
            return {}
        return {order: _stop(lanes[order], order, others[0] if others else None)}

    def _round(
        self,
        lanes: list[Lane],
        heads: list[tuple[int, int]],
        now: float,
        may: Sequence[bool] = (),
        ended: Sequence[bool] = (),
    ) -> dict[int, int]:
        """Return up to where the lanes may go together, of those that `may`: as far as the next record is known.

        Of a lane that has `ended` there is none behind the last one at hand.
        """
        going = []
        limit: tuple[int, int] | None = None
        for head in heads:
            lane = lanes[head[1]]
            if limit is not None and head > limit:
                break
            if (may and not may[head[1]]) or (len(heads) < len(lanes) and not self._may_go_without(lane, now)):
                limit = head if limit is None else min(limit, head)
                break
            going.append(head[1])
            if ended and ended[head[1]]:
                continue
            # Behind the last record at hand there may be one that is older than what the others have.
            last = (lane.last, head[1])
            limit = last if limit is None else min(limit, last)
        stops = {order: _stop(lanes[order], order, limit) for order in going}
        return {order: stop for order, stop in stops.items() if stop > lanes[order].at}

    def _ended(self, group: tuple[TP, ...], lanes: list[Lane]) -> list[bool]:
        """Return of which partitions all is at hand that the broker had when the others' records were fetched."""
        ends: dict[TP, int] = {}
        for lane in lanes:
            for tp, end in (lane.barrier or {}).items():
                ends[tp] = max(end, ends.get(tp, 0))
        return [tp in ends and self.positions.get(tp, -1) >= ends[tp] for tp in group]

    def _may_go_without(self, lane: Lane, now: float) -> bool:
        """Return whether a lane's records may go although a partition they are joined with has nothing at hand."""
        if self.max_idle < 0:
            return True
        if lane.barrier is None or any(
            self.lanes[tp].waiting is None and self.positions.get(tp, -1) < end for tp, end in lane.barrier.items()
        ):
            return False
        if self.max_idle:
            if now - lane.since < self.max_idle:
                return False
            self.enforced += 1
        return True

    def clear(self) -> None:
        """Forget what was fetched: the partitions were taken away."""
        self.lanes.clear()
        self.positions.clear()


def _stop(lane: Lane, order: int, limit: tuple[int, int] | None) -> int:
    """Return up to which number a lane's records go before, or are at, a place in time and order; None = all."""
    return lane.until(None if limit is None else limit[0] - (order > limit[1]))
