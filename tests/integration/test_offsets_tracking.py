"""Which offsets are committed: four scenarios in which Faust's stock transport commits the wrong ones, and ours not.

Each test plays one scenario on both, so that it is known to be able to fail.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from driven_app import Driven, MakeApp, either, ours, play, stock


@pytest.fixture
def outcome(kafka, tmp_path: Path) -> Callable[[Callable[[Driven], Awaitable[Any]], MakeApp], Any]:
    """Gives what comes of a scenario on an app."""
    return partial(play, bootstrap=kafka.bootstrap, datadir=tmp_path)


def test_a_commit_does_not_pass_a_record_in_work(outcome) -> None:
    async def the_second_of_two_is_done_first(driven: Driven) -> int:
        driven.send(range(3))
        await driven.finish()
        assert await driven.commit() == 1
        slow, quick = await driven.take(2)
        assert (slow.message.offset, quick.message.offset) == (1, 2)
        quick.ack()
        return await driven.commit()

    assert outcome(the_second_of_two_is_done_first, ours) == 1
    assert outcome(the_second_of_two_is_done_first, stock) == 3


def test_a_gap_in_the_offsets_does_not_take_the_record_behind_it_for_done(outcome) -> None:
    async def the_record_behind_a_gap_is_slow(driven: Driven) -> int:
        driven.send(range(2))
        send_in_transactions(driven, 3)  # records 2, 4 and 6, markers 3, 5 and 7
        assert await driven.finish(3) == [0, 1, 2]
        slow, quick = await driven.take(2)
        assert (slow.message.offset, quick.message.offset) == (4, 6)
        quick.ack()
        return await driven.commit()

    assert outcome(the_record_behind_a_gap_is_slow, ours) == 3
    assert outcome(the_record_behind_a_gap_is_slow, stock) == 7


def send_in_transactions(driven: Driven, count: int) -> None:
    """Send records of a transaction each: the marker that ends it has an offset too, so there is a gap."""
    producer = Producer({"bootstrap.servers": driven.topics.bootstrap, "transactional.id": driven.topics.id})
    producer.init_transactions()
    for number in range(count):
        producer.begin_transaction()
        producer.produce(driven.topics.prefix + "records", key="key", value=b"%d" % number)
        producer.commit_transaction()


def test_a_rebalance_does_not_replay_what_is_done(outcome) -> None:
    async def a_rebalance_comes_between_two_commits(driven: Driven) -> list[int]:
        driven.send(range(5))
        await driven.finish(2)
        assert await driven.commit() == 2
        await driven.finish(3)
        await driven.rebalance()
        driven.send(range(5, 6))
        offsets = await driven.finish()
        while offsets[-1] != 5:
            offsets += await driven.finish()
        return offsets

    assert outcome(a_rebalance_comes_between_two_commits, ours) == [5]
    assert outcome(a_rebalance_comes_between_two_commits, stock) == [2, 3, 4, 5]


def test_the_commits_do_not_stand_still_after_a_recovery(outcome) -> None:
    async def records_come_before_the_recovery_has_ended(driven: Driven) -> int:
        consumer, sought, worked = driven.app.consumer, asyncio.Event(), asyncio.Event()
        seek_to_committed = consumer.seek_to_committed

        async def with_a_slow_answer() -> Any:
            by_the_recovery = consumer.flow_active  # the fetcher seeks too, but while the flow is stopped
            committed = await seek_to_committed()
            if by_the_recovery:
                sought.set()
                await worked.wait()
            return committed

        driven.send(range(2))
        await driven.finish(2)
        assert await driven.commit() == 2
        consumer.seek_to_committed = with_a_slow_answer
        driven.begin_rebalance()
        # To seek is the last step of the stock recovery; ours does not, and has ended then.
        await either(sought.wait(), driven.rebalanced())
        driven.send(range(2, 7))
        assert await driven.finish(5) == [2, 3, 4, 5, 6]
        worked.set()
        await driven.rebalanced()
        driven.send(range(7, 8))
        assert await driven.finish() == [7]
        return await driven.commit()

    assert outcome(records_come_before_the_recovery_has_ended, ours) == 8
    assert outcome(records_come_before_the_recovery_has_ended, stock) == 4
