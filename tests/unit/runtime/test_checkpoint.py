"""Work becomes durable as a whole and in steps: results, rows, offsets, stores; or it is given up and done again."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar, cast

import pytest
from aiokafka.errors import CommitFailedError, InvalidGroupIdError, MessageSizeTooLargeError, NotEnoughReplicasError
from faust.types import TP, Message
from outboxes import InstantProducer, outbox_of

from streamapp.formats.undecodable import Reason
from streamapp.joins import Row
from streamapp.kafka.record import Envelope
from streamapp.kafka.refusals import Cause, RecordRefusedError
from streamapp.runtime import checkpoint as module
from streamapp.runtime.batch import Batch
from streamapp.runtime.checkpoint import Checkpoint
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.runtime.watch import Watch
from streamapp.runtime.work import Rejected
from streamapp.stores.errors import StoreError, StoreUnreachableError
from streamapp.stores.memory import MemoryPartition, OrderedMemoryPartition
from streamapp.stores.partition import Changes

CLICKS, VIEWS, CHANGELOG = TP("clicks", 0), TP("views", 0), TP("changelog", 0)
ROWS = {b"u1": Row(b"new", 1)}


class Worker:
    """An app as the checkpoint knows it."""

    def __init__(self) -> None:
        self.faults = Problems()
        self.patience = Patience(self.faults)
        self.should_stop = self.rebalancing = False
        self.crashes: list[BaseException] = []

    def add_future(self, coro: Coroutine[None, None, None]) -> object:
        return asyncio.ensure_future(coro)

    async def crash(self, reason: BaseException) -> None:
        self.crashes.append(reason)


class Consumer:
    """The consumer of the input: it takes note of what becomes of messages."""

    def __init__(self, steps: list[str]) -> None:
        self.generation = 1
        self.steps = steps
        self.done: dict[TP, int] = {}
        self.dropped: list[Message] = []
        self.rejoined = asyncio.Event()

    def finished(self) -> dict[TP, int]:
        return dict(self.done)

    def acknowledge(self, message: Message) -> None:
        self.done[message.tp] = message.offset + 1

    def drop(self, message: Message) -> None:
        self.dropped.append(message)

    async def flush_sent(self, tps: Iterable[TP]) -> None:
        """Agents have sent nothing else."""

    async def commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """The delivery commits here."""

    def committed(self, offsets: Mapping[TP, int]) -> None:
        """The delivery commits here."""

    def rejoin(self) -> None:
        self.rejoined.set()


class Store(OrderedMemoryPartition):
    """A store that says when it is written, and fails first as often as it is told to."""

    def __init__(self, steps: list[str]) -> None:
        super().__init__()
        self.steps = steps
        self.failures: list[Exception] = []

    def write(self, changes: Changes, offset: int) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.steps.append(f"store: {len(changes)} up to {offset}")
        super().write(changes, offset)


class Delivery:
    """A guarantee that says when it commits, and fails first if it is told to."""

    atomic: ClassVar[bool] = False

    def __init__(self, case: Case) -> None:
        self._case = case
        self.error: Exception | None = None

    def cut(self) -> None:
        self._case.outbox.cut(self._case.producer)

    async def open(self, inputs: Collection[TP]) -> None:
        if self.error is not None:
            raise self.error

    async def commit(self, offsets: Mapping[TP, int]) -> None:
        await self.open(())
        self._case.steps.append("offsets: " + ", ".join(f"{tp.topic} {offset}" for tp, offset in offsets.items()))


class Atomic(Delivery):
    """One whose commit makes all valid at once."""

    atomic = True


class Limits:
    """What refused rows have told of the changelogs."""

    def __init__(self) -> None:
        self.learned: list[str] = []

    async def learn(self, topic: str, result: object, error: RecordRefusedError) -> None:
        self.learned.append(topic)


class Case:
    """A checkpoint with one table partition, and what happens on its broker, in order."""

    def __init__(self, kind: type[Delivery]) -> None:
        self.steps: list[str] = []
        self.producer = InstantProducer(self.steps)
        self.outbox = outbox_of(self.producer, clicks=1, views=1, joined=1, dead_letters=1)
        self.store = Store(self.steps)
        self.rows = OrderedUncommitted(self.store, CHANGELOG)
        self.tables: list[Uncommitted] = [self.rows]
        self.worker, self.consumer, self.limits, self.delivery = (
            Worker(), Consumer(self.steps), Limits(), kind(self)
        )  # fmt: skip
        app = SimpleNamespace(watch=Watch(Problems(), Counter(), share=1))
        self.dead_letters = app.dead_letters = DeadLetters(cast(Any, app), "dead_letters")
        self.joined = Output(cast(Any, app), "joined")
        self.placed: dict[TP, int] = {}
        self.checkpoint = Checkpoint(
            self.worker,
            self.consumer,
            cast(Any, SimpleNamespace(partitions=self.partitions)),
            self.outbox,
            cast(Any, self.delivery),
            cast(Any, SimpleNamespace(note=self.nothing, begin=self.resumed, progress=self.progress,
                                      positions=SimpleNamespace(ids={}))),
            self.dead_letters,
            cast(Any, self.limits),
            "group",
        )  # fmt: skip

    def partitions(self, *, active: bool = False) -> list[Uncommitted]:
        return self.tables

    async def nothing(self, partitions: Collection[TP]) -> None:
        """Nothing is committed yet."""

    async def resumed(self, partitions: Collection[TP]) -> dict[TP, int]:
        return self.placed

    def progress(self, offsets: Mapping[TP, int]) -> None:
        """Nothing else asks how far it is."""

    def batch(self, tp: TP = CLICKS, *, rows: Changes = ROWS, results: int = 2, offset: int = 7) -> Batch:
        """Return a batch with what an agent has done with it."""
        record: Any = SimpleNamespace(offset=offset, timestamp=1, key=b"u1", value=b"{}", headers=[])
        batch = Batch(tp, [record])
        self.joined.send(batch, [(Envelope(b"u1", 1), b"result")] * results)
        if rows:
            batch.work.changes[self.rows] = dict(rows)
        return batch

    async def finish(self, *batches: Batch, generation: int = 1) -> list[Message]:
        """Have agents be done with batches, each with its own."""
        messages = []
        for batch in batches:
            message: Any = batch.message(generation)
            message.incref()
            await self.checkpoint.finish([message], batch.work, generation)
            messages.append(message)
        return messages


def run(scenario: Callable[[Case], Awaitable[None]], kind: type[Delivery] = Delivery) -> None:
    async def main() -> None:
        case = Case(kind)
        case.outbox.use(case.producer)
        await scenario(case)

    asyncio.run(main())


@pytest.mark.parametrize("kind", [Delivery, Atomic])
def test_results_and_rows_are_on_the_broker_before_the_offsets_and_stores_come_last(kind: type[Delivery]) -> None:
    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        assert await case.checkpoint.commit()
        assert case.steps == ["joined: 2", "changelog: 1", "offsets: clicks 8", "store: 1 up to 1"]
        assert case.store.get(b"u1") == ROWS[b"u1"]

    run(scenario, kind)


def test_what_a_join_remembers_goes_to_its_changelog_before_the_rows_of_its_tables() -> None:
    async def scenario(case: Case) -> None:
        batch, rows = case.batch(), Uncommitted(MemoryPartition(), TP("table", 0))
        batch.work.changes[rows] = dict(ROWS)
        case.tables.append(rows)
        await case.finish(batch)
        assert await case.checkpoint.commit()
        assert case.steps[:3] == ["joined: 2", "changelog: 1", "table: 1"]

    run(scenario)


def test_without_work_there_is_nothing_to_commit() -> None:
    async def scenario(case: Case) -> None:
        assert not await case.checkpoint.commit()
        assert case.steps == []

    run(scenario)


def test_work_takes_effect_once_all_agents_are_done_with_its_round() -> None:
    async def scenario(case: Case) -> None:
        clicks, views = case.batch(CLICKS), case.batch(VIEWS, rows={})
        clicks.round = views.round = frozenset((CLICKS, VIEWS))
        await case.finish(clicks)
        assert (case.rows.get(b"u1"), case.consumer.done) == (None, {})
        await case.finish(views)
        assert (case.rows.get(b"u1"), case.consumer.done) == (ROWS[b"u1"], {CLICKS: 8, VIEWS: 8})

    run(scenario)


def test_work_of_an_earlier_generation_is_void() -> None:
    async def scenario(case: Case) -> None:
        batch = case.batch()
        case.consumer.generation = 2
        assert case.consumer.dropped == await case.finish(batch, generation=1)
        assert (case.rows.get(b"u1"), case.consumer.done) == (None, {})

    run(scenario)


def test_a_rejected_record_is_a_dead_letter_of_the_same_commit() -> None:
    async def scenario(case: Case) -> None:
        batch = case.batch(rows={}, results=0)
        batch.work.rejected.append(Rejected(CLICKS, batch.records[0], Reason.NOT_JSON, "no JSON"))
        await case.finish(batch)
        assert await case.checkpoint.commit()
        assert case.steps == ["dead_letters: 1", "offsets: clicks 8"]
        assert case.dead_letters.counts == {("clicks", Reason.NOT_JSON): 1}

    run(scenario)


def test_a_result_that_the_broker_refuses_is_a_dead_letter_before_the_offsets_are_committed() -> None:
    async def scenario(case: Case) -> None:
        batch = case.batch(rows={}, results=0)
        case.joined.send(batch, [(cast(Any, batch.records[0]), b"large")])
        case.producer.errors["joined"] = RecordRefusedError(MessageSizeTooLargeError, Cause.TOO_LARGE)
        await case.finish(batch)
        assert await case.checkpoint.commit()
        assert case.steps == ["dead_letters: 1", "offsets: clicks 8"]

    run(scenario)


@pytest.mark.parametrize("error", [NotEnoughReplicasError(), CommitFailedError(), TimeoutError(), ValueError("bug")])
def test_a_commit_that_fails_is_given_up_and_its_input_read_again(error: Exception) -> None:
    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        case.delivery.error = error
        assert not await case.checkpoint.commit()
        assert case.checkpoint.over
        async with asyncio.timeout(60):
            await case.consumer.rejoined.wait()
        assert case.store.get(b"u1") is None
        case.checkpoint.begin()
        assert (case.checkpoint.over, case.rows.get(b"u1")) == (False, None)

    run(scenario)


def test_nothing_more_is_taken_in_or_committed_once_the_partitions_go() -> None:
    async def scenario(case: Case) -> None:
        case.checkpoint.end()
        assert case.consumer.dropped == await case.finish(case.batch())
        assert not await case.checkpoint.commit()
        assert case.steps == []

    run(scenario)


@pytest.mark.parametrize(("kind", "undone"), [(Delivery, ["changelog: 1"]), (Atomic, [])])
def test_rows_that_are_refused_give_the_commit_up_and_the_others_are_undone_where_they_are_valid(
    kind: type[Delivery], undone: Sequence[str]
) -> None:
    async def scenario(case: Case) -> None:
        await case.finish(case.batch(results=0))
        case.producer.errors["changelog"] = RecordRefusedError(MessageSizeTooLargeError, Cause.TOO_LARGE)
        assert not await case.checkpoint.commit()
        assert case.limits.learned == ["changelog"]
        assert (case.checkpoint.over, case.steps) == (True, undone)

    run(scenario, kind)


def test_a_store_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STORE_RETRY_S", 0.0)

    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        case.store.failures = [StoreUnreachableError("away")] * 3
        assert await case.checkpoint.commit()
        assert case.steps[-1] == "store: 1 up to 1"

    run(scenario)


def test_a_store_that_is_away_is_not_waited_for_by_a_worker_that_stops() -> None:
    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        case.worker.should_stop = True
        case.store.failures = [StoreUnreachableError("away")]
        assert not await case.checkpoint.commit()
        assert case.checkpoint.over

    run(scenario)


def test_a_store_that_cannot_be_written_stops_the_worker() -> None:
    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        case.store.failures = [StoreError("the disk is full")]
        assert not await case.checkpoint.commit()
        assert list(map(str, case.worker.crashes)) == ["the disk is full"]

    run(scenario)


def test_work_waits_while_too_many_rows_wait_for_a_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COMMIT_DUE_ROWS", 0)
    monkeypatch.setattr(module, "COMMIT_BLOCKING_ROWS", 0)

    async def scenario(case: Case) -> None:
        await case.finish(case.batch())
        assert case.checkpoint.due.is_set()
        waiting = asyncio.create_task(case.finish(case.batch(offset=9)))
        await asyncio.sleep(0)
        assert not waiting.done()
        assert await case.checkpoint.commit()
        await waiting
        assert case.consumer.done == {CLICKS: 10}

    run(scenario)


def test_a_generation_whose_beginning_fails_for_now_is_given_up() -> None:
    async def scenario(case: Case) -> None:
        assert await case.checkpoint.open([CLICKS])
        case.delivery.error = NotEnoughReplicasError()
        assert not await case.checkpoint.open([CLICKS])
        assert case.checkpoint.over

    run(scenario)


def test_a_generation_whose_beginning_fails_for_good_says_so() -> None:
    async def scenario(case: Case) -> None:
        case.delivery.error = InvalidGroupIdError()
        with pytest.raises(InvalidGroupIdError):
            await case.checkpoint.open([CLICKS])

    run(scenario)


def test_where_partitions_are_placed_is_committed_before_they_are_read() -> None:
    async def scenario(case: Case) -> None:
        case.placed = {CLICKS: 3}
        assert await case.checkpoint.resume([CLICKS, CHANGELOG])
        assert case.steps == ["offsets: clicks 3"]

    run(scenario)
