"""Records that are sent one by one, ``await topic.send(…)``, in a record batch which the broker refuses.

aiokafka (0.14) fails all of such a batch, and so all that were sent at about the same time as one that is no good. Here
the others go on, in their order and before what waits behind them. Of results the outbox sees to that
(`streamapp.runtime.outbox`), since it knows what to send in place of a refused one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import MessageBatch
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import RecordMetadata

from streamapp.kafka.insides import Accumulator, ProducedBatch
from streamapp.kafka.record import Record
from streamapp.kafka.refusals import RecordRefusedError

__all__ = ["refuse"]


def refuse(accumulator: Accumulator, batch: ProducedBatch, error: KafkaError) -> None:
    """Fail the records that the broker refuses; the others of their record batch wait in its place.

    If the broker does not say which these are, both halves wait, down to a single record.
    """
    if not isinstance(error, RecordRefusedError) or not (waiting := batch._msg_futures):
        batch.failure(error)  # the topic is to blame, or it was sent as a whole
        return
    batch._msg_futures = []
    refused, parts = _divided(len(waiting), error)
    for place in refused:
        if not (future := waiting[place][0]).done():
            future.set_exception(error.of(place))
    records = list(MemoryRecords(bytes(batch.get_data_buffer())).next_batch())
    made = [_part(accumulator, batch, [(records[place], waiting[place][0]) for place in part]) for part in parts]
    if made:
        accumulator._batches[batch.tp].extendleft(reversed(made))
    # Who flushes waits for the parts, too.
    done = asyncio.gather(*(one.future for one in made), return_exceptions=True)
    done.add_done_callback(lambda _: batch.done_noack())


def _divided(count: int, error: RecordRefusedError) -> tuple[Collection[int], Sequence[Sequence[int]]]:
    """Return the places of the records that are refused, and those of what waits again, each as a record batch."""
    places = range(count)
    if not error.records and count > 1:
        return (), (places[: count // 2], places[count // 2 :])
    refused = [place for place in places if place in error.records] if error.records else [0]
    good = [place for place in places if place not in refused]
    return refused, [good] if good else []


def _part(
    accumulator: Accumulator, batch: ProducedBatch, sent: Sequence[tuple[Record, asyncio.Future[RecordMetadata]]]
) -> ProducedBatch:
    builder = accumulator.create_builder()
    part: ProducedBatch = MessageBatch(batch.tp, builder, accumulator._batch_ttl, accumulator._linger_time)
    for record, future in sent:
        metadata = builder.append(
            timestamp=record.timestamp, key=record.key, value=record.value, headers=list(record.headers)
        )
        part._msg_futures.append((future, metadata))
    builder.close()
    return part
