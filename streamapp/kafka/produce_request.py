"""Produce requests that are written in one go: aiokafka (0.14) copies each record batch five times over.

They are of version 8, in whose answer the broker says which records of a record batch it refuses, and why (KIP-467);
aiokafka has that version, but does not use it. Brokers before Kafka 2.4 get version 7.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping

from aiokafka.errors import KafkaError, for_code
from aiokafka.producer.sender import SendProduceReqHandler
from aiokafka.protocol.produce import ProduceRequest, ProduceRequest_v7, ProduceRequest_v8
from aiokafka.protocol.types import String
from aiokafka.structs import TopicPartition

from streamapp.kafka.insides import Fields, ProducedBatch, Response, Sender
from streamapp.kafka.record_writer import RecordBatch
from streamapp.kafka.refusals import refused_record, standing
from streamapp.kafka.single_sends import refuse

__all__ = ["Behind", "Handler", "WrittenAtOnce"]

TEXT = String("utf-8")


class Behind(Exception):
    """Instead of an answer: a record batch before this one was refused, and what is made of it goes first."""


class WrittenAtOnce(ProduceRequest_v8):  # type: ignore[misc]
    """A request to the same bytes as aiokafka's."""

    def encode(self) -> bytes:
        """Return the bytes of the request without its header."""
        parts = [
            TEXT.encode(self.transactional_id),
            struct.pack(">hii", self.required_acks, self.timeout, len(self.topics)),
        ]
        for topic, batches in self.topics:
            parts += (TEXT.encode(topic), struct.pack(">i", len(batches)))
            for partition, batch in batches:
                parts += (struct.pack(">ii", partition, len(batch)), batch)
        return b"".join(parts)


class _WrittenAtOnce7(ProduceRequest_v7):  # type: ignore[misc]
    encode = WrittenAtOnce.encode


class _Request(ProduceRequest):  # type: ignore[misc]
    """aiokafka's, for the classes above."""


_Request._CLASSES = (*ProduceRequest._CLASSES[:-1], _WrittenAtOnce7, WrittenAtOnce)


class Handler(SendProduceReqHandler):  # type: ignore[misc]
    """Sends record batches to a broker and sees to the answer, as aiokafka's own, and to what the broker refuses."""

    _sender: Sender
    _batches: Mapping[TopicPartition, ProducedBatch]

    def create_request(self) -> ProduceRequest:
        """Make the request."""
        made = super().create_request()
        return _Request(made._transactional_id, made._required_acks, made._timeout, made._topics)

    def handle_response(self, response: Response) -> None:
        """Take the answer to each record batch."""
        for topic, partitions in response.topics:
            for partition, code, *rest in partitions:
                tp = TopicPartition(topic, partition)
                batch = self._batches.get(tp)
                if batch is not None and (error := _refusal(topic, code, tuple(rest[3:]))) is not None:
                    self._refuse(batch, error)
                    # It has its answer: aiokafka's own would fail all of it.
                    self._batches = {other: one for other, one in self._batches.items() if other != tp}
        super().handle_response(response)

    def _refuse(self, batch: ProducedBatch, error: KafkaError) -> None:
        # It was counted: the broker would take what comes next for out of order.
        self._sender._txn_manager.increment_sequence_number(batch.tp, -batch.record_count)
        builder = batch._builder
        if isinstance(builder, RecordBatch):
            builder.refused = True
            batch.failure(error)
            self._send_back(batch.tp)
        else:
            refuse(self._sender._message_accumulator, batch, error)

    def _send_back(self, tp: TopicPartition) -> None:
        """Have the outbox's record batches that wait for a partition come back: what it makes of this one goes first.

        Of records that were sent one by one nobody would take any back, and nothing goes before them.
        """
        lines = self._sender._message_accumulator._batches
        stay: deque[ProducedBatch] = deque()
        for behind in lines.pop(tp, ()):
            if isinstance(behind._builder, RecordBatch):
                behind.failure(Behind())
                behind._drain_waiter.exception()  # asyncio need not tell that nobody looked
            else:
                stay.append(behind)
        if stay:
            lines[tp] = stay


def _refusal(topic: str, code: int, told: Fields) -> KafkaError | None:
    """Return with what the broker refuses a record batch, unless it may take it the next time.

    From version 8 on it is `told`, by number, what is wrong with records, and what is with the record batch.
    """
    records, word = told or ((), "")
    if (refused := refused_record(code, word or "", {number: text or word or "" for number, text in records})) is None:
        error = for_code(code)
        return error(topic) if standing(error) and not error.retriable else None
    return refused
