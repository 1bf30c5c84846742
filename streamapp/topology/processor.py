"""The processor of a join: its agent, which runs a task for each partition."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from streamapp.batching.batch import BatchSchema, Merged
from streamapp.joins import Join
from streamapp.stores.table import OrderedTable
from streamapp.topology.accounts import Account, Accounts
from streamapp.topology.task import Task

if TYPE_CHECKING:
    from streamapp.joins.records import Batch as Records
    from streamapp.topology.declaration import Input
    from streamapp.topology.side_outputs import SideOutputs
    from streamapp.topology.sink import Sink

__all__ = ["JoinProcessor"]

R = TypeVar("R")


class JoinProcessor(Generic[R]):
    """A join on Kafka: an agent that reads all its topics, merged by event time.

    Results and changes of the state take effect together, and when the agent is done with a batch. After a failure, a
    rebalance or a restart the tasks are started again from their state.

    Args:
        app: the app that it is a part of.
        name: of the join.
        join: what it means.
        inputs: the topics that it reads; at equal times those first that go first.
        sink: takes the results.
        side_outputs: takes the records that are not matched.
    """

    def __init__(
        self,
        app: Any,
        name: str,
        join: Join[R],
        inputs: Sequence[Input],
        sink: Sink[R],
        side_outputs: SideOutputs,
    ) -> None:
        self.app = app
        self.name = name
        self.join = join
        self.inputs = inputs
        self.sink = sink
        self.side_outputs = side_outputs
        self.accounts = Accounts(name)
        sources: dict[str, list[int]] = defaultdict(list)
        for each in inputs:
            sources[each.topic].append(each.source)
        self._validators = {each.source: each.validate for each in inputs if each.validate is not None}
        #: The topics that are read.
        self.topics = tuple(sources)
        self._sources = tuple(sources.values())
        self._only = [numbers[0] for numbers in self._sources]
        self.table: OrderedTable = app.tables.add(
            OrderedTable(app, name=name, beacon=app.tables.beacon, help=f"the state of the join {name}")
        )
        self.table.source = self.topics[0]
        self._tasks: dict[int, Task[R]] = {}
        topic = app.topic(*self.topics, schema=BatchSchema(merged=True))
        self.agent = app.agent(topic, name=f"streamapp.joins.{name}")(self.run)

    async def run(self, batches: AsyncIterable[Merged]) -> None:
        """Join the batches; this is the agent."""
        async for batch in batches:
            try:
                self._process(batch)
            except Exception:
                self._tasks.pop(batch.partition, None)
                raise

    @property
    def partitions(self) -> dict[int, Account]:
        """How the partitions of this worker stand, as far as records came since its start."""
        return self.accounts.of(self.table.data.partitions.keys())

    def _process(self, batch: Merged) -> None:
        rows, task = self.table.of(batch), self._task(batch)
        before = Account.of(task.operator).received
        records = list(self._records(batch))
        output = task.process(rows, self._usable(task, records) if self._validators else records)
        self.sink.send(batch, output.results)
        self.side_outputs.send(batch, output.side_outputs)
        account = Account.of(task.operator)
        batch.work.effects.append(partial(self.accounts.settle, batch.partition, before, len(records), account))

    def _task(self, batch: Merged) -> Task[R]:
        partition = self.table.partition(batch.partition)
        task = self._tasks.get(batch.partition)
        if task is None or task.stale(partition):
            task = self._tasks[batch.partition] = Task(self.join, partition, self.table.of(batch))
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

    def _usable(self, task: Task[R], records: Records) -> Records:
        """Leave out the records whose values cannot be used."""
        for source, record in records:
            validate = self._validators.get(source)
            try:
                if validate is not None and record.value is not None:
                    validate(record.value)
            except msgspec.DecodeError as exc:
                task.operator.refuse(source, record, exc)
            else:
                yield source, record
