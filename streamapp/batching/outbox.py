"""The outbox: record batches on their way to the broker, in order, each partition's one after the other.

aiokafka has one record batch of a partition under way and one waiting, and has its caller wait for more room. An agent
must not: so what waits here and there grows, record batch by record batch, until aiokafka takes it. Thus many small
results go as one record batch when the broker is slower than they come. Only when too much has piled up does the work
stop.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Protocol

from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.structs import TopicPartition
from faust.types import TP

from streamapp.batching.encoding import RecordBatch
from streamapp.batching.output import Result

__all__ = ["Destination", "Outbox", "Sending"]

#: Bytes of record batches, before compression, that may be under way; agents wait for room when there are more.
ROOM: Final = 8 << 20
#: Bytes from which on a record batch is compressed in another thread, while agents work and others are sent: aiokafka
#: has one request for a broker under way, and would compress the next ones only once that is answered.
APART: Final = 128 << 10


class Destination(Protocol):
    """What wants to know that its records are there: a topic for results, or a table's changelog."""

    def delivered(self, count: int, offset: int) -> None:
        """Take note that the broker has so many more records, up to (not with) this offset of their partition."""
        ...

    async def refused(self, result: Result) -> None:
        """Take note that the broker refuses a record for its size.

        Raises:
            KafkaError: if there is no other place for it.
        """
        ...


class Sending:
    """Results on their way, in one record batch, until that has arrived."""

    __slots__ = ("alone", "arrived", "results", "size", "to", "tp")

    def __init__(self, tp: TP, results: Sequence[Result], to: Destination, size: int) -> None:
        self.tp = tp
        self.results = results
        self.to = to
        self.size = size
        #: Whether nothing else is in their record batch: an error is about them.
        self.alone = False
        #: Done when the broker has them, or with the error that it, or aiokafka, gave instead.
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Parcel:
    """A record batch for a partition, and what is in it, in this order."""

    __slots__ = ("batch", "producer", "sendings", "tp")

    def __init__(self, tp: TP, producer: Any) -> None:
        self.tp = tp
        self.producer = producer
        self.batch = RecordBatch(producer._message_accumulator)
        self.sendings: list[Sending] = []


class Outbox:
    """Sends record batches through an aiokafka producer, which may be another one after each commit."""

    def __init__(self) -> None:
        self._producer: Any = None
        #: The one before the last `cut`, through which goes what still belongs to the commit.
        self._producer_before: Any = None
        #: By partition, what aiokafka has no room for yet.
        self._queues: dict[TP, deque[Parcel]] = {}
        #: By partition, what was put in last: it may have room for more.
        self._filling: dict[TP, Parcel] = {}
        #: By partition, what aiokafka got last.
        self._last: dict[TP, Parcel] = {}
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

    def use(self, producer: Any) -> None:
        """Send through this producer from now on."""
        self._producer = producer

    def cut(self, producer: Any) -> None:
        """Begin a commit of what was put in until now; what comes from now on goes through this producer."""
        self._producer_before, self._producer = self._producer, producer
        self._sent_before, self._sent = self._sent, {}

    def put(
        self, tp: TP, results: Sequence[Result], to: Destination, *, amends: bool = False, alone: bool = False
    ) -> None:
        """Put results into as many record batches as their sizes need, and those in line for their partition.

        Args:
            tp: where they go.
            results: the results.
            to: what is told of their arrival.
            amends: they belong to the commit under way.
            alone: nothing else goes with them.
        """
        producer, sent = (self._producer_before, self._sent_before) if amends else (self._producer, self._sent)
        start = 0
        while start < len(results):
            parcel = self._filling.get(tp)
            if parcel is None or parcel.producer is not producer or parcel.batch.closed() or alone:
                parcel = self._begin(tp, producer)
            before = parcel.batch.size()
            stop = parcel.batch.extend(results, start)
            if stop > start:
                sending = Sending(tp, results[start:stop], to, parcel.batch.size() - before)
                parcel.sendings.append(sending)
                sent[sending] = None
                self._size += sending.size
            if alone:
                parcel.batch.close()
            start = stop
        if self._size > ROOM:
            self._room.clear()

    def _begin(self, tp: TP, producer: Any) -> Parcel:
        parcel = self._filling[tp] = Parcel(tp, producer)
        queue = self._queues.get(tp)
        if queue is None:
            queue = self._queues[tp] = deque()
            sender = asyncio.create_task(self._send(tp, queue))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        queue.append(parcel)
        return parcel

    async def _send(self, tp: TP, queue: deque[Parcel]) -> None:
        while queue:
            parcel = queue.popleft()
            last = self._last.get(tp, parcel)
            if last.producer is not parcel.producer:
                await asyncio.wait([last.sendings[0].arrived])  # two producers do not keep the order
            self._last[tp] = parcel
            try:
                if parcel.batch.size() >= APART:
                    parcel.batch.close()
                    await asyncio.to_thread(parcel.batch.compress)
                answer = await parcel.producer.send_batch(parcel.batch, tp.topic, partition=tp.partition)
            except Exception as exc:
                self._failed(parcel, exc)
            else:
                answer.add_done_callback(lambda answer, parcel=parcel: self._answered(parcel, answer))
        del self._queues[tp]

    def _answered(self, parcel: Parcel, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled():
            self._failed(parcel, KafkaError("the producer was stopped"))
        elif (error := answer.exception()) is not None:
            self._failed(parcel, error)
        else:
            self._done(parcel)
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
        if isinstance(error, MessageSizeTooLargeError):
            # aiokafka has counted the records that the broker refused, which takes what comes next for out of order.
            transactions, count = parcel.producer._txn_manager, parcel.batch.record_count()
            transactions.increment_sequence_number(TopicPartition(*parcel.tp), -count)
        for sending in parcel.sendings:
            self._make_room(sending)
            sending.alone = len(parcel.sendings) == 1
            sending.arrived.set_exception(error)
            sending.arrived.exception()  # `settle` looks at it: asyncio need not tell that nobody did

    def _done(self, parcel: Parcel) -> None:
        parcel.batch.close()
        for parcels in (self._filling, self._last):
            if parcels.get(parcel.tp) is parcel:
                del parcels[parcel.tp]

    def _make_room(self, sending: Sending) -> None:
        self._size -= sending.size
        sending.size = 0  # it may arrive after it was forgotten
        if self._size <= ROOM:
            self._room.set()

    async def settle(self) -> list[Sending]:
        """Wait until all that belongs to the commit has arrived or failed, and give what failed."""
        sent = self._sent_before  # out of which goes what arrives: its results are not kept until all have
        # Not `gather`: it would be done at the first failure.
        while pending := [sending.arrived for sending in sent if not sending.arrived.done()]:
            await asyncio.wait(pending)
        self._sent_before = {}
        return list(sent)

    def forget(self) -> None:
        """Take out all that was put in: nobody waits for it any more."""
        for task in self._senders:
            task.cancel()
        for sending in (*self._sent_before, *self._sent):
            self._make_room(sending)
        for forgotten in (self._sent_before, self._sent, self._queues, self._filling, self._last):
            forgotten.clear()
