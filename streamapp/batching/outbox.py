"""The outbox: record batches on their way to the broker, in order, each partition's one after the other.

aiokafka keeps one record batch of a partition waiting while another is under way, and has its caller wait for more
room. An agent must not: so the batches queue here, and only when too much has piled up does the work stop.
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
ROOM: Final = 4 << 20


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
    """A record batch on its way, and the results in it until it has arrived."""

    __slots__ = ("arrived", "producer", "results", "size", "to", "tp")

    def __init__(self, tp: TP, results: Sequence[Result], to: Destination, size: int, producer: Any) -> None:
        self.tp = tp
        self.results = results
        self.to = to
        self.size = size
        self.producer = producer
        #: Done when the broker has the batch, or with the error that it, or aiokafka, gave instead.
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Outbox:
    """Sends record batches through an aiokafka producer, which may be another one after each commit."""

    def __init__(self) -> None:
        self._producer: Any = None
        #: The one before the last `cut`, through which goes what still belongs to the commit.
        self._producer_before: Any = None
        self._queues: dict[TP, deque[tuple[Sending, RecordBatch]]] = {}
        #: By partition, the producer that sent to it last, and when that has arrived.
        self._last: dict[TP, tuple[Any, asyncio.Future[None]]] = {}
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

    def put(self, tp: TP, results: Sequence[Result], to: Destination, *, amends: bool = False) -> None:
        """Put results into as many record batches as their sizes need, and those in line for their partition.

        Args:
            tp: where they go.
            results: the results.
            to: what is told of their arrival.
            amends: they belong to the commit under way.
        """
        producer, sent = (self._producer_before, self._sent_before) if amends else (self._producer, self._sent)
        accumulator = producer._message_accumulator
        start = 0
        while start < len(results):
            batch = RecordBatch(accumulator)
            stop = batch.extend(results, start)
            sending = Sending(tp, results[start:stop], to, batch.size(), producer)
            sent[sending] = None
            self._put(sending, batch)
            start = stop

    def _put(self, sending: Sending, batch: RecordBatch) -> None:
        self._size += sending.size
        if self._size > ROOM:
            self._room.clear()
        queue = self._queues.get(sending.tp)
        if queue is None:
            queue = self._queues[sending.tp] = deque()
            sender = asyncio.create_task(self._send(sending.tp, queue))
            self._senders.add(sender)
            sender.add_done_callback(self._senders.discard)
        queue.append((sending, batch))

    async def _send(self, tp: TP, queue: deque[tuple[Sending, RecordBatch]]) -> None:
        while queue:
            sending, batch = queue.popleft()
            producer, arrived = self._last.get(tp, (sending.producer, sending.arrived))
            if producer is not sending.producer:
                await asyncio.wait([arrived])  # two producers do not keep the order
            self._last[tp] = sending.producer, sending.arrived
            try:
                answer = await sending.producer.send_batch(batch, tp.topic, partition=tp.partition)
            except Exception as exc:
                self._failed(sending, exc)
            else:
                answer.add_done_callback(lambda answer, sending=sending: self._answered(sending, answer))
        del self._queues[tp]

    def _answered(self, sending: Sending, answer: asyncio.Future[Any]) -> None:
        if answer.cancelled():
            self._failed(sending, KafkaError("the producer was stopped"))
        elif (error := answer.exception()) is not None:
            self._failed(sending, error)
        else:
            self._make_room(sending)
            count = len(sending.results)
            sending.to.delivered(count, answer.result().offset + count)
            self._sent.pop(sending, None)
            self._sent_before.pop(sending, None)
            sending.arrived.set_result(None)

    def _failed(self, sending: Sending, error: BaseException) -> None:
        if isinstance(error, MessageSizeTooLargeError):
            # aiokafka has counted the records that the broker refused, which takes what comes next for out of order.
            tp = TopicPartition(*sending.tp)
            sending.producer._txn_manager.increment_sequence_number(tp, -len(sending.results))
        self._make_room(sending)
        sending.arrived.set_exception(error)
        sending.arrived.exception()  # `settle` looks at it: asyncio need not tell that nobody did

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
        for forgotten in (self._sent_before, self._sent, self._queues, self._last):
            forgotten.clear()
