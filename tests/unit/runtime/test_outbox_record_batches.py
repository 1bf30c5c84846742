"""The outbox: what waits grows, and what comes after the cut goes through the other producer, in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import (
    InvalidTimestampError,
    MessageSizeTooLargeError,
    TopicAuthorizationFailedError,
)
from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP
from outboxes import outbox_of

from streamapp.kafka.compression import NO_CODEC
from streamapp.kafka.produce_request import Behind
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.record_writer import RecordBatch
from streamapp.kafka.refusals import Cause, RecordRefusedError, RefusedError
from streamapp.runtime import outbox as module
from streamapp.runtime import patience
from streamapp.runtime.outbox import Outbox
from streamapp.runtime.patience import Patience
from streamapp.runtime.problems import Problems

TO, ELSEWHERE = TP("results", 0), TP("results", 1)
TOO_LARGE = RecordRefusedError(MessageSizeTooLargeError, Cause.TOO_LARGE)


class Producer:
    """Takes record batches as aiokafka's producer does; they arrive when it is told."""

    def __init__(self) -> None:
        self._txn_manager = None
        self._message_accumulator = SimpleNamespace(
            _batch_size=1 << 20, _compression_type=2, _linger_time=0, _txn_manager=None
        )
        self._taken = asyncio.Condition()
        self._under_way: list[tuple[TP, Any, asyncio.Future[RecordMetadata]]] = []
        #: Whether what it takes waits, since its connection has a request under way.
        self.busy = False

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        if not self.busy:
            batch.close()
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        self._under_way.append((TP(topic, partition), batch, answer))
        async with self._taken:
            self._taken.notify_all()
        return answer

    async def took(self, count: int) -> None:
        """Wait until so many are on their way."""
        async with asyncio.timeout(60), self._taken:
            await self._taken.wait_for(lambda: len(self._under_way) == count)

    @property
    def under_way(self) -> list[tuple[TP, int]]:
        """To which partitions how many records are on their way."""
        return [(tp, batch.record_count()) for tp, batch, _ in self._under_way]

    def arrive(self, count: int | None = None) -> None:
        """Have all arrive that is under way, or so many."""
        for tp, _, answer in self._under_way[:count]:
            answer.set_result(RecordMetadata(*tp, TopicPartition(*tp), 0, -1, 0, 0))
        del self._under_way[:count]

    def refuse(self, error: Exception) -> None:
        """Have the broker refuse the first one that is under way; the others come back."""
        for _, batch, answer in self._under_way:
            batch.refused = not isinstance(error, Behind)
            answer.set_exception(error)
            error = Behind()
        self._under_way.clear()

    def fail(self, error: Exception) -> None:
        """Have all fail that is under way."""
        for _, _, answer in self._under_way:
            answer.set_exception(error)
        self._under_way.clear()


class Taker:
    """Is told of what has arrived: how much, and up to which offset; and of what is refused, and why."""

    def __init__(self) -> None:
        self.told: list[tuple[int, int]] = []
        self.refusals: list[tuple[Result, str]] = []

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        self.told.append((len(results), offset))

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        self.refusals.append((result, str(error)))


def run(scenario: Callable[[Outbox, Producer, Producer], Awaitable[None]]) -> None:
    async def main() -> None:
        first = Producer()
        await scenario(outbox_of(first), first, Producer())

    asyncio.run(main())


async def settled() -> None:
    """Let the other tasks go as far as they come."""
    for _ in range(10):
        await asyncio.sleep(0)


def results(count: int) -> list[Result]:
    return [(Envelope(b"key", number), b"value") for number in range(count)]


def test_what_is_put_in_while_a_record_batch_waits_goes_with_it() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        one, other = Taker(), Taker()
        first.busy = True
        outbox.put(TO, results(3), one)
        await settled()
        outbox.put(TO, results(2), other)
        outbox.put(ELSEWHERE, results(1), other)
        await settled()
        assert first.under_way == [(TO, 5), (ELSEWHERE, 1)]
        first.arrive()
        await settled()
        assert (one.told, other.told) == ([(3, 3)], [(2, 5), (1, 1)])

    run(scenario)


def test_what_is_put_in_once_a_record_batch_was_sent_goes_with_the_next_one() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.put(TO, results(3), Taker())
        await settled()
        outbox.put(TO, results(2), Taker())
        await settled()
        assert first.under_way == [(TO, 3), (TO, 2)]

    run(scenario)


def test_a_record_batch_without_room_is_not_extended() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        first._message_accumulator._batch_size = 200
        first.busy = True
        outbox.put(TO, results(20), Taker())
        await settled()
        counts = [count for _, count in first.under_way]
        assert sum(counts) == 20
        assert len(counts) > 1
        assert len(set(counts[:-1])) == 1

    run(scenario)


def test_a_large_record_batch_is_compressed_before_the_producer_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THREAD_COMPRESSION_BYTES", 500)

    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        first.busy = True
        outbox.put(ELSEWHERE, results(1), Taker())
        outbox.put(TO, results(100), Taker())
        await first.took(2)
        assert first.under_way == [(ELSEWHERE, 1), (TO, 100)]
        small, large = [batch._buffer for _, batch, _ in first._under_way]
        assert small is None
        assert large is not None

    run(scenario)


