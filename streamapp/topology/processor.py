"""The processor of a join: runs a task for each partition, on batches of all its topics."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
from collections import defaultdict
from collections.abc import AsyncIterable, Container, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final, Generic, TypeVar, cast

import msgspec
from faust.types import TP

from streamapp.errors import StreamappError
from streamapp.explain.evidence import EvidenceTopic, dead_letters
from streamapp.joins import Explanation, Held, Join, Operator, Output, Record, Refused, State, Verdict
from streamapp.joins.declared import StateMismatch, earlier
from streamapp.joins.ledger import LEDGER
from streamapp.joins.stream_table import StreamTableOperator
from streamapp.runtime.batch import BatchSchema, Merged
from streamapp.runtime.cycles import Flow
from streamapp.runtime.rows import Inspection, Rows
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Work
from streamapp.stores.errors import StateError
from streamapp.topology.accounts import Account, Accounts
from streamapp.topology.corrections import Joining, joined_outputs, meant_for, parts
from streamapp.topology.global_table import GlobalJoin
from streamapp.topology.provenance import TAKEN, Provenance
from streamapp.topology.task import RowStore, Task
from streamapp.worker.app import App
from streamapp.worker.progress import Progress
from streamapp.worker.stream import Agent
from streamapp.worker.table import OrderedTable, Table

if TYPE_CHECKING:
    from streamapp.joins.records import Batch as Records
    from streamapp.runtime.inputs import Input
    from streamapp.topology.join_watch import JoinWatch
    from streamapp.topology.side_outputs import SideOutputs
    from streamapp.topology.sink import Sink

__all__ = ["JoinError", "JoinProcessor"]

logger = logging.getLogger(__name__)

R = TypeVar("R")

#: How often it is looked whether a partition is idle: so many times in its timeout, but not more often than so (s).
TICKS: Final = 4
SHORTEST_TICK_S: Final = 0.05


class JoinError(StreamappError, ValueError):
    """A join that cannot be; its text is one line that says why."""


@dataclasses.dataclass(eq=False)
class JoinProcessor(Generic[R]):
    """A join on Kafka; it reads all its topics, merged by event time.

    Results and changes of the state take effect together, and when all is done with a batch. After a failure, a
    rebalance or a restart the tasks are started again from their state.
    """

    app: App
    name: str
    join: Join[R]
    #: The topics that it reads; at equal times those first that go first.
    inputs: Sequence[Input]
    #: Takes the records that are not matched.
    side_outputs: SideOutputs
    #: Tells if most records are such.
    watch: JoinWatch
    #: After how long (ms) without a record event time goes on by itself while something waits for it; None = never.
    idle_timeout: int | None = None
    #: What has to be set before the first record is joined.
    needs: Sequence[asyncio.Event] = ()
    #: Whether results tell of which records they are.
    traced: bool = False
    #: Where the results go.
    sink: Sink[R] | None = None
    #: What else tells what became of records: such as results that say why they are there.
    told: list[EvidenceTopic] = dataclasses.field(default_factory=list)
    #: What messages call it, before its name.
    noun: ClassVar[str] = "join"

    def __post_init__(self) -> None:
        app, tables = self.app, self.app.tables
        self.accounts = Accounts(self.title)
        #: How many results there were since the start.
        self.given = 0
        sources: dict[str, list[int]] = defaultdict(list)
        for each in self.inputs:
            sources[each.topic].append(each.source)
            app.declared.read(each.topic)
        #: The topics that are read.
        self.topics = tuple(sources)
        if not isinstance(self.join, GlobalJoin):  # which keeps nothing by key
            app.declared.check_placed(self.topics, f"the {self.title}")
        app.declared.key_format(self.topics, f"the {self.title}")
        self._sources = tuple(sources.values())
        progress = Progress(app, self.topics)
        #: How far it is, by partition.
        self.read, self.commit = progress.read, progress.commit
        self._only = [numbers[0] for numbers in self._sources]
        self._doubtful = self.inputs[0].doubtful if len(self.inputs) == 1 else None
        self._checks = {each.source: each.check for each in self.inputs if each.check is not None}
        self._converters = {each.source: each.convert for each in self.inputs if each.convert is not None}
        self._steps = {each.source: each.steps for each in self.inputs if each.steps is not None}
        self.table = OrderedTable(app, name=self.name, beacon=tables.beacon, help=f"the state of the {self.title}")
        self._own(self.table, self.topics[0])
        #: By source, the tables that the rows of plain ones are in.
        self.row_tables: Mapping[int, Table] = {
            each.source: self._row_table(each) for each in self.inputs if each.source in self.join.plain
        }
        #: Where the records are from; the number of partitions is not known before the start.
        self.provenance = Provenance(
            {each.source: each.topic for each in self.inputs},
            {each.source: each.key for each in self.inputs if each.key},
            tables=sorted(self.tables),
            rows={source: table.name for source, table in self.row_tables.items()},
        )
        #: Gives batches of all topics.
        ticks = [] if self.idle_timeout is None else [max(SHORTEST_TICK_S, self.idle_timeout / 1000 / TICKS)]
        ticks += [] if self.join.tick is None else [self.join.tick / 1000]
        self.channel = app.subscription(*self.topics, schema=BatchSchema(merged=True, tick=min(ticks, default=None)))
        self._tasks: dict[int, Task[R]] = {}

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"{self.noun} {self.name}"

    def _own(self, table: Table, source: str) -> None:
        """Have a table that goes with a topic."""
        table.source, table.owner, table.encoded_keys = source, self, self.app.declared.keys(source)
        self.app.tables.add(table)

    def _row_table(self, each: Input) -> Table:
        """Make the table that the rows of a topic are in, under the name of the topic if that is not taken yet."""
        topic = self.app.declared.hops.get(each.topic, (each.topic,))[0]  # of one written once more, the first
        taken, name = self.app.tables, each.table or topic.removeprefix(self.app.settings.topic_prefix)
        if name in taken:
            if each.table:
                raise JoinError(f"there is a table named {name} already: give that of the join another name")
            name = f"{self.name}-table{each.source}"
        table = Table(self.app, name=name, beacon=taken.beacon, help=f"{topic} in the {self.title}")
        self._own(table, each.topic)
        return table

    def into(self, sink: Sink[R]) -> None:
        """Have an agent send the results to a topic."""
        self.sink = sink
        self.traced = self.traced or sink.lineage is not None

        async def run(batches: AsyncIterable[Merged]) -> None:
            async for batch in batches:
                for needed in self.needs:
                    await needed.wait()
                with self.working(batch) as results:
                    sink.send(batch, results)

        agent = cast(Agent, self.app.agent(self.channel, name=f"streamapp.joins.{self.name}")(run))
        agent.of_join = self.title

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
        """The topics whose records are rows of a table."""
        return frozenset(each.topic for each in self.inputs if each.source in self.join.tables)

    def inspect(self, partition: Uncommitted, partitions: int) -> Inspection:
        """Look at the state of a partition, of so many that the topics have, before anything is joined on it.

        Raises:
            StateError: if this join cannot go on with the state.
        """
        known = self.app.resumption.positions.ids
        ids = {topic: known[topic] for topic in self.topics if topic in known}
        self.provenance = msgspec.structs.replace(self.provenance, partitions=partitions, ids=ids)
        state = State(RowStore(Rows(partition, Work())))
        try:
            written_by, notes = earlier(state, self.join)
            if written_by is not self.join and not self.join.tables:
                self.join.start(State(RowStore(Rows(partition, Work()))))  # whether it can read the rows
            row = state.get(TAKEN)
            was = None if row is None else Provenance.decode(row)
            if was is not None:
                self.provenance.go_on(was)
                self._check_rows(was, partition.changelog.partition)
        except StateMismatch as exc:
            raise StateError(f"the {self.title} cannot go on with its state: {exc}") from None
        fresh = state.get(LEDGER) is None
        if was is None:
            return Inspection(notes, taken=None, anew=(), fresh=fresh)
        return Inspection(notes, self.provenance.after(was).taken, self.provenance.anew(was), fresh)

    def _check_rows(self, was: Provenance, number: int) -> None:
        """Make sure that the tables have the rows which a state says were written, or get them again."""
        for source in was.written:
            table, read = self.row_tables[source], TP(was.topics[source], number)
            again = self.app.resumption.reads_again(read, was.taken.get(read.topic, 0))
            if not again and not table.partition(number).committed.offset:
                raise StateMismatch(f"the table {table.name} has lost its rows: its changelog was deleted, or emptied")

    @property
    def evidence(self) -> list[EvidenceTopic]:
        """The topics with what became of the records of the join."""
        found = [dead_letters(self.app.dead_letters.topic), *self.side_outputs.evidence, *self.told]
        if self.sink is not None and (lineage := self.sink.lineage) is not None:
            found.append(EvidenceTopic(self.sink.output.topic, frozenset(), lineage.read))
        written = self.app.declared.written
        return [one._replace(written=written(self.topics[0], one.topic)) for one in found]

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        """Say why a record that was taken in joined, or did not, as far as the state tells.

        Raises:
            KeyError: if this worker does not have the partition.
        """
        operator = self._task(partition).operator
        try:
            if source in self._converters:
                record = self._converters[source](record)
            made = self._made(source, record)
        except Refused as refused:
            return Explanation(verdict=Verdict.REFUSED, clock=operator.clock.now, detail=str(refused))
        if not made:
            return Explanation(verdict=Verdict.LEFT_OUT, clock=operator.clock.now)
        return operator.explain(source, made[0])

    @property
    def partitions(self) -> dict[int, Account]:
        """How the partitions that this worker owns stand, as far as records came in; none before they are recovered."""
        return self.accounts.of(self.table.owned if self.app.tables.actives_ready else {})

    def clock(self, partition: int) -> int | None:
        """Return the event clock (ms) of a partition; None = there was no record. KeyError = it is not here."""
        return self._task(partition).operator.clock.now

    def held(self, partition: int, key: bytes) -> Sequence[Held] | None:
        """Return what is held for a key; None = that is not told by key. KeyError = the partition is not here."""
        return self._task(partition).operator.held(key)

    def operator(self, partition: int) -> Operator[R]:
        """Return what is at work on a partition, to be asked; a KeyError if it is not here."""
        return self._task(partition).operator

    def looked_up(self, partition: int) -> StreamTableOperator[R]:
        """Return the operator of a partition, of a join that looks tables up: it can be asked for their keys."""
        return cast(StreamTableOperator[R], self._task(partition).operator)

    @property
    def flow(self) -> Flow:
        """From which topics it reads, and to which it sends."""
        results = [] if self.sink is None else [output.topic for output in self.sink.outputs]
        sides = [output.topic for output in self.side_outputs.outputs]
        return Flow(f"the {self.title}", self.topics, results, sides)

    def _process(self, batch: Merged) -> Sequence[R]:
        task = self._task(batch.partition, batch.work)
        task.begin(batch.work)
        came = len(batch)
        batch, redone = task.redone.divided(batch)
        redriven = batch.redriven
        if redriven:
            batch = meant_for(batch, cast(Joining, self.app).joins, self.title)
        where = f"{self.title}, partition {batch.partition}"
        if batch.records and (stored := task.set_back(batch)) is not None:
            self.app.ahead.set_back(where, stored)
        before, more = Account.of(task.operator), [0]
        if redone is not None:
            told = "The %s: %d records that its state has from before a crash are not taken in again"
            logger.info(told, where, len(redone))
            task.write(self._taken_in(self._records(redone)))
        if redriven and batch.records:
            output = joined_outputs([*self._corrected(task, batch, more)])
        elif batch.records:
            output = task.process(self._usable(task, batch, more), _taken(batch))
        elif came:
            output = Output([], [])
        elif (due := task.due()) is not None:
            output = task.advance(due)
        elif task.rings():
            output = task.ring()
        else:
            return ()
        self.side_outputs.send(batch, output.side_outputs)
        account = Account.of(task.operator)
        counts = [batch.sources.count(number) for number in range(len(self._sources))]
        taken = sum(count * len(sources) for count, sources in zip(counts, self._sources, strict=True)) + sum(more)
        read, rows = dict(zip(self.topics, counts, strict=True)), self.table.partition(batch.partition)
        batch.work.effects += [
            partial(self.accounts.settle, batch.partition, rows, before.received, taken, account),
            partial(self.watch.took, read, before.balance, account.balance),
            partial(self._gave, len(output.results)),
        ]
        return output.results

    def _corrected(self, task: Task[R], batch: Merged, more: list[int]) -> Iterator[Output[R]]:
        """Join a batch with redriven records, each of them by itself: what it gives is known by that."""
        for part, redriven in parts(batch):
            if redriven:
                for source, record in self._taken_in(self._records(part)):
                    task.corrections.take(source, record)
            yield task.process(self._usable(task, part, more), _taken(part))

    def _gave(self, count: int) -> None:
        self.given += count

    def _task(self, number: int, work: Work | None = None) -> Task[R]:
        """Return the task of a partition; one that begins amid the work on a batch knows what that has changed."""
        task = self._tasks.get(number)
        partitions = [table.partition(number) for table in (self.table, *self.row_tables.values())]
        if task is None or task.stale(partitions):
            rows, *tables = (Rows(partition, work or Work()) for partition in partitions)
            task = self._tasks[number] = Task(
                self.join,
                rows,
                dict(zip(self.row_tables, tables, strict=True)),
                self.app.ahead.wall,
                self.provenance,
                self.app.resumption.begins(self.topics, number),
                idle_timeout=self.idle_timeout,
                traced=self.traced,
                copied=self.app.declared.copied.intersection(self.topics),
            )
        return task

    def _records(self, batch: Merged) -> Records:
        """Return the records with the numbers of their sources; a topic may be taken for more than one of them."""
        if len(self._only) == len(self.inputs):
            only = self._only
            records: Records = zip([only[number] for number in batch.sources], batch.records, strict=True)
        else:
            records = (
                (source, record)
                for number, record in zip(batch.sources, batch.records, strict=True)
                for source in self._sources[number]
            )
        if not self._converters:
            return records
        converters = self._converters
        return ((source, converters[source](record) if source in converters else record) for source, record in records)

    def _made(self, source: int, record: Record) -> Sequence[Record]:
        """Return what a join takes in of a record; raises `Refused` for one that cannot be used."""
        if (check := self._checks.get(source)) is not None:
            check(record)
        return self._steps[source](record) if source in self._steps else (record,)

    def _taken_in(self, records: Records) -> Records:
        """Leave out the records that cannot be used, which are accounted for."""
        for source, record in records:
            with contextlib.suppress(Refused):
                for one in self._made(source, record):
                    yield source, one

    def _usable(self, task: Task[R], batch: Merged, more: list[int]) -> Records:
        """Leave out the records that cannot be used, and put what steps make of a record in its place."""
        records = self._records(batch)
        if not (self._checks or self._steps):
            return records
        if self._doubtful is None:
            return self._checked(task, records, more)
        numbers = frozenset(self._doubtful(batch.records))
        return self._partly_checked(task, records, more, numbers) if numbers else records

    def _partly_checked(self, task: Task[R], records: Records, more: list[int], numbers: Container[int]) -> Records:
        """Go through them, but check only those with these numbers."""
        for number, one in enumerate(records):
            yield from self._checked(task, (one,), more) if number in numbers else (one,)

    def _checked(self, task: Task[R], records: Records, more: list[int]) -> Records:
        """Go through them; `more` gets how many more there are than records came."""
        for source, record in records:
            try:
                made = self._made(source, record)
            except Refused as refused:
                task.operator.refuse(source, record, refused)
            else:
                more[0] += len(made) - 1
                for one in made:
                    yield source, one


def _taken(batch: Merged) -> dict[str, int]:
    """Return, of each topic in a batch, the offset after its last record."""
    backwards = batch.sources[::-1]
    last = {tp.topic: backwards.index(n) for n, tp in enumerate(batch.tps) if n in backwards}
    return {topic: batch.records[-1 - place].offset + 1 for topic, place in last.items()}
