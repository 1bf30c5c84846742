"""The outbox: record batches on their way to the broker, in order, each partition's one after the other.

aiokafka has one record batch of a partition under way and one waiting, and has its caller wait for more room. An agent
must not: so what waits here and there grows, record batch by record batch, until aiokafka takes it. Thus many small
results go as one record batch when the broker is slower than they come. Only when too much has piled up does the work
stop.

The broker refuses a record batch as a whole. If that is for records in it, all others are sent again, in their place;
if it is for a topic that is gone or a permission that is missing, all of it is, for some time. What comes behind it in
its partition waits meanwhile, so each partition gets what is sent in the order in which it was put in.
"""

from __future__ import annotations

import asyncio
import bisect
import itertools
import operator
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final, Protocol

from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.structs import RecordMetadata
from faust.types import TP

from streamapp.kafka.produce_request import Behind
from streamapp.kafka.record import Result
from streamapp.kafka.record_writer import RecordBatch
from streamapp.kafka.refusals import RecordRefusedError, RefusedError, standing
from streamapp.kafka.transactions import can_send
from streamapp.runtime.narrowing import narrowed
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems

__all__ = ["Destination", "Outbox", "Sending"]

#: Bytes of record batches, before compression, that may be under way; agents wait for room when there are more.
OUTBOX_BYTES: Final = 8 << 20
#: Bytes from which on a record batch is compressed in another thread, while agents work and others are sent: aiokafka
#: has one request for a broker under way, and would compress the next ones only once that is answered.
THREAD_COMPRESSION_BYTES: Final = 128 << 10


class Destination(Protocol):
    """What wants to know that its records are there: a topic for results, or a table's changelog."""

    def delivered(self, count: int, offset: int) -> None:
        """Take note that the broker has so many more records, up to (not with) this offset of their partition."""
        ...

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        """Take note that the broker refuses a record.

        Raises:
            RefusedError: if there is no other place for it.
        """
        ...


