"""The processor of a join: runs a task for each partition, on batches of all its topics."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

import msgspec

from streamapp.explain.evidence import EvidenceTopic, dead_letters
from streamapp.joins import Explanation, Join, Output, Record, Refused, State, Verdict
from streamapp.joins.declared import StateMismatch, earlier
from streamapp.joins.ledger import LEDGER
from streamapp.runtime.batch import BatchSchema, Merged
from streamapp.runtime.cycles import Flow
from streamapp.runtime.rows import Inspection, Rows
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Work
from streamapp.stores.errors import StateError
from streamapp.topology.accounts import Account, Accounts
from streamapp.topology.provenance import TAKEN, Provenance
from streamapp.topology.task import RowStore, Task
from streamapp.worker.progress import Progress
from streamapp.worker.table import OrderedTable

if TYPE_CHECKING:
    from streamapp.joins.records import Batch as Records
    from streamapp.runtime.inputs import Input
    from streamapp.topology.join_watch import JoinWatch
    from streamapp.topology.side_outputs import SideOutputs
    from streamapp.topology.sink import Sink

__all__ = ["JoinProcessor"]

logger = logging.getLogger(__name__)

R = TypeVar("R")

#: How often it is looked whether a partition is idle: so many times in its timeout, but not more often than so (s).
TICKS: Final = 4
SHORTEST_TICK: Final = 0.05


class JoinProcessor(Generic[R]):
    """A join on Kafka; it reads all its topics, merged by event time.

    Results and changes of the state take effect together, and when all is done with a batch. After a failure, a
    rebalance or a restart the tasks are started again from their state.

    Args:
        app: the app that it is a part of.
        name: of the join.
        join: what it means.
        inputs: the topics that it reads; at equal times those first that go first.
        side_outputs: takes the records that are not matched.
        watch: tells if most records are such.
        idle_timeout: after how long (ms) without a record event time goes on by itself while something waits for it;
            None = never.
        needs: what has to be set before the first record is joined.
    """

    def __init__(
        self,
        app: Any,
        name: str,
        join: Join[R],
        inputs: Sequence[Input],
        side_outputs: SideOutputs,
        watch: JoinWatch,
        idle_timeout: int | None = None,
        needs: Sequence[asyncio.Event] = (),
    ) -> None:
        self.app = app
        self.name = name
        self.join = join
        self.inputs = inputs
        self.side_outputs = side_outputs
        self.watch = watch
        #: Where the results go.
        self.sink: Sink[R] | None = None
        self.accounts = Accounts(name)
        sources: dict[str, list[int]] = defaultdict(list)
        for each in inputs:
            sources[each.topic].append(each.source)
        self._checks = {each.source: each.check for each in inputs if each.check is not None}
        self._converters = {each.source: each.convert for each in inputs if each.convert is not None}
        #: The topics that are read.
        self.topics = tuple(sources)
        self._sources = tuple(sources.values())
        progress = Progress(app, self.topics)
        #: How far it is, by partition.
        self.read, self.commit = progress.read, progress.commit
        self._only = [numbers[0] for numbers in self._sources]
        for topic in self.topics:
            app.declared.read(topic)
        self.table: OrderedTable = app.tables.add(
            OrderedTable(app, name=name, beacon=app.tables.beacon, help=f"the state of the join {name}")
        )
        self.table.source = self.topics[0]
        self.table.owner = self
        #: Where the records are from; the number of partitions is not known before the start.
        self.provenance = Provenance(
            {each.source: each.topic for each in inputs},
            {each.source: each.key for each in inputs if each.key},
            tables=sorted(self.tables),
        )
        #: Gives batches of all topics.
        tick = None if idle_timeout is None else max(SHORTEST_TICK, idle_timeout / 1000 / TICKS)
        self.channel: Any = app.subscription(*self.topics, schema=BatchSchema(merged=True, tick=tick))
        self._idle_timeout = idle_timeout
        self._needs = needs
        self._tasks: dict[int, Task[R]] = {}
        #: The topic of the results, if they tell what they are made of.
        self._results: EvidenceTopic | None = None

    def into(self, sink: Sink[R]) -> None:
        """Have an agent send the results to a topic."""
        self.sink = sink
        if (lineage := sink.lineage) is not None:
            self._results = EvidenceTopic(sink.output.topic, frozenset(), lineage.read)

        async def run(batches: AsyncIterable[Merged]) -> None:
            async for batch in batches:
                for needed in self._needs:
                    await needed.wait()
                with self.working(batch) as results:
                    sink.send(batch, results)

        self.app.agent(self.channel, name=f"streamapp.joins.{self.name}")(run)

    @contextlib.contextmanager
    def working(self, batch: Merged) -> Iterator[Sequence[R]]:
        """Join a batch, and give the results, which are to be used within the `with`."""
        try:
            yield self._process(batch)
        except BaseException:
            # The operator is ahead of what will be in the table.
            self._tasks.pop(batch.partition, None)
            raise

    @property
    def tables(self) -> frozenset[str]:
        """The topics whose records are rows of a table in the state."""
        return frozenset(each.topic for each in self.inputs if each.source in self.join.tables)

    def inspect(self, partition: Uncommitted, partitions: int) -> Inspection:
        """Look at the state of a partition before anything is joined on it.

        Args:
            partition: of the table.
            partitions: how many the topics have.

        Raises:
            StateError: if this join cannot go on with the state.
        """
        known = self.app.consumer.positions.ids
        ids = {topic: known[topic] for topic in self.topics if topic in known}
        self.provenance = msgspec.structs.replace(self.provenance, partitions=partitions, ids=ids)
        state = State(RowStore(Rows(partition, Work())))
        try:
            _, notes = earlier(state, self.join)
            row = state.get(TAKEN)
            was = None if row is None else Provenance.decode(row)
            if was is not None:
                self.provenance.go_on(was)
        except StateMismatch as exc:
            raise StateError(f"join {self.name} cannot go on with its state: {exc}") from None
        fresh = state.get(LEDGER) is None
        if was is None:
            return Inspection(notes, taken=None, anew=(), fresh=fresh)
        return Inspection(notes, self.provenance.after(was).taken, self.provenance.anew(was), fresh)

    @property
    def evidence(self) -> list[EvidenceTopic]:
        """The topics with what became of the records of the join."""
        letters = dead_letters(self.app.dead_letters.topic)
        return [letters, *self.side_outputs.evidence, *([] if self._results is None else [self._results])]

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        task = self._task(partition, Rows(self.table.partition(partition), Work()))
        converted = self._converters[source](record) if source in self._converters else record
        try:
            if (check := self._checks.get(source)) is not None:
                check(converted)
        except Refused as refused:
            clock = task.operator.clock.now
            return Explanation(verdict=Verdict.REFUSED, clock=clock, detail=str(refused))
        return task.operator.explain(source, converted)

    @property
    def partitions(self) -> dict[int, Account]:
        """How the partitions of this worker stand, as far as records came since its start."""
        return self.accounts.of(self.table.data.partitions.keys())

    def keys(self, partition: int, source: int) -> Iterator[bytes]:
        """Go through the keys of a table that a stream is joined with, to be left before the next batch.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        keys: Iterator[bytes] = self._operator(partition).keys(source)
        return keys

    def has(self, partition: int, source: int, key: bytes) -> bool:
        """Tell whether a table that a stream is joined with has a row for a key now.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        return bool(self._operator(partition).has(source, key))

    def _operator(self, partition: int) -> Any:
        return self._task(partition, Rows(self.table.partition(partition), Work())).operator

    @property
    def flow(self) -> Flow:
        """From which topics it reads, and to which it sends."""
        results = [] if self.sink is None else [output.topic for output in self.sink.outputs]
        return Flow(
            f"the join {self.name}", self.topics, results, [output.topic for output in self.side_outputs.outputs]
        )

    def _process(self, batch: Merged) -> Sequence[R]:
        rows = self.table.of(batch)
        task = self._task(batch.partition, rows)
        came, batch = len(batch), task.redone.rest(batch)
        if batch.records and (stored := task.set_back(rows, batch)) is not None:
            self.app.ahead.set_back(f"join {self.name}, partition {batch.partition}", stored)
        before = Account.of(task.operator)
        if len(batch) < came:
            logger.info(
                "Join %s, partition %d: %d records that its state has from before a crash are not joined again",
                self.name,
                batch.partition,
                came - len(batch),
            )
        if batch.records:
            records = self._converted(self._records(batch))
            output = task.process(rows, self._usable(task, records) if self._checks else records, _taken(batch))
        elif came:
            output = Output([], [])
        elif (due := task.due()) is not None:
            output = task.advance(rows, due)
        else:
            return ()
        self.side_outputs.send(batch, output.side_outputs)
        account = Account.of(task.operator)
        counts = [batch.sources.count(number) for number in range(len(self._sources))]
        taken = sum(count * len(sources) for count, sources in zip(counts, self._sources, strict=True))
        batch.work.effects.append(partial(self.accounts.settle, batch.partition, before.received, taken, account))
        batch.work.effects.append(
            partial(self.watch.took, dict(zip(self.topics, counts, strict=True)), before.balance, account.balance)
        )
        return output.results

    def _task(self, number: int, rows: Rows) -> Task[R]:
        partition = self.table.partition(number)
        task = self._tasks.get(number)
        if task is None or task.stale(partition):
            wall, begins = self.app.ahead.wall, self.app.resumption.begins(self.topics, number)
            task = Task(self.join, partition, rows, wall, self.provenance, self._idle_timeout, begins)
            self._tasks[number] = task
        return task

    def _records(self, batch: Merged) -> Records:
        """Give the records with the numbers of their sources; a topic may be taken for more than one of them."""
        if len(self._only) == len(self.inputs):
            only = self._only
            return zip([only[number] for number in batch.sources], batch.records, strict=True)
        return (
            (source, record)
            for number, record in zip(batch.sources, batch.records, strict=True)
            for source in self._sources[number]
        )

    def _converted(self, records: Records) -> Records:
        if not self._converters:
            return records
        converters = self._converters
        return ((source, converters[source](record) if source in converters else record) for source, record in records)

    def _usable(self, task: Task[R], records: Records) -> Records:
        """Leave out the records that cannot be used."""
        for source, record in records:
            check = self._checks.get(source)
            try:
                if check is not None:
                    check(record)
            except Refused as refused:
                task.operator.refuse(source, record, refused)
            else:
                yield source, record


def _taken(batch: Merged) -> dict[str, int]:
    """Return, of each topic in a batch, the offset after its last record."""
    backwards = batch.sources[::-1]
    last = {tp.topic: backwards.index(n) for n, tp in enumerate(batch.tps) if n in backwards}
    return {topic: batch.records[-1 - place].offset + 1 for topic, place in last.items()}
