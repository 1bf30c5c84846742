"""What is fetched is delivered of each partition that is wanted, and what it has to wait for is found out."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, cast

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.runtime import feed as module
from streamapp.runtime.alignment import Alignment, groups
from streamapp.runtime.feed import Feed, Fetched

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)
JOINED = groups({"clicks": ["profiles"]})


class Reader:
    """Fetches: it has records, and says what its fetches told of end offsets."""

    client = isolation_level = None

    def __init__(self) -> None:
        self.fetching = self
        self.records: dict[TP, list[Any]] = {}
        self.barriers: dict[TP, dict[TP, int]] = {}
        #: What the broker says when it is asked.
        self.ends: list[dict[TP, int] | Exception] = []
        self.error: Exception | None = None

    def feed(self, pump: Callable[[], None] | None, wanted: set[TP]) -> None:
        """Nothing is fetched but what is there."""

    def has_any(self, partitions: Iterable[TP]) -> bool:
        return any(tp in self.records for tp in partitions)

    def take(self, wanted: Collection[TP], most: int, most_bytes: int) -> dict[TP, list[Any]]:
        if self.error is not None:
            raise self.error
        return {tp: self.records.pop(tp) for tp in list(self.records) if tp in wanted}

    def read_to(self) -> Mapping[TP, int]:
        return {}

    def barrier(self, tp: TP, others: Collection[TP]) -> Mapping[TP, int] | None:
        return self.barriers.get(tp) if others else {}


class Hops:
    """Of profiles, which are written from raw ones, one has not come through yet."""

    def __init__(self) -> None:
        self.through = asyncio.Event()

    def over(self, partitions: Iterable[TP]) -> frozenset[str]:
        return frozenset("raw" for tp in partitions if tp == PROFILES)

    async def passed(self, topics: Collection[str], current: Callable[[], bool]) -> bool:
        await self.through.wait()
        return True


class Case:
    def __init__(self) -> None:
        self.reader, self.current, self.delivered = Reader(), True, asyncio.Queue[Fetched]()
        self.hops: Hops | None = None

    def feed(self) -> Feed:
        return Feed(
            cast(Any, self.reader),
            Alignment(JOINED, [CLICKS, PROFILES]),
            max_records=5_000,
            max_bytes=1 << 20,
            current=lambda: self.current,
            deliver=self.delivered.put_nowait,
            alive=lambda: None,
            hops=cast(Any, self.hops),
        )

    async def next(self) -> Fetched:
        async with asyncio.timeout(60):
            return await self.delivered.get()


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEED_CHECK_INTERVAL_S", 0.01)


def run(monkeypatch: pytest.MonkeyPatch, scenario: Callable[[Case], Awaitable[None]]) -> None:
    async def main() -> None:
        case = Case()

        async def end_offsets(client: object, partitions: Collection[TP], isolation_level: object) -> dict[TP, int]:
            found = case.reader.ends.pop(0)
            if isinstance(found, Exception):
                raise found
            return found

        monkeypatch.setattr(module, "end_offsets", end_offsets)
        await scenario(case)

    asyncio.run(main())


def test_what_is_fetched_is_delivered_once_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(case: Case) -> None:
        feed, case.reader.records = case.feed(), {PROFILES: [1]}
        case.reader.barriers[PROFILES] = {CLICKS: 3}
        feed.want({CLICKS})
        assert case.delivered.empty()
        feed.want({PROFILES})
        fetched = await case.next()
        assert list(fetched.records) == [PROFILES]
        assert fetched.barriers == {PROFILES: {CLICKS: 3}}

    run(monkeypatch, scenario)


def test_end_offsets_that_no_fetch_told_are_asked_for_until_the_broker_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(case: Case) -> None:
        feed, case.reader.records = case.feed(), {CLICKS: [1]}
        case.reader.ends = [KafkaError("away"), {PROFILES: 5}]
        running = asyncio.create_task(feed.run())
        feed.want({CLICKS})
        assert (await case.next()).barriers == {}
        assert (await case.next()).barriers == {CLICKS: {PROFILES: 5}}
        feed.end()
        await running

    run(monkeypatch, scenario)


def test_end_offsets_behind_a_hop_are_asked_for_once_all_has_come_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(case: Case) -> None:
        case.hops = hops = Hops()
        feed, case.reader.records = case.feed(), {CLICKS: [1]}
        case.reader.barriers[CLICKS] = {PROFILES: 4}  # as of a fetch, which does not know of what is still to come
        running = asyncio.create_task(feed.run())
        feed.want({CLICKS})
        assert (await case.next()).barriers == {}
        case.reader.ends = [{PROFILES: 5}]
        hops.through.set()
        assert (await case.next()).barriers == {CLICKS: {PROFILES: 5}}
        feed.end()
        await running

    run(monkeypatch, scenario)


def test_nothing_is_taken_of_a_generation_that_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(case: Case) -> None:
        feed, case.current = case.feed(), False
        case.reader.records = {CLICKS: [1]}
        feed.want({CLICKS})
        await feed.run()
        assert (case.delivered.empty(), case.reader.records) == (True, {CLICKS: [1]})

    run(monkeypatch, scenario)


def test_a_record_batch_that_cannot_be_read_ends_the_feed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(case: Case) -> None:
        feed, case.reader.error = case.feed(), ValueError("CRC")
        case.reader.records = {CLICKS: [1]}
        feed.want({CLICKS})
        with pytest.raises(ValueError, match="CRC"):
            await feed.run()

    run(monkeypatch, scenario)
