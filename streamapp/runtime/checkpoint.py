"""Checkpoints: the steps by which work becomes durable, in their order.

The order is that of Quix Streams' `checkpointing/checkpoint.py`: nothing is committed before its results and its table
changes are on the broker, and a store never has what its changelog lacks. After a crash at any point the input since
the last commit is read again, on top of tables as their changelogs have them.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, cast

from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError, ProducerFenced
from aiokafka.errors import UnknownTopicOrPartitionError as UnknownTopicError
from faust.types import TP, Message

from streamapp.kafka.group import passes
from streamapp.kafka.refusals import RefusedError, name_of, standing, text_of
from streamapp.rate_limit import RateLimit
from streamapp.runtime.batch import Batch
from streamapp.runtime.changelog_limits import ChangelogLimits
from streamapp.runtime.delivery import Delivery, OffsetCommits
from streamapp.runtime.histogram import SECONDS, Histogram
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.output import DeadLetters
from streamapp.runtime.patience import PROBLEM_AFTER_S, Patience
from streamapp.runtime.problems import Problems
from streamapp.runtime.resumption import Resumption
from streamapp.runtime.rows import Tables
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.runtime.work import Results, Work
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.standing import NOTE_EVERY_MS

__all__ = ["Checkpoint", "RowsRefusedError"]

logger = logging.getLogger(__name__)

#: Rows written since the last commit began at which the next one is due, and at which work waits for it to begin:
#: bounds what is kept in memory, when agents are faster than a store.
COMMIT_DUE_ROWS: Final = 100_000
COMMIT_BLOCKING_ROWS: Final = 200_000
#: Seconds before a store that is away is tried again, the first time and at most.
STORE_RETRY_S, STORE_RETRY_MAX_S = 0.1, 5.0
#: The name of a commit that fails.
COMMIT: Final = "commit"
#: What is raised when the partitions belong to others by now.
TAKEN_AWAY: Final = (CommitFailedError, IllegalStateError, ProducerFenced)


class RowsRefusedError(Exception):
    """Rows that their changelogs refused in a commit; they are known now, and refused before the next one."""


class Supervisor(Protocol):
    """Runs the worker: the app."""

    faults: Problems
    patience: Patience

    @property
    def should_stop(self) -> bool:
        """Whether the worker stops."""

    @property
    def rebalancing(self) -> bool:
        """Whether the partitions are about to go."""

    def add_future(self, coro: Coroutine[None, None, None]) -> object:
        """Run something besides."""

    async def crash(self, reason: BaseException) -> None:
        """Stop the worker for a reason."""


class InputConsumer(OffsetCommits, Protocol):
    """The consumer of the input."""

    def finished(self) -> dict[TP, int]:
        """Return the offsets to be committed: of each partition of which more is done."""

    def acknowledge(self, message: Message) -> None:
        """Take note that an agent is done with a message."""

    def drop(self, message: Message) -> None:
        """Wait no more for a message: it will be read again."""

    async def flush_sent(self, tps: Iterable[TP]) -> None:
        """Wait until the broker has what agents on the events of partitions have sent."""

    def rejoin(self) -> None:
        """Have the group rebalance, so that what was not committed is read again."""


class Finished(NamedTuple):
    """What an agent has done with messages, and the results by the partitions that they go to."""

    messages: Sequence[Message]
    work: Work
    results: Sequence[tuple[TP, Results]]


@dataclasses.dataclass
class Checkpoint:
    """Takes finished work in, and commits it from time to time."""

    worker: Supervisor
    consumer: InputConsumer
    tables: Tables
    outbox: Outbox
    delivery: Delivery
    resumption: Resumption
    dead_letters: DeadLetters
    limits: ChangelogLimits
    #: Which errors are about that name no topic.
    group_id: str

    def __post_init__(self) -> None:
        #: How long commits take (s), and how many could not be made: their work is done again.
        self.seconds = Histogram(SECONDS)
        self.failed = 0
        #: Whether nothing more becomes durable before the next generation: something failed to, or the partitions go.
        self.over = False
        #: Set when so much is not committed that it should not wait for its time.
        self.due = asyncio.Event()
        #: Cleared when so much is not committed that no more may come before the next commit has begun.
        self._begun = asyncio.Event()
        self._begun.set()
        self._committing = asyncio.Lock()
        #: What some agents have done with a round, by its partitions, until the others are done with it, too.
        self._unfinished: dict[frozenset[TP], list[Finished]] = {}
        #: When (s) the partitions are to be had anew, after what was done was given up.
        self._rejoining: asyncio.TimerHandle | None = None
        self._noting = RateLimit(NOTE_EVERY_MS / 1000)

    async def finish(self, messages: Sequence[Message], work: Work, generation: int) -> None:
        """Take in the work on messages which an agent is done with: send its results and show its table changes.

        Work that was due by the wall clock has no messages; that of an earlier generation is void.

        Raises:
            RefusedError: if a topic that results are for is not there, or not allowed; then nothing was done.
        """
        await self.outbox.room()
        await self._begun.wait()
        if work.rejected:
            if letters := self.dead_letters.letters(work.rejected):
                work.results.append(Results(self.dead_letters, letters, work.rejected[0].tp, rekeyed=True))
            work.rejected = []
        parts = [part for results in work.results for part in await self.outbox.divided(results)]
        if self.over or generation != self.consumer.generation:
            for message in messages:
                self.consumer.drop(message)
            return
        # From here on nothing is awaited: a commit sees all of the work or nothing.
        for each in self._complete(Finished(messages, work, parts)):
            self._take_effect(each)
        written = sum(len(rows.fresh) for rows in self.tables.partitions())
        if written > COMMIT_DUE_ROWS:
            self.due.set()
        if written > COMMIT_BLOCKING_ROWS:
            self._begun.clear()

    def _complete(self, one: Finished) -> list[Finished]:
        """Return all that was done with a round, once all agents are done with it; before, nothing."""
        if not one.messages:  # due by the wall clock
            return [one]
        together = cast(Batch, one.messages[0].value).round
        finished = [*self._unfinished.pop(together, ()), one]
        times = Counter(message for each in finished for message in each.messages)
        if {message.tp for message, count in times.items() if count == message.refcount} == together:
            return finished
        self._unfinished[together] = finished
        return []

    def _take_effect(self, finished: Finished) -> None:
        for tp, results in finished.results:
            self.outbox.put(tp, results.results, results)
        for rows, changes in finished.work.changes.items():
            rows.merge(changes)
        for rows, before in finished.work.expiry.items():
            rows.expire(before)
        for effect in finished.work.effects:
            effect()
        for message in finished.messages:
            self.consumer.acknowledge(message)

    async def commit(self) -> bool:
        """Make the work that is finished durable; return whether there was any, and it is."""
        if self.over:
            return False  # a commit may still wait for a broker that is away
        async with self._committing:
            self.due.clear()
            if self.over:
                return False
            slow = asyncio.get_running_loop().call_later(PROBLEM_AFTER_S, self._tell_slow)
            began = time.monotonic()
            try:
                committed = await self._commit()
            except StoreError as exc:
                await self.worker.crash(exc)
            except RefusedError as exc:
                self.end()  # first: a worker that stops has a last commit to make
                await self.worker.crash(exc)
            except Exception as exc:
                self.fail(exc)
            else:
                if committed:
                    self.seconds.observe(time.monotonic() - began)
                return committed
            finally:
                slow.cancel()
                self.worker.faults.over(Checkpoint)
            return False

    def _tell_slow(self) -> None:
        topics = ", ".join(sorted({tp.topic for tp in self.outbox.waiting})) or "the offsets"
        text = f"a commit lasts more than {PROBLEM_AFTER_S:g} s: the broker has not taken what goes to {topics}"
        self.worker.faults.report(Checkpoint, text)

    async def _commit(self) -> bool:
        at_ms = int(time.time() * 1000)
        # 1. What is finished: up to where the input is read, and the rows that were written.
        offsets = self.consumer.finished()
        written = [rows for rows in self.tables.partitions() if rows.freeze()]
        self._begun.set()
        if not offsets and not written:
            return False
        self.delivery.cut()
        # 2. The rows go to the changelogs. What a join remembers as done must not be there without its results: after a
        # crash it would take the same input for late. And it must be there before the rows of its tables, which are
        # written once more then: records from before would join rows from after them.
        states = [rows for rows in written if isinstance(rows, OrderedUncommitted)]
        for part in (states, [rows for rows in written if rows not in states]):
            if not self.delivery.atomic:
                await self.outbox.settle()
            for rows in part:
                self.outbox.put(rows.changelog, rows.records(), rows, amends=True)
        # 3. The broker has all results, dead letters and changelog records.
        await self.outbox.settle()
        await self._check_rows(written)
        await self.consumer.flush_sent(offsets)
        # 4. The input is committed.
        await self._commit_offsets(offsets)
        # 5. The stores get the rows, with the changelog's offset, which says from where a recovery has to read.
        for rows in written:
            await self._store(rows)
        for name in (COMMIT, self.group_id):
            self.worker.patience.over(name)
        if offsets or self.delivery.atomic:  # by these the broker has seen that the partitions are still this worker's
            await self._note_in_step(at_ms)
        return True

    async def _check_rows(self, written: Sequence[Uncommitted]) -> None:
        """Raise an error if the changelogs have refused rows: the records of these are found once they come again."""
        refused = [(rows.changelog.topic, *one) for rows in written for one in rows.refusals]
        for topic, result, error in refused:
            await self.limits.learn(topic, result, error)
        if not refused:
            return
        if not self.delivery.atomic:
            # The changelog has the other rows for good. The state of a join is put back to what it was: its rows only
            # go together, and one of them says what they have taken in.
            for rows in written:
                if rows.refusals and isinstance(rows, OrderedUncommitted):
                    self.outbox.put(rows.changelog, rows.undone(), rows, amends=True)
            await self.outbox.settle()
        topic, _, error = refused[0]
        raise RowsRefusedError(f"the changelog {topic} refuses {len(refused)} rows: {error}")

    async def _commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets; what somebody has to mend is tried again here, since all else of the commit is done."""
        self.resumption.progress(offsets)
        while True:
            try:
                await self.delivery.commit(offsets)
            except TimeoutError:  # aiokafka asks again and again, and does not say what for
                if missing := await self.outbox.topics.missing(offsets.keys()):
                    raise UnknownTopicError(missing) from None
                raise
            except KafkaError as exc:
                if self.delivery.atomic or not standing(type(exc)):
                    raise
                name = name_of(exc, self.group_id)
                if isinstance(exc, UnknownTopicError):  # of an input topic: aiokafka does not say which
                    name = ", ".join(sorted(await self.outbox.topics.missing(offsets.keys()))) or name
                await asyncio.sleep(self.worker.patience.failed(name, exc))
            else:
                return

    async def _store(self, rows: Uncommitted) -> None:
        """Put rows, which are in the changelog, into their store; wait for it unless the partitions are about to go."""
        wait = STORE_RETRY_S
        while True:
            try:
                await asyncio.to_thread(rows.store)
            except StoreUnreachableError as exc:
                if self.worker.should_stop or self.worker.rebalancing:
                    raise
                logger.warning("The commit waits: %s", exc)
                await asyncio.sleep(wait)
                wait = min(2 * wait, STORE_RETRY_MAX_S)
            else:
                return

    async def _note_in_step(self, at_ms: int) -> None:
        """Keep with the stores, once in a while, that they had all of their changelogs at this time (ms)."""
        if not self._noting.due("in step"):
            return
        owned, inputs = self.tables.partitions(active=True), self.resumption.positions.ids

        def note() -> None:
            for rows in owned:
                rows.in_step(at_ms, inputs)

        with contextlib.suppress(StoreUnreachableError):
            await asyncio.to_thread(note)

    def fail(self, error: Exception) -> None:
        """Give all up that is not committed, and have it read again, as after a rebalance."""
        if self.over:
            return
        self.failed += 1
        self._tell(error)
        self.end()
        name = name_of(error, self.group_id) if standing(type(error)) else COMMIT
        try:
            wait = self.worker.patience.failed(name, error)
        except RefusedError as refused:
            self.worker.add_future(self.worker.crash(refused.with_traceback(None)))
        else:
            self._rejoining = asyncio.get_running_loop().call_later(wait, self.consumer.rejoin)

    def _tell(self, error: Exception) -> None:
        again = "Work since the last commit is given up and done again: %s"
        if isinstance(error, (ProducerFenced, CommitFailedError)):
            logger.warning("Work since the last commit is given up: another worker has its partitions now")
        elif standing(type(error)):
            logger.warning(again, text_of(error, name_of(error, self.group_id)))
        elif isinstance(error, (RowsRefusedError, StoreBehindError, StoreUnreachableError)):
            logger.warning(again, error)
        elif not self.worker.should_stop:
            logger.error(again, repr(error), exc_info=error)

    def end(self) -> None:
        """Take no more work in before the next generation: its input is read again, maybe elsewhere."""
        self.over = True
        self._begun.set()

    def begin(self) -> None:
        """Begin anew, with the partitions of a new generation: what was not committed is read again."""
        if self._rejoining is not None:
            self._rejoining.cancel()
        self.over = False
        self._unfinished.clear()
        self.outbox.forget()
        for rows in self.tables.partitions():
            rows.forget()

    async def open(self, inputs: Collection[TP]) -> bool:
        """Get ready to deliver what comes of these input partitions, before they and the changelogs are read.

        Returns whether that was possible; else the group rebalances once more.

        Raises:
            KafkaError: if the broker does not allow it.
        """

        async def open_() -> None:
            # What is committed has to be known before the delivery commits it in its own name.
            await self.resumption.note(inputs)
            await self.delivery.open(inputs)

        return await self._tried(open_)

    async def resume(self, partitions: Collection[TP]) -> bool:
        """Make sure that what is committed of these partitions goes with the tables, which are up to date by now.

        Returns whether that was possible; else the group rebalances once more.

        Raises:
            KafkaError: if the broker does not allow it.
            StateError: if it does not go with them.
        """

        async def resume() -> None:
            if placed := await self.resumption.begin(partitions):
                await self.delivery.commit(placed)

        return await self._tried(resume)

    async def _tried(self, step: Callable[[], Awaitable[None]]) -> bool:
        """Take a step of the beginning of a generation; one that fails for now gives the generation up."""
        try:
            await step()
        except (KafkaError, TimeoutError, StoreBehindError, StoreUnreachableError) as exc:
            told = isinstance(exc, TAKEN_AWAY) or passes(exc) or standing(type(exc))
            if isinstance(exc, KafkaError) and not told:
                raise
            self.fail(exc)
            return False
        return True
