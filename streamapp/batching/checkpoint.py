"""Checkpoints: the steps by which work becomes durable, in their order.

The order is that of Quix Streams' `checkpointing/checkpoint.py`: nothing is committed before its results and its table
changes are on the broker, and a store never has what its changelog lacks. After a crash at any point the input since
the last commit is read again, on top of tables as their changelogs have them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerFenced
from faust.types import TP

from streamapp.batching.delivery import AtLeastOnce, Delivery, ExactlyOnce
from streamapp.batching.group import passes
from streamapp.batching.outbox import Outbox, Sending
from streamapp.batching.output import Results, partitions
from streamapp.batching.work import Work
from streamapp.settings import Guarantee
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.store import PartitionedStore
from streamapp.stores.uncommitted import Uncommitted

__all__ = ["Checkpoint"]

logger = logging.getLogger(__name__)

#: Rows written since the last commit began at which the next one is due, and at which work waits for it to begin:
#: bounds what is kept in memory, when agents are faster than a store.
ROWS: Final = 100_000
ROWS_AT_MOST: Final = 200_000
#: Seconds before a store that is away is tried again, the first time and at most.
WAIT, WAIT_AT_MOST = 0.1, 5.0


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
        self._outbox = Outbox()
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

    async def finish(self, messages: Sequence[Any], work: Work, generation: int) -> None:
        """Take in the work on messages which an agent is done with: send its results and show its table changes.

        Args:
            messages: none, for work that was due by the wall clock.
            work: what was done.
            generation: the one in which it was begun; the work of an earlier one is void.

        Raises:
            KafkaError: if the broker does not know a topic that results are for; then nothing was done.
        """
        await self._outbox.room()
        await self._begun.wait()
        if work.rejected:
            letters = self._app.dead_letters.letters(work.rejected)
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
        count = await self._app.producer.partition_count(topic)
        if not results.rekeyed and count == await self._app.producer.partition_count(source.topic):
            return [(TP(topic, source.partition), results)]
        return [
            (TP(topic, number), Results(results.output, part, source, rekeyed=True))
            for number, part in partitions(results.results, count).items()
        ]

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
            try:
                return await self._commit()
            except StoreError as exc:
                await self._app.crash(exc)
            except Exception as exc:
                self.fail(exc)
            return False

    async def _commit(self) -> bool:
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
            await self._settle()
        for rows in written:
            self._outbox.put(rows.changelog, rows.records(), rows, amends=True)
        # 3. The broker has all results, dead letters and changelog records.
        await self._settle()
        # 4. The input is committed.
        await self._delivery.commit(offsets)
        # 5. The stores get the rows, with the changelog's offset, which says from where a recovery has to read.
        for rows in written:
            await self._store(rows)
        return True

    async def _settle(self) -> None:
        while failed := await self._outbox.settle():
            for sending in failed:
                await self._send_again(sending)

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

    async def _send_again(self, sending: Sending) -> None:
        """Find the record that is too large for its topic.

        Raises:
            Exception: what was wrong with the record batch, if it was not its size.
        """
        error = sending.arrived.exception()
        if not isinstance(error, MessageSizeTooLargeError):
            raise error or KafkaError("a record batch failed without an error")
        # The broker refuses a record batch as a whole: first those that it was made of tell, then the halves of one.
        results, middle = sending.results, len(sending.results) // 2
        if sending.alone and not middle:
            await sending.to.refused(results[0])
            return
        for part in (results[:middle], results[middle:]) if sending.alone else (results,):
            self._outbox.put(sending.tp, part, sending.to, amends=True, alone=True)

    def fail(self, error: Exception) -> None:
        """Give all up that is not committed, and have it read again, as after a rebalance."""
        if self._over:
            return
        if isinstance(error, (StoreBehindError, StoreUnreachableError)):
            logger.warning("Work since the last commit is given up and done again: %s", error)
        elif isinstance(error, ProducerFenced):
            logger.warning("Work since the last commit is given up: another worker has its partitions now")
        elif not self._app.should_stop:
            logger.error("Work since the last commit is given up and done again: %r", error, exc_info=error)
        self.end()
        self._app.consumer.rejoin()

    def end(self) -> None:
        """Take no more work in before the next generation: its input is read again, maybe elsewhere.

        The broker would commit it up to the end of the rebalance still, but the offsets of its input are forgotten.
        """
        self._over = True
        self._begun.set()

    def begin(self) -> None:
        """Begin anew, with the partitions of a new generation: what was not committed is read again."""
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
        try:
            await self._delivery.open(partitions)
        except (KafkaError, TimeoutError) as exc:
            if not isinstance(exc, TimeoutError | ProducerFenced) and not passes(exc):
                raise
            self.fail(exc)
            return False
        return True

    async def close(self) -> None:
        """Stop: nothing more will be committed."""
        await self._delivery.close()

    def _tables(self) -> list[Uncommitted]:
        tables = [table for table in self._app.tables.values() if isinstance(table.data, PartitionedStore)]
        return [rows for table in tables for rows in table.data.partitions.values()]


def _complete(together: frozenset[TP], finished: Iterable[Finished]) -> bool:
    """Tell whether all agents are done with all messages of a round."""
    times = Counter(message for each in finished for message in each.messages)
    return {message.tp for message, count in times.items() if count == message.refcount} == together
