"""aiokafka's producer does what our pipelining, produce requests, record batches and transactions make use of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import MessageSizeTooLargeError, ProducerFenced
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.sender import Sender, TxnOffsetCommitHandler
from aiokafka.producer.transaction_manager import TransactionManager, TransactionState
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.structs import OffsetAndMetadata
from brokers import CLICKS, NODE, USERS, Client

from streamapp.kafka.pipelining import AT_ONCE, BusyBrokers
from streamapp.kafka.produce_request import Handler
from streamapp.kafka.record import Envelope
from streamapp.kafka.record_writer import RecordBatch


class Producing:
    """A sender with its accumulator and numbers, as an idempotent producer has them."""

    def __init__(self, answer: Any = None, transactional_id: str | None = None, linger_ms: int = 0) -> None:
        self.client = Client(lambda _: answer)
        self.numbers = TransactionManager(transactional_id, 60_000)
        self.numbers.set_pid_and_epoch(5, 1)
        self.waiting = MessageAccumulator(
            self.client.cluster,
            1 << 20,
            0,
            30,
            txn_manager=self.numbers,
            loop=asyncio.get_running_loop(),
            linger_ms=linger_ms,
        )
        self.sender = Sender(
            self.client,
            acks=-1,
            txn_manager=self.numbers,
            message_accumulator=self.waiting,
            retry_backoff_ms=10,
            request_timeout_ms=1_000,
        )

    async def wait(self, tp: Any, *values: bytes) -> asyncio.Future[Any]:
        """Have a record batch of these values wait to be sent."""
        batch = RecordBatch(self.waiting)
        batch.extend([(Envelope(b"key", 1_000), value) for value in values], 0)
        return await self.waiting.add_batch(batch, tp, 1)

    def drain(self, busy: Any = frozenset(), muted: Any = frozenset()) -> Any:
        found, _ = self.waiting.drain_by_nodes(ignore_nodes=busy, muted_partitions=muted)
        return found.get(NODE, {})


def run(test: Callable[[Producing], Awaitable[None]], **options: Any) -> None:
    async def running() -> None:
        await test(Producing(**options))

    asyncio.run(running())


def test_a_broker_gets_no_more_once_it_is_in_the_set_of_those_with_a_request() -> None:
    async def test(producing: Producing) -> None:
        busy = BusyBrokers()
        for _ in range(AT_ONCE - 1):
            busy.add(NODE)
        await producing.wait(CLICKS, b"1")
        assert producing.drain(busy)
        busy.add(NODE)
        await producing.wait(CLICKS, b"2")
        assert not producing.drain(busy)

    run(test)


def test_a_record_batch_that_lingers_takes_more_and_goes_as_soon_as_it_is_full() -> None:
    async def test(producing: Producing) -> None:
        batch = RecordBatch(producing.waiting)
        one = (Envelope(b"key", 1_000), bytes(1 << 18))
        batch.extend([one], 0)
        await producing.waiting.add_batch(batch, CLICKS, 1)
        assert not producing.drain()
        looks_again = producing.waiting.waiter()
        batch.extend([one], 0)
        assert not looks_again.done()
        batch.extend([one] * 5, 0)
        assert looks_again.done()
        assert producing.drain()[CLICKS].record_count == 3

    run(test, linger_ms=60_000)


def test_a_partition_that_is_muted_gets_no_more_while_others_do() -> None:
    async def test(producing: Producing) -> None:
        await producing.wait(CLICKS, b"1")
        await producing.wait(USERS, b"2")
        assert producing.drain(muted={CLICKS}).keys() == {USERS}

    run(test)


def test_a_record_batch_of_ours_is_numbered_and_sent_as_it_is() -> None:
    async def test(producing: Producing) -> None:
        for number in (0, 2):
            await producing.wait(CLICKS, b"1", b"2")
            batch = producing.drain()[CLICKS]
            sent = MemoryRecords(bytes(batch.get_data_buffer())).next_batch()
            assert (sent.producer_id, sent.producer_epoch, sent.base_sequence) == (5, 1, number)
            assert batch.record_count == 2
            assert isinstance(batch._builder, RecordBatch)

    run(test)


def test_a_request_takes_what_the_handler_of_aiokafka_puts_into_its_own() -> None:
    async def test(producing: Producing) -> None:
        await producing.wait(CLICKS, b"1")
        request = Handler(producing.sender, producing.drain()).create_request()
        struct = request.prepare({0: (0, 8)})
        assert (struct.API_VERSION, struct.required_acks, struct.timeout) == (8, -1, 1_000)
        assert request.prepare({0: (0, 7)}).API_VERSION == 7
        ((topic, ((number, data),)),) = struct.topics
        assert (topic, number) == ("clicks", 0)
        assert bytes(data) in struct.encode()

    run(test)


def test_a_record_batch_that_the_broker_refuses_fails_once_and_gives_its_numbers_back() -> None:
    async def test(producing: Producing) -> None:
        answer = await producing.wait(CLICKS, b"1", b"2")
        batches = producing.drain()
        assert producing.numbers.sequence_number(CLICKS) == 2
        refused: tuple[Any, ...] = (0, MessageSizeTooLargeError.errno, -1, -1, 0, [], None)
        Handler(producing.sender, batches).handle_response(
            SimpleNamespace(API_VERSION=8, topics=[("clicks", [refused])])
        )
        with pytest.raises(Exception, match="larger than the topic's"):
            await answer
        assert producing.numbers.sequence_number(CLICKS) == 0

    run(test)


def test_offsets_that_are_refused_end_a_transaction_with_the_error_that_it_is_given() -> None:
    async def test(producing: Producing) -> None:
        numbers = producing.numbers
        numbers.begin_transaction()
        numbers.add_offsets_to_txn({CLICKS: OffsetAndMetadata(3, "")}, "group")
        numbers.error_transaction(ProducerFenced())
        assert numbers.state is TransactionState.ABORTABLE_ERROR
        waiter = numbers.wait_for_transaction_end()
        assert isinstance(waiter, asyncio.Future)
        waiter.cancel()
        for *_, pending in numbers._pending_txn_offsets:
            assert isinstance(pending.exception(), ProducerFenced)

    run(test, transactional_id="id")


def test_the_response_to_offsets_of_a_transaction_is_read_from_its_errors() -> None:
    async def test(producing: Producing) -> None:
        numbers = producing.numbers
        numbers.begin_transaction()
        offsets = {CLICKS: OffsetAndMetadata(3, "")}
        numbers.add_offsets_to_txn(offsets, "group")
        handler = TxnOffsetCommitHandler(producing.sender, offsets, "group")
        handler.handle_response(SimpleNamespace(errors=[("clicks", [(0, 0)])]))
        assert not any(done_offsets for done_offsets, *_ in numbers._pending_txn_offsets)

    run(test, transactional_id="id")


def test_an_update_of_the_metadata_that_is_under_way_lacks_a_topic_added_since() -> None:
    asked: list[set[str]] = []

    async def running() -> None:
        client, under_way, answer = AIOKafkaClient(), asyncio.Event(), asyncio.Event()

        async def update(_cluster: Any, topics: set[str]) -> bool:
            asked.append(set(topics))
            under_way.set()
            await answer.wait()
            return True

        client._metadata_update = update
        synchronizer = asyncio.create_task(client._md_synchronizer())
        first = client.force_metadata_update()
        await under_way.wait()
        client.add_topic("new")
        second = client.force_metadata_update()
        answer.set()
        await asyncio.gather(first, second)
        await client.force_metadata_update()
        synchronizer.cancel()

    asyncio.run(running())
    assert asked == [set(), {"new"}]
