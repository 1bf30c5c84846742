"""How the worker's consumer asks the broker for records without holding others back.

Read from aiokafka 0.14.0 (`aiokafka/consumer/fetcher.py`). aiokafka has one fetch under way for each broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, cast

from aiokafka.consumer.fetcher import READ_COMMITTED
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamapp.kafka.insides import Assignment, Fetcher, Fields, Position, Request
from streamapp.kafka.unreadable import keep_bytes

__all__ = ["Fetching"]

#: How long (ms) the broker keeps a fetch of all partitions which finds nothing.
FETCH_MAX_WAIT_MS: Final = 250
#: The same for a fetch that leaves out partitions whose records have not been taken yet: they are only asked for again
#: by the next one. Faust's 1,500 ms made a backlog of clicks stand still for as long whenever all profiles were read.
FETCH_OF_SOME_MAX_WAIT_MS: Final = 4
#: Turns of the loop before the next fetch is asked for. So many it takes until an agent has joined what came and its
#: results are on their way: these would wait while the request is made and written, a sixth of a lone click's time.
LOOP_TURNS_BEFORE_FETCH: Final = 6


class Fetching:
    """Directs an aiokafka fetcher: which partitions it asks for first, and how long a fetch may wait.

    The broker reads the partitions of a fetch in the order of the request. So when a response has records of one
    partition, the end offset that it gives for a later one is younger than these records: it says how far that one has
    to be read before them, and the broker need not be asked for it again.
    """

    def __init__(self, fetcher: Fetcher) -> None:
        keep_bytes(fetcher)
        self._fetcher = fetcher
        self._actions = fetcher._get_actions_per_node
        self._process = fetcher._proc_fetch_request
        #: By topic, where it stands in a request: the sooner, the more topics have to be read before its records.
        self._order: Mapping[str, int] = {}
        #: By partition, the end offsets of later ones, from the response that brought its last records.
        self._ends: dict[TP, dict[TP, int]] = {}
        self._pump: Callable[[], None] | None = None
        self._wanted: AbstractSet[TP] = frozenset()
        #: Partitions of which a fetch has failed: they may be another topic's by now, made anew under the same name,
        #: and are not fetched until that is known.
        self.doubtful: set[TP] = set()
        self._doubt: Callable[[], None] | None = None
        # aiokafka would ask a broker for nothing at all for so many seconds (0.1) while anything of it is not taken.
        fetcher._prefetch_backoff = 0
        fetcher._get_actions_per_node = self._get_actions_per_node
        fetcher._proc_fetch_request = self._proc_fetch_request

    def arrange(self, joined: Mapping[str, tuple[str, ...]], doubt: Callable[[], None] | None) -> None:
        """Begin with new partitions.

        Args:
            joined: for each topic, the topics that are joined, those that go first at the beginning.
            doubt: called when there are partitions that are `doubtful`; None = there are none.
        """
        self._doubt = doubt
        self.doubtful.clear()
        self._order = {topic: -topics.index(topic) for topic, topics in joined.items()}
        self._ends = {}

    def trust(self, topics: Collection[str]) -> None:
        """Fetch partitions of these topics again, which are those that they were."""
        self.doubtful = {tp for tp in self.doubtful if tp.topic not in topics}
        self._look_again()

    def feed(self, pump: Callable[[], None] | None, wanted: AbstractSet[TP]) -> None:
        """Have what is fetched of the `wanted` partitions taken at once, by `pump`."""
        self._pump, self._wanted = pump, wanted

    def barrier(self, tp: TP, others: Collection[TP]) -> Mapping[TP, int] | None:
        """Return the end offsets of other partitions from when a partition's last records were read, if known."""
        ends = self._ends.get(tp, {})
        return {other: ends[other] for other in others} if ends.keys() >= set(others) else None

    def _look_again(self) -> None:
        """Have aiokafka look for what to fetch next."""
        self._fetcher._notify(self._fetcher._wait_consume_future)

    def _get_actions_per_node(self, assignment: Assignment) -> Fields:
        self._fetcher._fetch_max_wait_ms = FETCH_OF_SOME_MAX_WAIT_MS if self._fetcher._records else FETCH_MAX_WAIT_MS
        requests, *others = self._actions(assignment)
        if not self._wanted.isdisjoint(self._fetcher._records):
            # A fetch without these partitions would keep the connection from the one that follows once they are taken.
            return [], *others
        if self.doubtful:
            requests = [(node, request) for node, request in requests if self._leave_out_doubtful(request)]
        for _, request in requests:
            request.topics.sort(key=lambda topic: self._order.get(topic[0], 0))
        return requests, *others

    def _leave_out_doubtful(self, request: Request) -> bool:
        """Return whether anything is left of a request for records."""
        topics = [
            (topic, [asked for asked in partitions if TP(topic, asked[0]) not in self.doubtful])
            for topic, partitions in request.topics
        ]
        request.topics[:] = [(topic, partitions) for topic, partitions in topics if partitions]
        return bool(request.topics)

    async def _proc_fetch_request(self, assignment: Assignment, node: int, request: Request) -> bool:
        # aiokafka may look for what to fetch next when this task is done but not yet off its list of those under way;
        # then it does not look again for 0.2 s. A task's callbacks run in order: when ours runs, it is off the list.
        task = cast("asyncio.Task[bool]", asyncio.current_task())
        task.add_done_callback(lambda _: self._look_again())
        asked = [
            {TP(topic, partition): assignment.state_value(TopicPartition(topic, partition)) for partition, *_ in parts}
            for topic, parts in request.topics
        ]
        for states in asked:
            for state in states.values():
                state.timestamp = None  # set anew with the end offset, if there is no error
        fetched = await self._process(assignment, node, request)
        failed = {tp for states in asked for tp, state in states.items() if state.timestamp is None}
        if failed and assignment.active and self._doubt is not None:
            self.doubtful |= failed
            self._doubt()
        ends: dict[TP, int] = {}
        for states in reversed(asked):
            self._ends.update((tp, dict(ends)) for tp, state in states.items() if state.timestamp is not None)
            ends.update((tp, self._end(state)) for tp, state in states.items() if state.timestamp is not None)
        if fetched and self._pump is not None:
            self._pump()
            for _ in range(LOOP_TURNS_BEFORE_FETCH):
                await asyncio.sleep(0)
        return fetched

    def _end(self, state: Position) -> int:
        # What an open transaction has written is not to be had yet, nor what comes after.
        return state.lso if self._fetcher._isolation_level == READ_COMMITTED else state.highwater
