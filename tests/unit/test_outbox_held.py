"""The outbox keeps what comes during the commit of a transaction for the next one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.structs import RecordMetadata, TopicPartition
from faust.types import TP

from streamapp.batching import outbox as module
from streamapp.batching.outbox import Outbox, Room
from streamapp.batching.output import Envelope, Result

TO = TP("results", 0)


class Producer:
    """Takes record batches as aiokafka's producer does, and has each arrive at once."""

    def __init__(self) -> None:
        self._message_accumulator = SimpleNamespace(_batch_size=1 << 20, _txn_manager=None)
        self.records = 0

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[RecordMetadata]:
        answer: asyncio.Future[RecordMetadata] = asyncio.get_running_loop().create_future()
        tp = TopicPartition(topic, partition)
        answer.set_result(RecordMetadata(topic, partition, tp, self.records, -1, 0, 0))
        self.records += batch.record_count()
        return answer


class Taker:
    """Counts the records that have arrived."""

    def __init__(self) -> None:
        self.arrived = 0

    def delivered(self, count: int, offset: int) -> None:
        self.arrived += count

    async def refused(self, result: Result) -> None:
        raise AssertionError("nothing is refused here")


def run(scenario: Callable[[Outbox, Room, Taker], Awaitable[None]]) -> None:
    async def main() -> None:
        room = Room()
        await scenario(Outbox(Producer(), room), room, Taker())

    asyncio.run(main())


def results(count: int) -> list[Result]:
    return [(Envelope(b"key", number), b"value") for number in range(count)]


def test_what_is_put_in_after_the_cut_waits_for_the_next_transaction() -> None:
    async def scenario(outbox: Outbox, room: Room, taker: Taker) -> None:
        outbox.put(TO, results(3), taker)
        outbox.hold()
        outbox.put(TO, results(5), taker)
        assert await outbox.settle() == []
        assert taker.arrived == 3
        outbox.release()
        assert await outbox.settle() == []
        assert taker.arrived == 8

    run(scenario)


def test_what_amends_a_commit_goes_although_others_wait() -> None:
    async def scenario(outbox: Outbox, room: Room, taker: Taker) -> None:
        outbox.hold()
        outbox.put(TO, results(1), taker)
        outbox.put(TO, results(2), taker, amends=True)
        assert await outbox.settle() == []
        assert taker.arrived == 2

    run(scenario)


def test_what_waits_takes_up_room_until_it_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROOM", 100)

    async def scenario(outbox: Outbox, room: Room, taker: Taker) -> None:
        outbox.hold()
        outbox.put(TO, results(50), taker)
        waiting = asyncio.create_task(room.wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        outbox.drop_held()
        await waiting
        outbox.release()
        assert await outbox.settle() == []
        assert taker.arrived == 0

    run(scenario)
