"""Of records that are sent one by one, those go on that are in a record batch with one that the broker refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import InvalidTopicError, MessageSizeTooLargeError
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import TopicPartition

from streamapp.kafka.produce_request import Behind, Handler
from streamapp.kafka.record import Envelope
from streamapp.kafka.record_writer import RecordBatch
from streamapp.kafka.refusals import RecordRefusedError

TP = TopicPartition("clicks", 0)
INVALID_RECORD = 87


class Producing:
    """What waits to be sent to one partition, and the handler of what is sent."""

    def __init__(self) -> None:
        self.numbers = TransactionManager(None, 60_000)
        self.numbers.set_pid_and_epoch(5, 1)
        cluster: Any = SimpleNamespace(leader_for_partition=lambda _: 0)
        loop = asyncio.get_running_loop()
        self.waiting = MessageAccumulator(cluster, 1 << 20, 0, 30, txn_manager=self.numbers, loop=loop)
        self._sender: Any = SimpleNamespace(
            client=None, _retry_backoff=0.01, _txn_manager=self.numbers, _message_accumulator=self.waiting
        )

    async def send(self, *values: bytes) -> list[asyncio.Future[Any]]:
        return [await self.waiting.add_message(TP, b"k", value, 1, 1_000) for value in values]

    def answered(self, code: int = 0, *records: tuple[int, str], offset: int = 0) -> list[bytes]:
        """Send the next record batch, and answer it; return the values in it."""
        batches, _ = self.waiting.drain_by_nodes(ignore_nodes=())
        sent = MemoryRecords(bytes(batches[0][TP].get_data_buffer())).next_batch()
        answer: tuple[object, ...] = (TP.partition, code, offset, -1, 0, list(records), None)
        Handler(self._sender, batches[0]).handle_response(SimpleNamespace(API_VERSION=8, topics=[(TP.topic, [answer])]))
        return [record.value for record in sent]


def run(test: Callable[[Producing], Awaitable[None]]) -> None:
    async def running() -> None:
        await test(Producing())

    asyncio.run(running())


def test_the_others_of_a_record_batch_go_on_before_what_was_sent_later() -> None:
    async def test(producing: Producing) -> None:
        first, bad, third = await producing.send(b"1", b"bad", b"3")
        producing.waiting._batches[TP][-1]._builder.close()  # what comes now is another batch
        later = asyncio.create_task(producing.send(b"4"))
        await asyncio.sleep(0)  # it waits
        assert producing.answered(INVALID_RECORD, (1, "it has no key")) == [b"1", b"bad", b"3"]
        with pytest.raises(RecordRefusedError, match="it has no key"):
            await bad
        assert producing.answered(offset=10) == [b"1", b"3"]
        assert [(await one).offset for one in (first, third)] == [10, 11]
        (fourth,) = await later
        assert producing.answered(offset=12) == [b"4"]
        assert (await fourth).offset == 12
        assert producing.numbers.sequence_number(TP) == 3

    run(test)


def test_what_waits_behind_a_refused_one_is_not_failed() -> None:
    async def test(producing: Producing) -> None:
        (bad,) = await producing.send(b"bad")
        batches, _ = producing.waiting.drain_by_nodes(ignore_nodes=())
        (behind,) = await producing.send(b"2")
        answer: tuple[object, ...] = (TP.partition, MessageSizeTooLargeError.errno, -1, -1, 0, [], None)
        Handler(producing._sender, batches[0]).handle_response(
            SimpleNamespace(API_VERSION=8, topics=[(TP.topic, [answer])])
        )
        with pytest.raises(RecordRefusedError, match="larger than"):
            await bad
        assert producing.answered(offset=7) == [b"2"]
        assert (await behind).offset == 7

    run(test)


def test_one_of_which_the_broker_does_not_tell_is_found_by_halves() -> None:
    async def test(producing: Producing) -> None:
        sent = await producing.send(b"1", b"2", b"bad", b"4")
        refused = MessageSizeTooLargeError.errno
        assert producing.answered(refused) == [b"1", b"2", b"bad", b"4"]
        assert producing.answered(offset=0) == [b"1", b"2"]
        assert producing.answered(refused) == [b"bad", b"4"]
        assert producing.answered(refused) == [b"bad"]
        assert producing.answered(offset=2) == [b"4"]
        results = await asyncio.gather(*sent, return_exceptions=True)
        assert [getattr(one, "offset", None) for one in results] == [0, 1, None, 2]
        assert isinstance(results[2], RecordRefusedError)

    run(test)


def test_who_flushes_waits_for_what_goes_on() -> None:
    async def test(producing: Producing) -> None:
        await producing.send(b"1", b"bad")
        batches, _ = producing.waiting.drain_by_nodes(ignore_nodes=())
        flushed = asyncio.create_task(producing.waiting.flush())
        await asyncio.sleep(0)  # it waits
        answer: tuple[object, ...] = (TP.partition, INVALID_RECORD, -1, -1, 0, [(1, "")], None)
        Handler(producing._sender, batches[0]).handle_response(
            SimpleNamespace(API_VERSION=8, topics=[(TP.topic, [answer])])
        )
        for _ in range(10):  # whatever goes on by itself does
            await asyncio.sleep(0)
        assert not flushed.done()
        assert producing.answered() == [b"1"]
        await asyncio.wait_for(flushed, 5)

    run(test)


def test_a_topic_that_cannot_be_fails_all_and_results_of_the_outbox_come_back() -> None:
    async def test(producing: Producing) -> None:
        first = await producing.send(b"1", b"2")
        assert producing.answered(InvalidTopicError.errno) == [b"1", b"2"]
        for one in first:
            with pytest.raises(InvalidTopicError):
                await one
        batches = []
        for value in (b"a", b"b"):
            batch = RecordBatch(producing.waiting)
            batch.extend([(Envelope(b"k", 1_000), value)], 0)
            batches.append(producing.waiting._append_batch(batch, TP))
        assert producing.answered(INVALID_RECORD) == [b"a"]
        with pytest.raises(Behind):
            await batches[1].future
        with pytest.raises(RecordRefusedError):
            await batches[0].future

    run(test)