def test_what_is_not_to_be_compressed_is_given_at_once_and_grows_until_it_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "THREAD_COMPRESSION_BYTES", 500)

    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        first._message_accumulator._compression_type = NO_CODEC
        first.busy = True
        outbox.put(TO, results(100), Taker())
        await settled()
        outbox.put(TO, results(2), Taker())
        assert first.under_way == [(TO, 102)]

    run(scenario)


def test_what_comes_while_a_record_batch_is_compressed_has_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "THREAD_COMPRESSION_BYTES", 500)
    compressing, go_on = threading.Event(), threading.Event()

    def compress(batch: RecordBatch) -> None:
        compressing.set()
        assert go_on.wait(60)
        original(batch)

    original = RecordBatch.compress
    monkeypatch.setattr(RecordBatch, "compress", compress)

    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.put(TO, results(100), Taker())
        await asyncio.to_thread(compressing.wait)
        outbox.put(TO, results(2), Taker())
        outbox.put(ELSEWHERE, results(1), Taker())
        await settled()
        assert first.under_way == [(ELSEWHERE, 1)]
        go_on.set()
        await first.took(3)
        assert first.under_way == [(ELSEWHERE, 1), (TO, 100), (TO, 2)]

    run(scenario)


def test_a_refusal_without_a_record_is_narrowed_down_to_it_in_order() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        taker = Taker()
        first.busy = True
        outbox.put(TO, results(3), taker)
        outbox.put(TO, results(4), taker)
        outbox.cut(first)
        tried = []
        for refused in (True, True, False, True, False, True, False):
            await settled()
            tried.append(first.under_way[0][1])
            if refused:
                first.refuse(TOO_LARGE)
            else:
                first.arrive(1)
        assert tried == [7, 3, 1, 2, 1, 1, 4]
        await outbox.settle()
        assert taker.refusals == [(results(3)[2], str(TOO_LARGE))]
        assert taker.told == [(1, 1), (1, 1), (4, 4)]

    run(scenario)


def test_records_that_the_broker_names_are_refused_and_others_go_again_in_order() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        first.busy = True
        one, other = Taker(), Taker()
        outbox.put(TO, results(3), one)
        outbox.put(TO, results(4), other)
        outbox.cut(second)
        await settled()
        outbox.put(TO, results(9), Taker())
        first.refuse(RecordRefusedError(InvalidTimestampError, Cause.INVALID_TIMESTAMP, "", {1: "one", 5: "five"}))
        await settled()
        assert (first.under_way, second.under_way) == ([(TO, 5)], [])
        first.arrive()
        await outbox.settle()
        assert one.refusals == [(results(3)[1], "INVALID_TIMESTAMP: one")]
        assert other.refusals == [(results(4)[2], "INVALID_TIMESTAMP: five")]
        await settled()
        assert second.under_way == [(TO, 9)]

    run(scenario)


def test_what_lacks_a_permission_is_sent_again_and_given_up_after_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patience, "RETRY_BACKOFF_S", 0.0)

    async def scenario(_: Outbox, first: Producer, second: Producer) -> None:
        now, problems = [0.0], Problems()
        outbox = outbox_of(first, Patience(problems, lambda: now[0]))
        outbox.put(TO, results(3), Taker())
        outbox.cut(first)
        for now[0] in (0.0, patience.FORBIDDEN_TIMEOUT_S):
            await settled()
            assert first.under_way == [(TO, 3)]
            first.refuse(TopicAuthorizationFailedError("results"))
            await settled()
            (problem,) = problems
            assert problem.startswith("the broker does not allow this worker to use the topic results")
        now[0] += 0.1
        first.refuse(TopicAuthorizationFailedError("results"))
        with pytest.raises(RefusedError):
            await outbox.settle()

    run(scenario)


def test_a_commit_waits_for_what_was_put_in_before_the_cut_and_for_nothing_else() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.put(TO, results(3), Taker())
        outbox.cut(second)
        outbox.put(ELSEWHERE, results(5), Taker())
        commit = asyncio.create_task(outbox.settle())
        await settled()
        assert (first.under_way, second.under_way) == ([(TO, 3)], [(ELSEWHERE, 5)])
        assert not commit.done()
        first.arrive()
        await commit

    run(scenario)


def test_a_partitions_other_producer_goes_on_once_the_first_records_arrived() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.put(TO, results(3), Taker())
        outbox.cut(second)
        outbox.put(TO, results(5), Taker())
        await settled()
        assert (first.under_way, second.under_way) == ([(TO, 3)], [])
        first.arrive()
        await settled()
        assert second.under_way == [(TO, 5)]

    run(scenario)


def test_what_amends_a_commit_goes_through_the_producer_of_the_commit() -> None:
    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.cut(second)
        outbox.put(TO, results(2), Taker(), amends=True)
        commit = asyncio.create_task(outbox.settle())
        await settled()
        assert first.under_way == [(TO, 2)]
        assert not commit.done()
        first.arrive()
        await commit

    run(scenario)


def test_what_is_forgotten_makes_room_and_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OUTBOX_BYTES", 100)

    async def scenario(outbox: Outbox, first: Producer, second: Producer) -> None:
        outbox.put(TO, results(50), Taker())
        await settled()
        outbox.cut(second)
        outbox.put(TO, results(50), Taker())
        waiting = asyncio.create_task(outbox.room())
        await settled()
        assert not waiting.done()
        outbox.forget()
        await waiting
        first.arrive()
        await settled()
        assert second.under_way == []
        outbox.put(TO, results(1), Taker())
        await settled()
        assert second.under_way == [(TO, 1)]

    run(scenario)
