"""The outbox: results and rows on their way to the broker, in order, each partition's one record batch after the other.

aiokafka has one record batch of a partition under way and one waiting, and has its caller wait for more room. An agent
must not: so what waits here and there grows, record batch by record batch, until aiokafka takes it. Thus many small
results go as one record batch when the broker is slower than they come. Only when too much has piled up does the work
stop.

What the broker refuses is sent again: a record batch without the records that it is refused for, whose place others
take (`Destination.refused`), and all of it, for some time, if a topic is gone or a permission is missing. What comes
behind it in its partition waits meanwhile, so each partition gets what is sent in the order in which it was put in.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import operator
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from functools import partial
from typing import Final, Protocol

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata
from faust.types import TP

from streamapp.kafka.partitioner import partitions
from streamapp.kafka.produce_request import Behind
from streamapp.kafka.record import Result
from streamapp.kafka.refusals import RecordRefusedError, RefusedError, standing
from streamapp.kafka.transactions import can_send
from streamapp.runtime.parcel import BatchProducer, Destination, Parcel, Sending
from streamapp.runtime.patience import Patience
from streamapp.runtime.work import Results

__all__ = ["KnownTopics", "Outbox"]

#: Bytes of record batches, before compression, that may be under way; agents wait for room when there are more.
OUTBOX_BYTES: Final = 8 << 20
#: Bytes from which on a record batch is compressed in another thread, while agents work and others are sent: aiokafka
#: has one request for a broker under way, and would compress the next ones only once that is answered.
THREAD_COMPRESSION_BYTES: Final = 128 << 10
#: Seconds between two looks why something does not arrive.
ARRIVAL_CHECK_INTERVAL_S: Final = 1.0


class KnownTopics(Protocol):
    """Tells what the broker knows of topics."""

    async def partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; a KafkaError if the broker does not know the topic."""

    async def missing(self, partitions: Collection[TP]) -> set[str]:
        """Return the topics of those of the partitions that are not there; none, if the broker does not answer."""


class Retention(Protocol):
    """Looks for records that their topic deletes soon, since they are old."""

    def look(self, topic: str, first: int | None, last: int | None) -> None:
        """Look at the event times (ms; None = now) of the first and the last record of a batch."""


