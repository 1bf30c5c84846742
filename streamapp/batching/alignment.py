"""Alignment: the records of a stream wait until the tables they join are read as far as the broker has them.

A stream record that was produced after a table record must find that record in the table. Agents of
different topics run side by side, so without more the stream record may well be processed first: at a cold
start of a plain Faust app 5 % of the matches are lost in that way. So, for each partition, a batch of the
stream is held back (the partition is not fetched further: `Lane`) until the table's topic is processed up to
the end offset that the broker gave *after* the batch had been fetched. Kafka Streams does the same per task
with ``max.task.idle.ms=0`` (KIP-695), from the end offsets of its last fetches; we ask, so a record that was
acknowledged before a click was sent is never missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from faust.types import TP

from streamapp.batching.batch import Batch
from streamapp.batching.offsets import Offsets

__all__ = ["Alignment", "Lane"]


class Lane:
    """One partition: its batch in work (one at a time), and the next one, which waits."""

    __slots__ = ("barrier", "offsets", "waiting")

    def __init__(self) -> None:
        self.offsets = Offsets()
        self.waiting: Batch | None = None
        #: Where each partition that goes first has to be before `waiting` may go; None = not known yet.
        self.barrier: Mapping[TP, int] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing of this partition waits or is in work."""
        return self.waiting is None and not self.offsets.pending


class Alignment:
    """Which topics go first, and what may be delivered now.

    Args:
        follows: for each topic that waits, the topics that have to be read before.
    """

    def __init__(self, follows: Mapping[str, frozenset[str]]) -> None:
        self._follows = follows
        self.lanes: dict[TP, Lane] = {}
        #: The next offset to be fetched from each partition that goes first.
        self.positions: dict[TP, int] = {}

    def leaders(self, partitions: Iterable[TP]) -> set[TP]:
        """Give the partitions that go before any of these."""
        return {TP(topic, tp.partition) for tp in partitions for topic in self._follows.get(tp.topic, frozenset())}

    def lane(self, tp: TP) -> Lane:
        """Give the lane of a partition."""
        lane = self.lanes.get(tp)
        if lane is None:
            lane = self.lanes[tp] = Lane()
        return lane

    def hold(self, batch: Batch) -> None:
        """Put a fetched batch into its lane, which has no waiting one: `full` partitions are not fetched."""
        lane = self.lane(batch.tp)
        lane.waiting = batch
        lane.barrier = None

    def learn(self, ends: Mapping[TP, int], positions: Mapping[TP, int]) -> None:
        """Take in what the broker said after the waiting batches had been fetched.

        Args:
            ends: end offsets of partitions that go first.
            positions: next offsets to be fetched from them.
        """
        self.positions.update(positions)
        for tp, lane in self.lanes.items():
            if lane.waiting is not None and lane.barrier is None:
                leaders = self.leaders([tp])
                if leaders <= ends.keys():
                    lane.barrier = {leader: ends[leader] for leader in leaders}

    @property
    def unbarred(self) -> set[TP]:
        """Partitions whose batch waits although it is not known yet for what."""
        return {tp for tp, lane in self.lanes.items() if lane.waiting is not None and lane.barrier is None}

    @property
    def full(self) -> set[TP]:
        """Partitions of which no more should be fetched, since a batch waits already."""
        return {tp for tp, lane in self.lanes.items() if lane.waiting is not None}

    @property
    def held(self) -> int:
        """How many records wait for the partitions that go first."""
        return sum(
            len(lane.waiting)
            for lane in self.lanes.values()
            if lane.waiting is not None and not lane.offsets.pending and not self._passed(lane)
        )

    def take(self) -> list[Batch]:
        """Take the batches that may go to the agents now, at most one of each partition."""
        ready = []
        for lane in self.lanes.values():
            if lane.waiting is not None and not lane.offsets.pending and self._passed(lane):
                ready.append(lane.waiting)
                lane.offsets.begin(lane.waiting.records[-1].offset)
                lane.waiting = lane.barrier = None
        return ready

    def _passed(self, lane: Lane) -> bool:
        return lane.barrier is not None and all(
            self._idle(leader) and self.positions.get(leader, -1) >= end for leader, end in lane.barrier.items()
        )

    def _idle(self, tp: TP) -> bool:
        lane = self.lanes.get(tp)
        return lane is None or lane.idle

    def clear(self) -> None:
        """Forget all: the partitions were taken away."""
        self.lanes.clear()
        self.positions.clear()
