"""A driver: runs a join by hand, without Kafka, with a clock that goes as it is told; made for tests.

    driver = Driver(StreamStreamJoin(before=0, after=1_000, grace=0, how=How.LEFT))
    driver.send(Side.LEFT, b"k", b"view", 0)
    assert driver.send(Side.RIGHT, b"k", b"purchase", 900).results[0].timestamp == 900

(As Kafka Streams' TopologyTestDriver.)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Generic, TypeVar

from streamapp.joins.clock import END, Wall
from streamapp.joins.idle import IdleTimeout
from streamapp.joins.join import Join, Operator
from streamapp.joins.output import Output, SideOutput
from streamapp.joins.records import Event, Record
from streamapp.joins.state import MemoryStore, State, Store

__all__ = ["Driver"]

R = TypeVar("R")


class Driver(Generic[R]):
    """One partition of a join; each call is a batch of its own, committed when it returns.

    Args:
        join: what to run.
        store: where its state is; in memory by default.
        idle_timeout: after how long (ms) without a record event time goes on by itself; None = never.
    """

    def __init__(self, join: Join[R], store: Store | None = None, idle_timeout: int | None = None) -> None:
        self._join = join
        self._store = MemoryStore() if store is None else store
        self._wall = Wall()
        self._idle = None if idle_timeout is None else IdleTimeout(idle_timeout, self._wall.time)
        #: All that came out so far.
        self.results: list[R] = []
        self.side_outputs: list[SideOutput] = []
        self.restart()

    @property
    def operator(self) -> Operator[R]:
        """The join at work."""
        return self._operator

    def restart(self) -> None:
        """Start again on what was committed, as after a crash."""
        self._state = State(self._store, self._wall)
        self._operator = self._join.start(self._state)

    def send(self, source: int, key: bytes | None, value: bytes | None, timestamp: int) -> Output[R]:
        """Send one record."""
        return self.process([(source, Event(key, value, timestamp))])

    def process(self, batch: Iterable[tuple[int, Record]]) -> Output[R]:
        """Send a batch of records."""
        output = self._commit(self._operator.process(batch))
        if self._idle is not None:
            self._idle.seen(self._operator.clock.now, self._wall.time)
        return output

    def sleep(self, duration: int) -> Output[R]:
        """Let wall time (ms) pass; gives what comes of that."""
        self._wall.time += duration
        due = None if self._idle is None else self._idle.due(self._wall.time)
        idle = Output[R]([], []) if due is None else self._commit(self._operator.advance(due))
        if not self._operator.due:
            return idle
        rung = self._commit(self._operator.process(()))
        return Output(idle.results + rung.results, idle.side_outputs + rung.side_outputs)

    def finish(self) -> Output[R]:
        """End the input: all that waits for the clock comes out."""
        return self._commit(self._operator.advance(END))

    def _commit(self, output: Output[R]) -> Output[R]:
        self._state.commit()
        self.results += output.results
        self.side_outputs += output.side_outputs
        return output
