"""Checkpoints: the steps by which work becomes durable, in their order.

The order is that of Quix Streams' `checkpointing/checkpoint.py`: nothing is committed before its results and its table
changes are on the broker, and a store never has what its changelog lacks. After a crash at any point the input since
the last commit is read again, on top of tables as their changelogs have them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    ProducerFenced,
    UnknownTopicOrPartitionError,
)
from faust.types import TP

from streamapp.kafka.group import passes
from streamapp.kafka.partitioner import partitions
from streamapp.kafka.refusals import RefusedError, name_of, standing, text_of
from streamapp.rate_limit import RateLimit
from streamapp.runtime.delivery import AtLeastOnce, Delivery, ExactlyOnce
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.patience import PROBLEM_AFTER_S, Patience
from streamapp.runtime.settling import RowsRefusedError, Settling
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Results, Work
from streamapp.settings import Guarantee
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.standing import NOTE_EVERY_MS

__all__ = ["Checkpoint"]

logger = logging.getLogger(__name__)

#: Rows written since the last commit began at which the next one is due, and at which work waits for it to begin:
#: bounds what is kept in memory, when agents are faster than a store.
ROWS: Final = 100_000
ROWS_AT_MOST: Final = 200_000
#: Seconds before a store that is away is tried again, the first time and at most.
WAIT, WAIT_AT_MOST = 0.1, 5.0
#: The name of a commit that fails.
COMMIT: Final = "commit"
#: What is raised when the partitions belong to others by now.
TAKEN_AWAY: Final = (CommitFailedError, IllegalStateError, ProducerFenced)


class Finished(NamedTuple):
    """What an agent has done with messages, and the results by the partitions that they go to."""

    messages: Sequence[Any]
    work: Work
    results: Sequence[tuple[TP, Results]]


class Checkpoint:
    """Takes finished work in, and commits it from time to time.

    Args:
        app: the app whose tables, producer and consumer take part.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._patience: Patience = app.patience
        self._outbox = Outbox(self._patience)
        self._settling = Settling(app, self._outbox)
        #: When (s) the partitions are to be had anew, after what was done was given up.
        self._rejoining: asyncio.TimerHandle | None = None
        exactly_once = app.settings.processing_guarantee is Guarantee.EXACTLY_ONCE
        self._delivery: Delivery = (ExactlyOnce if exactly_once else AtLeastOnce)(app, self._outbox)
        #: By the partitions of a round, what some agents have done with it that others are at still.
        self._rounds: dict[frozenset[TP], list[Finished]] = {}
        self._committing = asyncio.Lock()
        #: Whether nothing more may become durable in this generation: something failed to, or the partitions go.
        self._over = False
        #: Set when so much is not committed that it should not wait for its time.
        self.due = asyncio.Event()
        #: Cleared when so much is not committed that no more may come before the next commit has begun.
        self._begun = asyncio.Event()
        self._begun.set()
        self._noting = RateLimit(NOTE_EVERY_MS / 1000)

    async def finish(self, messages: Sequence[Any], work: Work, generation: int) -> None:
        """Take in the work on messages which an agent is done with: send its results and show its table changes.

        Args:
            messages: none, for work that was due by the wall clock.
            work: what was done.
            generation: the one in which it was begun; the work of an earlier one is void.

        Raises:
            RefusedError: if a topic that results are for is not there, or not allowed; then nothing was done.
        """
        await self._outbox.room()
        await self._begun.wait()
        if work.rejected:
            if letters := self._app.dead_letters.letters(work.rejected):
                work.results.append(Results(self._app.dead_letters, letters, work.rejected[0].tp, rekeyed=True))
            work.rejected = []
        parts = [part for results in work.results for part in await self._divided(results)]
        if self._over or generation != self._app.consumer_generation_id:
            for message in messages:
                self._app.consumer.drop(message)
            return
        # From here on nothing is awaited: a commit sees all of the work or nothing.
        finished = [Finished(messages, work, parts)]
        if messages:
            together = messages[0].value.round
            finished = self._rounds[together] = [*self._rounds.get(together, ()), *finished]
            if not _complete(together, finished):
                return  # others are at it still, and it is to be committed as a whole
            del self._rounds[together]
        for each in finished:
            self._take_effect(each)
        written = sum(len(rows.fresh) for rows in self._tables())
        if written > ROWS:
            self.due.set()
        if written > ROWS_AT_MOST:
            self._begun.clear()

    def _take_effect(self, finished: Finished) -> None:
        for tp, results in finished.results:
            self._outbox.put(tp, results.results, results)
        for rows, changes in finished.work.changes.items():
            rows.merge(changes)
        for rows, before in finished.work.expiry.items():
            rows.expire(before)
        for effect in finished.work.effects:
            effect()
        for message in finished.messages:
            if message.ack(self._app.consumer):
                self._app.read[message.topic] += len(message.value)

    async def send(self, results: Results) -> None:
        """Send results outside of a batch's work, with the commit under way."""
        for tp, part in await self._divided(results):
            self._outbox.put(tp, part.results, part, amends=True)

    async def _divided(self, results: Results) -> list[tuple[TP, Results]]:
        topic, source = results.output.topic, results.source
        self._app.retention.look(topic, results.results[0][0].timestamp, results.results[-1][0].timestamp)
        count = await self._settling.partition_count(topic)
        if not results.rekeyed and count == await self._app.producer.partition_count(source.topic):
            return [(TP(topic, source.partition), results)]
        return [
            (TP(topic, number), Results(results.output, part, source, rekeyed=True, origin=results.origin))
            for number, part in partitions(results.results, count).items()
        ]

    @property
    def over(self) -> bool:
        """Whether nothing more becomes durable before the next generation."""
        return self._over

    async def commit(self) -> bool:
        """Make the work that is finished durable.

        Returns:
            whether there was any, and it is.
        """
        if self._over:
            return False  # a commit may still wait for a broker that is away
        async with self._committing:
            self.due.clear()
            if self._over:
                return False
            slow = asyncio.get_running_loop().call_later(PROBLEM_AFTER_S, self._tell_slow)
            try:
                return await self._commit()
            except StoreError as exc:
                await self._app.crash(exc)
            except RefusedError as exc:
                self.end()  # first: a worker that stops has a last commit to make
                await self._app.crash(exc)
            except Exception as exc:
                self.fail(exc)
            finally:
                slow.cancel()
                self._app.faults.over(Checkpoint)
            return False

    def _tell_slow(self) -> None:
        topics = ", ".join(sorted({tp.topic for tp in self._outbox.waiting})) or "the offsets"
        text = f"a commit lasts more than {PROBLEM_AFTER_S:g} s: the broker has not taken what goes to {topics}"
        self._app.faults.report(Checkpoint, text)

    async def _commit(self) -> bool:
        at_ms = int(time.time() * 1000)
        # 1. What is finished: up to where the input is read, and the rows that were written.
        offsets = self._app.consumer.finished()
        written = [rows for rows in self._tables() if rows.freeze()]
        self._begun.set()
        if not offsets and not written:
            return False
        self._delivery.cut()
        # 2. The rows go to the changelogs. What a join remembers as done must not be there without its results: after
        # a crash it would take the same input for late.
        if not self._delivery.atomic:
            await self._settling.settle()
        for rows in written:
            self._outbox.put(rows.changelog, rows.records(), rows, amends=True)
        # 3. The broker has all results, dead letters and changelog records.
        await self._settling.settle()
        await self._settling.check_rows(written, not self._delivery.atomic)
        # 4. The input is committed.
        await self._commit_offsets(offsets)
        # 5. The stores get the rows, with the changelog's offset, which says from where a recovery has to read.
        for rows in written:
            await self._store(rows)
        for name in (COMMIT, self._app.conf.id):
            self._patience.over(name)
        if offsets or self._delivery.atomic:  # by these the broker has seen that the partitions are still this worker's
            await self._note_in_step(at_ms)
        return True

    async def _note_in_step(self, at_ms: int) -> None:
        """Keep with the stores, once in a while, that they had all of their changelogs at this time (ms)."""
        if not self._noting.due("in step"):
            return
        actives = self._app.assignor.assigned_actives()
        owned = [rows for rows in self._tables() if rows.changelog in actives]
        with contextlib.suppress(StoreUnreachableError):
            await asyncio.to_thread(_note_in_step, owned, at_ms, self._app.consumer.positions.ids)

    async def _commit_offsets(self, offsets: Mapping[TP, int]) -> None:
        """Commit the offsets; what somebody has to mend is tried again here, since all else of the commit is done."""
        while True:
            try:
                await self._delivery.commit(offsets)
            except TimeoutError:  # aiokafka asks again and again, and does not say what for
                if missing := await self._app.producer.missing(offsets.keys()):
                    raise UnknownTopicOrPartitionError(missing) from None
                raise
            except KafkaError as exc:
                if self._delivery.atomic or not standing(type(exc)):
                    raise
                name = name_of(exc, self._app.conf.id)
                if isinstance(exc, UnknownTopicOrPartitionError):  # of an input topic: aiokafka does not say which
                    name = ", ".join(sorted(await self._app.producer.missing(offsets.keys()))) or name
                await asyncio.sleep(self._patience.failed(name, exc))
            else:
                return

    async def _store(self, rows: Uncommitted) -> None:
        """Put rows into their store; wait for it if it is away, unless the partitions are about to go.

        They are in the changelog by now, from which whoever has the partition next reads them.
        """
        wait = WAIT
        while True:
            try:
                await asyncio.to_thread(rows.store)
            except StoreUnreachableError as exc:
                if self._app.should_stop or self._app.rebalancing:
                    raise
                logger.warning("The commit waits: %s", exc)
                await asyncio.sleep(wait)
                wait = min(2 * wait, WAIT_AT_MOST)
            else:
                return

    def fail(self, error: Exception) -> None:
        """Give all up that is not committed, and have it read again, as after a rebalance."""
        if self._over:
            return
        if isinstance(error, (StoreBehindError, StoreUnreachableError)):
            logger.warning("Work since the last commit is given up and done again: %s", error)
        elif isinstance(error, (ProducerFenced, CommitFailedError)):
            logger.warning("Work since the last commit is given up: another worker has its partitions now")
        elif isinstance(error, RowsRefusedError) or standing(type(error)):
            told = text_of(error, name_of(error, self._app.conf.id)) if standing(type(error)) else error
            logger.warning("Work since the last commit is given up and done again: %s", told)
        elif not self._app.should_stop:
            logger.error("Work since the last commit is given up and done again: %r", error, exc_info=error)
        self.end()
        name = name_of(error, self._app.conf.id) if standing(type(error)) else COMMIT
        try:
            wait = self._patience.failed(name, error)
        except RefusedError as refused:
            self._app.add_future(self._app.crash(refused.with_traceback(None)))
        else:
            self._rejoining = asyncio.get_running_loop().call_later(wait, self._app.consumer.rejoin)

    def end(self) -> None:
        """Take no more work in before the next generation: its input is read again, maybe elsewhere.

        The broker would commit it up to the end of the rebalance still, but the offsets of its input are forgotten.
        """
        self._over = True
        self._begun.set()

    def begin(self) -> None:
        """Begin anew, with the partitions of a new generation: what was not committed is read again."""
        if self._rejoining is not None:
            self._rejoining.cancel()
        self._over = False
        self._rounds.clear()
        self._outbox.forget()
        for rows in self._tables():
            rows.forget()

    async def open(self, partitions: Iterable[TP]) -> bool:
        """Get ready to deliver what comes of these partitions, before they and their changelogs are read.

        Returns:
            whether it is; else the group rebalances once more.

        Raises:
            KafkaError: if the broker does not allow it.
        """
        mine = [tp for tp in partitions if self._app.topics.acks_enabled_for(tp.topic)]

        async def open_() -> None:
            # What is committed has to be known before the delivery commits it in its own name.
            self._app.resumption.note(await self._app.consumer.group.committed_now(mine), mine)
            await self._delivery.open(partitions)

        return await self._tried(open_)

    async def resume(self, partitions: Collection[TP]) -> bool:
        """Make sure that what is committed of these partitions goes with the tables, which are up to date by now.

        Returns:
            whether it was possible to; else the group rebalances once more.

        Raises:
            KafkaError: if the broker does not allow it.
            StateError: if it does not go with them.
        """

        async def resume() -> None:
            await self._delivery.place(await self._app.resumption.begin(partitions))

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

    async def close(self) -> None:
        """Stop: nothing more will be committed."""
        await self._delivery.close()

    def _tables(self) -> list[Uncommitted]:
        tables = self._app.row_tables
        return [rows for table in tables for rows in table.data.partitions.values()]


def _note_in_step(tables: Iterable[Uncommitted], at_ms: int, inputs: Mapping[str, str]) -> None:
    for rows in tables:
        rows.in_step(at_ms, inputs)


def _complete(together: frozenset[TP], finished: Iterable[Finished]) -> bool:
    """Tell whether all agents are done with all messages of a round."""
    times = Counter(message for each in finished for message in each.messages)
    return {message.tp for message, count in times.items() if count == message.refcount} == together