class BatchProducer(Protocol):
    """An aiokafka producer."""

    async def send_batch(self, batch: RecordBatch, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        """Take a record batch, once there is room for it; returns what is done when the broker has answered."""
        ...


class Sending:
    """Results on their way, in one record batch, until that has arrived."""

    __slots__ = ("arrived", "results", "size", "to", "tp")

    def __init__(self, tp: TP, results: Sequence[Result], to: Destination, size: int) -> None:
        self.tp = tp
        self.results = results
        self.to = to
        self.size = size
        #: Done when the broker has them, or with the error that it, or aiokafka, gave instead.
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Parcel:
    """A record batch for a partition, and what is in it, in this order.

    Args:
        tp: the partition.
        producer: what sends it.
        number: of two parcels for a partition the one with the smaller number goes first; those that take the place of
            one have its number and one more.
    """

    __slots__ = ("answered", "batch", "number", "producer", "sendings", "tp")

    def __init__(self, tp: TP, producer: BatchProducer, number: tuple[int, ...]) -> None:
        self.tp = tp
        self.producer = producer
        self.number = number
        self.batch = RecordBatch.of(producer)
        self.sendings: list[Sending] = []
        #: Set when the producer has given an answer.
        self.answered = asyncio.Event()

    def fill(self, results: Sequence[Result], start: int, to: Destination) -> tuple[Sending | None, int]:
        """Put in results from number `start` on while there is room; return them, and the first one that has none."""
        before = self.batch.size()
        stop = self.batch.extend(results, start)
        if stop == start:
            return None, stop
        sending = Sending(self.tp, results[start:stop], to, self.batch.size() - before)
        self.sendings.append(sending)
        return sending, stop


class Outbox:
    """Sends record batches through an aiokafka producer, which may be another one after each commit.

    Args:
        patience: knows how long what fails is tried again.
    """

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience(Problems())
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
        #: What has not arrived, or failed, and was not yet taken out by `settle`, the oldest first; since the last
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

    def put(self, tp: TP, results: Sequence[Result], to: Destination, *, amends: bool = False) -> None:
        """Put results into as many record batches as their sizes need, and those in line for their partition.

        Args:
            tp: where they go.
            results: the results.
            to: what is told of their arrival.
            amends: they belong to the commit under way.
        """
        producer, sent = (self._producer_before, self._sent_before) if amends else (self._producer, self._sent)
        start = 0
        while start < len(results):
            parcel = self._filling.get(tp)
            if parcel is None or parcel.producer is not producer or parcel.batch.closed():
                parcel = self._filling[tp] = Parcel(tp, producer, (next(self._numbers),))
                self._enqueue(parcel)
            sending, start = parcel.fill(results, start, to)
            if sending is not None:
                self._register(sending, sent)
        if self._size > OUTBOX_BYTES:
            self._room.clear()

    def _register(self, sending: Sending, sent: dict[Sending, None]) -> None:
        sent[sending] = None
        self._size += sending.size

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
        """Wait for what has to be before a parcel is sent; tell whether that took any time."""
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
                sending.to.delivered(len(sending.results), offset)
                self._sent.pop(sending, None)
                self._sent_before.pop(sending, None)
                sending.arrived.set_result(None)

    def _failed(self, parcel: Parcel, error: BaseException) -> None:
        self._done(parcel)
        if not any(sending in sent for sending in parcel.sendings for sent in (self._sent, self._sent_before)):
            self._give_up(parcel, error)  # it was forgotten
        elif isinstance(error, Behind):
            parcel.answered.clear()
            self._enqueue(parcel)
        elif isinstance(error, RecordRefusedError):
            self._narrow(parcel, error)
        elif standing(type(error)) and can_send(parcel.producer):
            self._send_again(parcel, error)
        else:
            self._give_up(parcel, error)

    def _send_again(self, parcel: Parcel, error: BaseException) -> None:
        """Send it again, after a while and for some time: what the broker refuses it for may be mended."""
        try:
            wait = self._patience.failed(parcel.tp.topic, error)
        except RefusedError as refused:
            self._give_up(parcel, refused)
        else:
            parcel.batch.refused = False
            parcel.answered.clear()
            self._again_at[parcel.tp] = asyncio.get_running_loop().time() + wait
            self._enqueue(parcel)

    def _narrow(self, parcel: Parcel, error: RecordRefusedError) -> None:
        """Send again what is good of a parcel, in its place, or what tells which records are not."""
        for sending in parcel.sendings:
            self._make_room(sending)
        refused, parts = narrowed([sending.results for sending in parcel.sendings], error)
        sent = self._sent if parcel.sendings[0] in self._sent else self._sent_before
        numbers = itertools.count()
        for part in parts:
            again: Parcel | None = None
            for number, results in part:
                start = 0
                while start < len(results):
                    if again is None or again.batch.closed():
                        again = Parcel(parcel.tp, parcel.producer, (*parcel.number, next(numbers)))
                        self._enqueue(again)
                    filled, start = again.fill(results, start, parcel.sendings[number].to)
                    if filled is not None:
                        self._register(filled, sent)
        for number, result, told in refused:
            sending = Sending(parcel.tp, [result], parcel.sendings[number].to, 0)
            self._register(sending, sent)
            _fail(sending, told)
        for sending in parcel.sendings:
            sent.pop(sending, None)
            sending.arrived.set_result(None)

    def _give_up(self, parcel: Parcel, error: BaseException) -> None:
        for sending in parcel.sendings:
            self._make_room(sending)
            _fail(sending, error)

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

    async def settle(self, within: float | None = None) -> list[Sending] | None:
        """Wait until all that belongs to the commit has arrived or failed, and give what failed.

        What failed is either one record that the broker refuses, or a part of a record batch that cannot be sent.

        Args:
            within: seconds to wait; None = as long as it takes.

        Returns:
            what failed; None if something is still on its way.
        """
        end = None if within is None else asyncio.get_running_loop().time() + within
        sent = self._sent_before  # out of which goes what arrives: its results are not kept until all have
        # Not `gather`: it would be done at the first failure.
        while pending := [sending.arrived for sending in sent if not sending.arrived.done()]:
            left = None if end is None else end - asyncio.get_running_loop().time()
            if left is not None and left <= 0:
                return None
            await asyncio.wait(pending, timeout=left)
        self._sent_before = {}
        return list(sent)

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


def _fail(sending: Sending, error: BaseException) -> None:
    sending.arrived.set_exception(error)
    sending.arrived.exception()  # `settle` looks at it: asyncio need not tell that nobody did
