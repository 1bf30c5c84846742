"""A rebalance at a bad moment loses no record and gives none twice."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError
from driven_app import DEADLINE, Driven, ours, play
from topics import Topics
from worker import wait_until

from streamapp.joins import Row
from streamapp.kafka.refusals import RefusedError
from streamapp.runtime import feed
from streamapp.runtime.restore import Restore
from streamapp.worker import consumer

#: Seconds that an agent has still to work, when a rebalance comes.
WORK = 0.5


@pytest.fixture
def outcome(kafka, tmp_path: Path) -> Callable[..., Any]:
    """Gives what comes of a scenario on an app of ours."""
    return partial(play, make=ours, bootstrap=kafka.bootstrap, datadir=tmp_path)


def test_a_fetch_from_before_a_rebalance_does_not_swallow_what_comes_after_it(
    outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that the last generation's feed waits all the while.
    monkeypatch.setattr(feed, "FEED_CHECK_INTERVAL_S", DEADLINE)

    async def a_record_comes_right_after_a_rebalance(driven: Driven) -> list[int]:
        driven.send(range(1))
        offsets = await driven.finish()
        await driven.rebalance()
        driven.send(range(1, 2))
        return offsets + await driven.finish()

    assert outcome(a_record_comes_right_after_a_rebalance) == [0, 1]


def test_records_that_wait_for_a_full_queue_during_a_rebalance_come_once(outcome) -> None:
    async def a_rebalance_comes_while_a_queue_is_full(driven: Driven) -> list[int]:
        driven.greedy.clear()
        driven.send(range(10))
        offsets = await driven.finish()
        await until(lambda: any(topic.queue.full() for topic in driven.app.topics), "the agent's queue is full")
        await driven.rebalance()
        driven.greedy.set()
        driven.send(range(10, 11))
        while offsets[-1] != 10:
            offsets += await driven.finish()
        return offsets

    assert outcome(a_rebalance_comes_while_a_queue_is_full, stream_buffer_maxsize=2) == list(range(11))


def test_what_is_done_during_a_commit_is_committed_before_the_partitions_go(outcome) -> None:
    async def a_rebalance_comes_during_a_commit(driven: Driven) -> list[int]:
        aiokafka = driven.app.consumer._thread._consumer
        commit = aiokafka.commit
        begun, may_end = concurrent.futures.Future[None](), concurrent.futures.Future[None]()

        async def slowly(offsets: Any) -> None:
            aiokafka.commit = commit
            begun.set_result(None)
            await asyncio.wrap_future(may_end)
            await commit(offsets)

        aiokafka.commit = slowly
        driven.send(range(2))
        await driven.finish()
        committing = asyncio.create_task(driven.commit())
        await asyncio.wrap_future(begun)
        offsets = await driven.finish()
        driven.begin_rebalance()
        await until(lambda: not driven.app.consumer.flow_active, "the partitions are about to go")
        may_end.set_result(None)
        await committing
        await driven.rebalanced()
        driven.send(range(2, 3))
        while offsets[-1] != 2:
            offsets += await driven.finish()
        return offsets

    assert outcome(a_rebalance_comes_during_a_commit) == [1, 2]


def test_the_agents_do_not_go_on_when_a_recovery_ends_amid_the_next_rebalance(outcome) -> None:
    async def a_rebalance_comes_at_the_end_of_a_recovery(driven: Driven) -> bool:
        app, at_its_end, may_end, ended = driven.app, asyncio.Event(), asyncio.Event(), asyncio.Event()
        revoked, may_go_on = asyncio.Event(), asyncio.Event()

        async def slow_end(*_: Any, **__: Any) -> None:
            at_its_end.set()
            try:
                await may_end.wait()
            finally:
                ended.set()

        async def slow_revocation(*_: Any, **__: Any) -> None:
            revoked.set()
            await may_go_on.wait()

        app.on_rebalance_complete.connect(slow_end)
        driven.begin_rebalance()
        await at_its_end.wait()
        app.on_rebalance_complete.disconnect(slow_end)
        app.on_partitions_revoked.connect(slow_revocation)
        driven.begin_rebalance()
        await revoked.wait()
        may_end.set()
        await ended.wait()
        for _ in range(10):
            await asyncio.sleep(0)
        amid = app.consumer.flow_active or app.flow_control.is_active()
        may_go_on.set()
        await driven.rebalanced()
        driven.send(range(1))
        assert await driven.finish() == [0]
        return amid

    assert outcome(a_rebalance_comes_at_the_end_of_a_recovery) is False


def test_a_rebalance_during_a_stop_does_not_prevent_the_last_commit(outcome) -> None:
    async def a_rebalance_comes_while_a_stop_waits_for_an_agent(driven: Driven) -> int:
        app, revoked = driven.app, asyncio.Event()
        on_partitions_revoked = app.consumer.on_partitions_revoked

        async def seen(partitions: Any) -> None:
            revoked.set()
            await on_partitions_revoked(partitions)

        app.consumer.on_partitions_revoked = seen
        driven.send(range(1))
        (in_work,) = await driven.take()
        stopping = asyncio.create_task(app.stop())
        await until(lambda: not app.consumer.flow_active, "the stop has begun")
        driven.begin_rebalance()
        await revoked.wait()
        await asyncio.sleep(WORK)
        in_work.ack()
        await stopping
        return await asyncio.to_thread(driven.topics.committed, "records")

    assert outcome(a_rebalance_comes_while_a_stop_waits_for_an_agent) == 1


def test_a_stop_during_a_rebalance_is_no_crash(outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "FEED_CHECK_INTERVAL_S", DEADLINE)  # so that the stop finds a feed that waits

    async def a_stop_comes_during_a_rebalance(driven: Driven) -> BaseException | None:
        app, revoked, may_go_on = driven.app, asyncio.Event(), asyncio.Event()

        async def slow_revocation(*_: Any, **__: Any) -> None:
            revoked.set()
            await may_go_on.wait()

        driven.send(range(1))
        await driven.finish()
        app.on_partitions_revoked.connect(slow_revocation)
        driven.begin_rebalance()
        await revoked.wait()
        stopping = asyncio.create_task(app.stop())
        await until(lambda: app._fetcher.should_stop, "the stop has come to the fetcher")
        may_go_on.set()
        await stopping
        return app.crash_reason

    assert outcome(a_stop_comes_during_a_rebalance) is None


def test_work_that_was_given_up_is_not_committed_before_its_input_is_read_again(
    kafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumer, "FINISH_WITHIN_SESSION", 0.0)
    topics = Topics(kafka.bootstrap, "given-up", partitions=1)
    topics.create("records")
    app: Any = ours(topics, tmp_path)
    rows = app.table("rows")
    given, may_write, done, revoked, may_go_on = (asyncio.Event() for _ in range(5))

    @app.agent(app.topic("records", batches=True))
    async def write(batches: Any) -> None:
        async for batch in batches:
            given.set()
            await may_write.wait()
            rows.of(batch).write({b"key": Row(b"value", batch.timestamps[-1])})

    async def slow_revocation(*_: Any, **__: Any) -> None:
        revoked.set()
        await may_go_on.wait()

    async def an_agent_is_done_after_its_time() -> bool:
        app.loop = asyncio.get_running_loop()
        checkpoint: Any = app.checkpoint  # with the consumer, which is of this loop
        take_in = checkpoint.finish

        async def finish(*work: Any) -> None:
            await take_in(*work)
            done.set()

        checkpoint.finish = finish
        await app.start()
        try:
            topics.send("records", "key", 0)
            topics.flush()
            await asyncio.wait_for(given.wait(), DEADLINE)
            app.on_partitions_revoked.connect(slow_revocation)
            app.consumer.rejoin()
            await asyncio.wait_for(revoked.wait(), DEADLINE)
            may_write.set()
            await asyncio.wait_for(done.wait(), DEADLINE)
            return bool(await app.consumer.commit())
        finally:
            may_go_on.set()
            await app.stop()

    assert asyncio.run(an_agent_is_done_after_its_time()) is False
    assert topics.changes("rows") == 0


@pytest.mark.parametrize("step", ["_do_heartbeat", "_perform_assignment", "_do_fetch_commit_offsets"])
def test_an_error_that_aiokafka_does_not_know_of_keeps_nobody_out_of_the_group(outcome, step: str) -> None:
    async def an_error_comes(driven: Driven) -> list[int]:
        coordinator = driven.app.consumer._thread._consumer._coordinator
        do, came = getattr(coordinator, step), concurrent.futures.Future[None]()

        async def fail(*_: Any) -> None:
            setattr(coordinator, step, do)
            came.set_result(None)
            raise KafkaError("as a broker gives that has just started")

        setattr(coordinator, step, fail)
        driven.begin_rebalance()
        await asyncio.wrap_future(came)
        driven.send(range(1))
        return await driven.finish()

    assert outcome(an_error_comes) == [0]


def test_a_recovery_waits_for_a_broker_that_is_away(outcome, monkeypatch: pytest.MonkeyPatch) -> None:
    read, away = Restore.run, itertools.count()

    async def run(restore: Restore) -> None:
        if next(away) == 0:
            raise KafkaConnectionError("Unable to bootstrap")
        await read(restore)

    async def it_is_away_after_a_rebalance(driven: Driven) -> list[int]:
        monkeypatch.setattr(Restore, "run", run)
        await driven.rebalance()
        driven.send(range(1))
        return await driven.finish()

    assert outcome(it_is_away_after_a_rebalance) == [0]
    assert next(away) > 1


def test_an_error_for_good_of_the_group_ends_the_worker(outcome) -> None:
    async def the_group_is_forbidden(driven: Driven) -> BaseException | None:
        coordinator = driven.app.consumer._thread._consumer._coordinator

        async def fail(*_: Any) -> None:
            raise GroupAuthorizationFailedError(driven.topics.id)

        coordinator._do_heartbeat = fail
        await until(lambda: driven.app.crash_reason, "the app crashes")
        return driven.app.crash_reason

    reason = outcome(the_group_is_forbidden)
    assert isinstance(reason, RefusedError)
    assert "grant it READ there (GROUP_AUTHORIZATION_FAILED)" in str(reason)


def test_no_recovery_begins_in_a_worker_that_stops(outcome) -> None:
    async def a_stop_comes_during_an_assignment(driven: Driven) -> bool:
        app, assigned, may_go_on = driven.app, asyncio.Event(), asyncio.Event()
        on_partitions_assigned = app.topics.on_partitions_assigned

        async def slowly(partitions: Any) -> None:
            assigned.set()
            await may_go_on.wait()
            await on_partitions_assigned(partitions)

        app.topics.on_partitions_assigned = slowly
        driven.begin_rebalance()
        await assigned.wait()
        stopping = asyncio.create_task(app.stop())
        await until(lambda: app.tables.recovery.should_stop, "the stop has come to the tables")
        may_go_on.set()
        await stopping
        return not app.tables.recovery._running.done() or driven.goes_on

    assert outcome(a_stop_comes_during_an_assignment) is False


async def until(condition: Callable[[], Any], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)