class Outbox:
    """Sends record batches through an aiokafka producer, which may be another one after each commit."""

    def __init__(self, patience: Patience, topics: KnownTopics, retention: Retention) -> None:
        self.topics = topics
        self._patience = patience
        self._retention = retention
        self._producer: BatchProducer
        #: The one before the last `cut`, through which goes what still belongs to the commit.
        self._producer_before: BatchProducer
        self._numbers = itertools.count()
        #: By partition, what aiokafka has no room for yet, by number.
        self._queues: dict[TP, deque[Parcel]] = {}
        #: By partition, what was put in last: it may have room for more.
        self._filling: dict[TP, Parcel] = {}
        #: By partition, what aiokafka got last.
        self._last: dict[TP, Parcel] = {}
        #: By partition, when (s) what was refused is to be sent again.
        self._again_at: dict[TP, float] = {}
        self._senders: set[asyncio.Task[None]] = set()
        self._size = 0
        self._room = asyncio.Event()
        self._room.set()
        #: What has not arrived, or has failed and was not looked at by `settle` yet, the oldest first; since the last
        #: `cut`, and what belongs to the commit that began with it.
        self._sent: dict[Sending, None] = {}
        self._sent_before: dict[Sending, None] = {}

    async def room(self) -> None:
        """Wait until not too much is under way."""
        await self._room.wait()

    def use(self, producer: BatchProducer) -> None:
        """Send through this producer from now on."""
        self._producer = producer

    def cut(self, producer: BatchProducer) -> None:
        """Begin a commit of what was put in until now; what comes from now on goes through this producer."""
        self._producer_before, self._producer = self._producer, producer
        self._sent_before, self._sent = self._sent, {}

    async def divided(self, results: Results) -> list[tuple[TP, Results]]:
        """Return results by the partitions that they go to.

        Raises:
            RefusedError: if their topic is not there, or not allowed, for long enough.
        """
        topic, source = results.output.topic, results.source
        self._retention.look(topic, results.results[0][0].timestamp, results.results[-1][0].timestamp)
        count = await self._partition_count(topic)
        if not results.rekeyed and count == await self.topics.partition_count(source.topic):
            return [(TP(topic, source.partition), results)]
        return [
            (TP(topic, number), Results(results.output, part, source, rekeyed=True, origin=results.origin))
            for number, part in partitions(results.results, count).items()
        ]

    async def _partition_count(self, topic: str) -> int:
        """Return the number of partitions of a topic; one that is not there is waited for, for some time."""
        error: KafkaError | None
        while True:
            try:
                async with asyncio.timeout(ARRIVAL_CHECK_INTERVAL_S):
                    return await self.topics.partition_count(topic)
            except TimeoutError:
                error = UnknownTopicOrPartitionError() if await self.topics.missing([TP(topic, 0)]) else None
            except KafkaError as exc:
                error = exc
            if error is not None:
                await asyncio.sleep(self._patience.failed(topic, error))

    def put(self, tp: TP, results: Sequence[Result], to: Destination, *, amends: bool = False) -> None:
        """Put results into as many record batches as their sizes need, and those in line for their partition.

        What `amends` belongs to the commit under way.
        """
        producer, sent = (self._producer_before, self._sent_before) if amends else (self._producer, self._sent)
        start = 0
        while start < len(results):
            parcel = self._filling.get(tp)
            if parcel is None or parcel.producer is not producer or parcel.batch.closed():
                parcel = self._filling[tp] = Parcel(tp, producer, (next(self._numbers),))
                self._enqueue(parcel)
            start = self._fill(parcel, results, start, to, sent)
        if self._size > OUTBOX_BYTES:
            self._room.clear()

    def _fill(
        self, parcel: Parcel, results: Sequence[Result], start: int, to: Destination, sent: dict[Sending, None]
    ) -> int:
        sending, stop = parcel.fill(results, start, to)
        if sending is not None:
            sent[sending] = None
            self._size += sending.size
        return stop

    def _enqueue(self, parcel: Parcel) -> None:
        queue = self._queues.get(parcel.tp)
        if queue is None:
            queue = self._queues[parcel.tp] = deque()
            sender = asyncio.create_task(self._send(parcel.tp, queue))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        bisect.insort(queue, parcel, key=operator.attrgetter("number"))

    async def _send(self, tp: TP, queue: deque[Parcel]) -> None:
        while queue:
            parcel = queue[0]
            if await self._waited(parcel):
                continue  # what was refused meanwhile goes first
            queue.popleft()
            self._last[tp] = parcel
            try:
                answer = await parcel.producer.send_batch(parcel.batch, tp.topic, partition=tp.partition)
            except AssertionError:  # aiokafka's, of a topic that was made anew
                self._failed(parcel, UnknownTopicOrPartitionError(f"{tp.topic} has no partition {tp.partition}"))
            except Exception as exc:
                self._failed(parcel, exc)
            else:
                answer.add_done_callback(partial(self._answered, parcel))
        del self._queues[tp]

    async def _waited(self, parcel: Parcel) -> bool:
        """Wait for what has to be before a parcel is sent; return whether that took any time."""
        last, again_at = self._last.get(parcel.tp), self._again_at.pop(parcel.tp, None)
        if again_at is not None:
            await asyncio.sleep(again_at - asyncio.get_running_loop().time())
        elif last is not None and (last.batch.refused or last.producer is not parcel.producer):
            await last.answered.wait()  # two producers do not keep the order
        elif parcel.batch.size() >= THREAD_COMPRESSION_BYTES and not parcel.batch.compressed:
            parcel.batch.close()
            await asyncio.to_thread(parcel.batch.compress)
        else:
            return False
        return True

    def _answered(self, parcel: Parcel, answer: asyncio.Future[RecordMetadata]) -> None:
        if answer.cancelled():
            self._failed(parcel, KafkaError("the producer was stopped"))
        elif (error := answer.exception()) is not None:
            self._failed(parcel, error)
        else:
            self._done(parcel)
            self._patience.over(parcel.tp.topic)
            offset = answer.result().offset
            for sending in parcel.sendings:
                self._make_room(sending)
                offset += len(sending.results)
                sending.to.delivered(sending.results, offset)
                self._sent.pop(sending, None)
                self._sent_before.pop(sending, None)
                sending.arrived.set_result(None)

    def _failed(self, parcel: Parcel, error: BaseException) -> None:
        self._done(parcel)
        if not any(sending in sent for sending in parcel.sendings for sent in (self._sent, self._sent_before)):
            self._give_up(parcel, error)  # it was forgotten
        elif isinstance(error, Behind):
            self._send_again(parcel)
        elif isinstance(error, RecordRefusedError):
            self._narrow(parcel, error)
        elif standing(type(error)) and can_send(parcel.producer):
            try:
                wait = self._patience.failed(parcel.tp.topic, error)
            except RefusedError as refused:
                self._give_up(parcel, refused)
            else:
                parcel.batch.refused = False
                self._again_at[parcel.tp] = asyncio.get_running_loop().time() + wait
                self._send_again(parcel)
        else:
            self._give_up(parcel, error)

    def _send_again(self, parcel: Parcel) -> None:
        parcel.answered.clear()
        self._enqueue(parcel)

    def _narrow(self, parcel: Parcel, error: RecordRefusedError) -> None:
        """Send again what is good of a parcel, in its place, or what tells which records are not."""
        for sending in parcel.sendings:
            self._make_room(sending)
        refused, parts = parcel.narrowed(error)
        sent = self._sent if parcel.sendings[0] in self._sent else self._sent_before
        numbers = itertools.count()
        for part in parts:
            again: Parcel | None = None
            for before, results in part:
                start = 0
                while start < len(results):
                    if again is None or again.batch.closed():
                        again = Parcel(parcel.tp, parcel.producer, (*parcel.number, next(numbers)))
                        self._enqueue(again)
                    start = self._fill(again, results, start, before.to, sent)
        for before, result, told in refused:
            alone = Sending(parcel.tp, [result], before.to, 0)
            sent[alone] = None
            alone.fail(told)
        for sending in parcel.sendings:
            sent.pop(sending, None)
            sending.arrived.set_result(None)

    def _give_up(self, parcel: Parcel, error: BaseException) -> None:
        for sending in parcel.sendings:
            self._make_room(sending)
            sending.fail(error)

    def _done(self, parcel: Parcel) -> None:
        parcel.answered.set()
        parcel.batch.close()
        for parcels in (self._filling, self._last):
            if parcels.get(parcel.tp) is parcel:
                del parcels[parcel.tp]

    def _make_room(self, sending: Sending) -> None:
        self._size -= sending.size
        sending.size = 0  # it may arrive after it was forgotten
        if self._size <= OUTBOX_BYTES:
            self._room.set()

    async def settle(self) -> None:
        """Wait until all that belongs to the commit has arrived; for what the broker refuses, others are sent.

        Raises:
            RefusedError: if something is for a topic that is not there, or is not allowed, for long enough.
            Exception: what is wrong with a record batch that cannot be sent.
        """
        sent = self._sent_before  # out of which goes what arrives: its results are not kept until all have
        while sent:
            # Not `gather`: it would be done at the first failure.
            if pending := [sending.arrived for sending in sent if not sending.arrived.done()]:
                _, left = await asyncio.wait(pending, timeout=ARRIVAL_CHECK_INTERVAL_S)
                if left:
                    await self._look()
                continue
            failed = list(sent)
            sent.clear()
            await self._replace(failed)

    async def _look(self) -> None:
        for topic in await self.topics.missing(self.waiting):
            self._patience.failed(topic, UnknownTopicOrPartitionError())

    async def _replace(self, failed: Iterable[Sending]) -> None:
        """Send what takes the place of records that the broker refuses, with the commit under way."""
        errors = [(sending, sending.arrived.exception()) for sending in failed]
        others = [error for _, error in errors if error is not None and not isinstance(error, RecordRefusedError)]
        if others:
            telling = (error for error in others if isinstance(error, RefusedError) or standing(type(error)))
            raise next(telling, others[0])
        for sending, error in errors:
            if isinstance(error, RecordRefusedError):
                instead = await sending.to.refused(sending.results[0], error)
                for tp, part in await self.divided(instead) if instead else ():
                    self.put(tp, part.results, part, amends=True)

    @property
    def waiting(self) -> set[TP]:
        """The partitions that something of the commit is on its way to."""
        return {sending.tp for sending in self._sent_before if not sending.arrived.done()}

    def forget(self) -> None:
        """Take out all that was put in: nobody waits for it any more."""
        for task in self._senders:
            task.cancel()
        for sending in (*self._sent_before, *self._sent):
            self._make_room(sending)
        for forgotten in (self._sent_before, self._sent, self._queues, self._filling, self._last, self._again_at):
            forgotten.clear()
