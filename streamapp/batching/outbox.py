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

__all__ = ["Destination", "Outbox", "Room", "Sending"]

#: Bytes of record batches, before compression, that may be under way; agents wait for room when there are more.
ROOM: Final = 4 << 20


class Room:
    """How much may be under way in all outboxes of a worker."""

    def __init__(self) -> None:
        self._used = 0
        self._free = asyncio.Event()
        self._free.set()

    async def wait(self) -> None:
        """Wait until not too much is under way."""
        await self._free.wait()

    def use(self, size: int) -> None:
        """Take note of so many bytes more, or fewer if negative."""
        self._used += size
        if self._used > ROOM:
            self._free.clear()
        else:
            self._free.set()


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

    __slots__ = ("arrived", "results", "size", "to", "tp")

    def __init__(self, tp: TP, results: Sequence[Result], to: Destination, size: int) -> None:
        self.tp = tp
        self.results = results
        self.to = to
        self.size = size
        #: Done when the broker has the batch, or with the error that it, or aiokafka, gave instead.
        self.arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()


class Outbox:
    """Sends record batches through an aiokafka producer.

    Args:
        producer: that sends; the outbox is the only one to use it in transactions.
        room: which the outbox shares with others.
    """

    def __init__(self, producer: Any, room: Room) -> None:
        self.producer = producer
        self._room = room
        self._queues: dict[TP, deque[tuple[Sending, RecordBatch]]] = {}
        self._senders: set[asyncio.Task[None]] = set()
        #: What has not arrived, or failed, and was not yet taken out by `settle`, the oldest first.
        self._sent: dict[Sending, None] = {}
        #: What waits for the next transaction; None = what is put in goes at once.
        self._held: deque[tuple[Sending, RecordBatch]] | None = None

    def put(self, tp: TP, results: Sequence[Result], to: Destination, *, amends: bool = False) -> None:
        """Put results into as many record batches as their sizes need, and those in line for their partition.

        Args:
            tp: where they go.
            results: the results.
            to: what is told of their arrival.
            amends: they belong to the commit under way, so they go although the outbox holds back what comes (`hold`).
        """
        accumulator = self.producer._message_accumulator
        start = 0
        while start < len(results):
            batch = RecordBatch(accumulator)
            stop = batch.extend(results, start)
            sending = Sending(tp, results[start:stop], to, batch.size())
            self._room.use(sending.size)
            if self._held is None or amends:
                self._put(sending, batch)
            else:
                self._held.append((sending, batch))
            start = stop

    def hold(self) -> None:
        """Hold back what is put in from now on: a transaction is about to be committed to which it does not belong."""
        self._held = deque()

    def release(self) -> None:
        """Send what was held back: the next transaction has begun."""
        held, self._held = self._held, None
        for sending, batch in held or ():
            self._put(sending, batch)

    def _put(self, sending: Sending, batch: RecordBatch) -> None:
        self._sent[sending] = None
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
            try:
                answer = await self.producer.send_batch(batch, tp.topic, partition=tp.partition)
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
            self._room.use(-sending.size)
            count = len(sending.results)
            sending.to.delivered(count, answer.result().offset + count)
            self._sent.pop(sending, None)
            sending.arrived.set_result(None)

    def _failed(self, sending: Sending, error: BaseException) -> None:
        if isinstance(error, MessageSizeTooLargeError):
            # aiokafka has counted the records that the broker refused, which takes what comes next for out of order.
            tp = TopicPartition(*sending.tp)
            self.producer._txn_manager.increment_sequence_number(tp, -len(sending.results))
        self._room.use(-sending.size)
        sending.arrived.set_exception(error)
        sending.arrived.exception()  # `settle` looks at it: asyncio need not tell that nobody did

    async def settle(self) -> list[Sending]:
        """Wait until all that was put in before has arrived or failed, and give what failed."""
        sent, self._sent = self._sent, {}
        # Not `gather`: it would be done at the first failure.
        if pending := [sending.arrived for sending in sent if not sending.arrived.done()]:
            await asyncio.wait(pending)
        return [sending for sending in sent if sending.arrived.exception() is not None]

    def drop_held(self) -> None:
        """Take out what is held back, which makes room: the transaction that it waits for will not come."""
        if self._held is not None:
            self._drop(self._held)

    def forget(self) -> None:
        """Take out all that was put in: nobody waits for it any more."""
        self._sent.clear()
        self.drop_held()
        for queue in self._queues.values():
            self._drop(queue)

    def _drop(self, queue: deque[tuple[Sending, RecordBatch]]) -> None:
        for sending, _ in queue:
            self._failed(sending, KafkaError("the work was given up"))
        queue.clear()
