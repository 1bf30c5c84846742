"""aiokafka's fetcher does what `kafka/fetching.py`, `record_reader.py` and `unreadable.py` make use of."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.memory_records import MemoryRecords
from brokers import CLICKS, NODE, USERS, Client, idle_fetcher, reading
from faust.types import TP
from raw_batches import RawName, record_batch

from streamapp.kafka.record_reader import take
from streamapp.kafka.unreadable import keep_bytes

BATCH = record_batch([(b"a", b"1", 1_000, []), (b"b", b"2", 2_000, [("name", b"x")])])
UNKNOWN_TOPIC = 3


def answered(*topics: tuple[str, int, bytes]) -> Any:
    """Return the response to a fetch: topic, error code and record batches of partition 0."""
    found: list[Any] = [(topic, [(0, code, 10, 8, 0, [], data)]) for topic, code, data in topics]
    return SimpleNamespace(API_VERSION=5, topics=found, error_code=0)


def run(test: Callable[[Client, Fetcher], Awaitable[None]], answer: Any = None) -> None:
    async def running() -> None:
        client = Client(lambda _: answer)
        await test(client, await idle_fetcher(client, reading([CLICKS, USERS])))

    asyncio.run(running())


def requests_of(fetcher: Fetcher) -> list[Any]:
    return fetcher._get_actions_per_node(fetcher._subscriptions.subscription.assignment)[0]


async def fetch(fetcher: Fetcher) -> bool:
    ((node, request),) = requests_of(fetcher)
    request.topics.sort()
    return await fetcher._proc_fetch_request(fetcher._subscriptions.subscription.assignment, node, request)


def test_one_request_goes_to_a_broker_whose_topics_can_be_put_in_order_and_taken_out() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        ((node, request),) = requests_of(fetcher)
        request.topics.sort(key=lambda topic: topic[0])
        assert node == NODE
        assert [(topic, [(number, offset) for number, offset, _ in parts]) for topic, parts in request.topics] == [
            ("clicks", [(0, 0)]),
            ("users", [(0, 0)]),
        ]
        request.topics[:] = request.topics[1:]
        assert [topic for topic, _ in request.prepare({request.API_KEY: (0, 4)}).topics] == ["users"]

    run(test)


def test_without_a_backoff_a_broker_is_asked_for_partitions_of_which_nothing_waits() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        fetcher._prefetch_backoff = 0
        await fetch(fetcher)
        assert CLICKS in fetcher._records
        ((_, request),) = requests_of(fetcher)
        assert [topic for topic, _ in request.topics] == ["users"]

    run(test, answered(("clicks", 0, BATCH)))


def test_how_long_a_fetch_may_wait_is_read_when_its_request_is_made() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        fetcher._fetch_max_wait_ms = 123
        ((_, request),) = requests_of(fetcher)
        assert request.prepare({request.API_KEY: (0, 4)}).max_wait_time == 123

    run(test)


def test_a_fetch_sets_the_ends_of_partitions_and_leaves_those_alone_that_failed() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        assignment = fetcher._subscriptions.subscription.assignment
        clicks, users = assignment.state_value(CLICKS), assignment.state_value(USERS)
        clicks.timestamp = users.timestamp = None
        assert await fetch(fetcher)
        assert (clicks.highwater, clicks.lso, clicks.timestamp is None) == (10, 8, False)
        assert users.timestamp is None

    run(test, answered(("clicks", 0, BATCH), ("users", UNKNOWN_TOPIC, b"")))


def test_what_is_fetched_is_there_before_anything_else_runs_and_can_be_given_its_bytes() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        keep_bytes(fetcher)
        await fetch(fetcher)
        result = fetcher._records[CLICKS]
        assert isinstance(result, FetchResult)
        assert result._partition_records.data == BATCH
        assert client.sent

    run(test, answered(("clicks", 0, BATCH)))


def test_whole_record_batches_are_taken_and_the_position_goes_behind_them() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        keep_bytes(fetcher)
        await fetch(fetcher)
        taken = take(fetcher, {TP(*CLICKS)}, 1_000, 1 << 20)
        assert [(one.key, one.value, one.timestamp) for one in taken[TP(*CLICKS)]] == [
            (b"a", b"1", 1_000),
            (b"b", b"2", 2_000),
        ]
        assert fetcher._subscriptions.subscription.assignment.state_value(CLICKS).position == 2
        assert not fetcher._records

    run(test, answered(("clicks", 0, BATCH)))


def test_whoever_waits_for_what_is_taken_is_woken_by_a_notice() -> None:
    async def test(client: Client, fetcher: Fetcher) -> None:
        fetcher._wait_consume_future = asyncio.get_running_loop().create_future()
        fetcher._notify(fetcher._wait_consume_future)
        assert fetcher._wait_consume_future.done()
        fetcher._notify(fetcher._wait_consume_future)  # a second one does nothing
        fetcher._notify(None)

    run(test)


def test_the_compiled_reader_stops_at_a_header_name_that_is_not_utf8_and_gives_records_else() -> None:
    data = record_batch([(b"k", b"v", 5, [(RawName(b"\xff"), b"x")])])
    batch = MemoryRecords(data).next_batch()
    assert isinstance(batch, DefaultRecordBatch)
    with pytest.raises(UnicodeDecodeError):
        list(batch)
    first, _ = MemoryRecords(BATCH).next_batch()
    assert (first.offset, first.timestamp, first.key, first.value, first.headers) == (0, 1_000, b"a", b"1", [])
