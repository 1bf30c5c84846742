"""What the broker takes from nobody is told at /health, tried for a while, and stops the worker in one line."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from driven_app import DEADLINE, Driven, ours, play
from freezing import freeze
from test_refused import ANYTHING, LARGE, letters
from topics import Topics
from worker import Worker, wait_until

from streamapp.broker import EmbeddedKafka

JOINED = "joined_data"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka with permissions; all is allowed that is not forbidden."""
    config = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    broker = EmbeddedKafka(tmp_path_factory.mktemp("guarded"), config=config)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(broker.start())
        try:
            yield broker
        finally:
            runner.run(broker.stop())


@contextlib.contextmanager
def forbidden(bootstrap: str, kind: ResourceType, name: str, what: AclOperation) -> Iterator[None]:
    """Forbid one thing, and nothing else, meanwhile."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    rules = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", operation, permission)
        for operation, permission in ((what, AclPermissionType.DENY), (AclOperation.ALL, AclPermissionType.ALLOW))
    ]
    for made in admin.create_acls(rules).values():
        made.result(30)
    try:
        yield
    finally:
        these = AclBindingFilter(
            kind, name, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        for gone in admin.delete_acls([these]).values():
            gone.result(30)


@pytest.fixture
def topics(guarded) -> Topics:
    topics = Topics(guarded.bootstrap, "standing", partitions=1)
    topics.create("user_profiles", "user_clicks", config=ANYTHING)
    topics.create(JOINED)
    topics.profiles([0])
    return topics


def click(topics: Topics, numbers: range) -> None:
    topics.clicks(numbers, users=1, at=1)


def joined_once(topics: Topics, numbers: range) -> bool:
    return topics.joined() == Counter(f"c{number}" for number in numbers)


def problem(worker: Worker) -> str:
    """Wait until it is not ready, and give why."""
    wait_until(lambda: worker.answers("/health", 503), "the worker is not ready")
    (text,) = worker.get("/health").json()["problems"]
    return str(text)


def ended(worker: Worker, line: str) -> None:
    """Wait until the worker ends by itself, with this line and no traceback."""
    wait_until(lambda: worker.exit_code is not None, "the worker ends")
    assert worker.exit_code != 0
    assert line in worker.log
    assert "Traceback" not in worker.log


def test_a_permission_that_comes_back_costs_nothing_and_one_that_does_not_stops_the_worker(
    topics: Topics, tmp_path: Path
) -> None:
    output = topics.prefix + JOINED
    line = f"the broker does not allow this worker to use the topic {output}: grant it READ, WRITE and DESCRIBE there"
    with Worker(tmp_path, **topics.settings) as worker:
        click(topics, range(10))
        wait_until(lambda: topics.committed("user_clicks") == 10, "the clicks are joined")
        with forbidden(topics.bootstrap, ResourceType.TOPIC, output, AclOperation.WRITE):
            click(topics, range(10, 20))
            assert line in problem(worker)
        wait_until(lambda: topics.committed("user_clicks") == 20, "the clicks are joined")
        worker.wait_ready()
        assert joined_once(topics, range(20))
        with forbidden(topics.bootstrap, ResourceType.TOPIC, output, AclOperation.WRITE):
            click(topics, range(20, 30))
            ended(worker, line)
    assert joined_once(topics, range(20))
    assert topics.committed("user_clicks") == 20


@pytest.mark.parametrize(
    ("kind", "what", "line"),
    [
        (ResourceType.TOPIC, AclOperation.WRITE, "the broker does not allow this worker to use the topic"),
        (ResourceType.GROUP, AclOperation.READ, "the broker does not allow this worker to use the consumer group"),
    ],
)
def test_exactly_once_a_worker_that_was_stopped_for_want_of_a_permission_goes_on_once_it_has_it(
    topics: Topics, tmp_path: Path, kind: ResourceType, what: AclOperation, line: str
) -> None:
    name = topics.prefix + JOINED if kind is ResourceType.TOPIC else topics.id
    settings = {**topics.settings, "processing_guarantee": "exactly_once"}
    with Worker(tmp_path, **settings) as worker:
        click(topics, range(10))
        wait_until(lambda: topics.committed("user_clicks") == 10, "the clicks are joined")
        with forbidden(topics.bootstrap, kind, name, what):
            click(topics, range(10, 20))
            ended(worker, f"{line} {name}: grant it")
    with Worker(tmp_path, **settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 20, "the clicks are joined")
        assert worker.terminate() == 0
    assert joined_once(topics, range(20))


def test_an_output_that_is_gone_is_told_and_gets_all_that_comes_once_it_is_there_again(
    topics: Topics, tmp_path: Path
) -> None:
    with Worker(tmp_path, **topics.settings) as worker:
        click(topics, range(10))
        wait_until(lambda: topics.committed("user_clicks") == 10, "the clicks are joined")
        topics.delete(JOINED)
        click(topics, range(10, 20))
        assert f"{topics.prefix}{JOINED} is not there any more, or not all of its partitions: make it" in problem(
            worker
        )
        topics.create(JOINED)
        wait_until(lambda: topics.committed("user_clicks") == 20, "the clicks are joined")
        worker.wait_ready()
        assert worker.log.count(f"Topic {topics.prefix}{JOINED} not found") < 10
        assert worker.terminate() == 0
    assert joined_once(topics, range(10, 20))


def test_a_broker_that_does_not_answer_is_told_at_health_until_it_does(guarded, tmp_path: Path) -> None:
    async def scenario(driven: Driven) -> list[str]:
        driven.send(range(1))
        await driven.finish()
        freeze(guarded.pid)
        try:
            commit = asyncio.create_task(driven.app.consumer.commit())
            problems = await asyncio.to_thread(wait_until, driven.app.problems, "the problem is told")
        finally:
            os.kill(guarded.pid, signal.SIGCONT)
        assert await asyncio.wait_for(commit, DEADLINE)
        assert driven.app.problems() == []
        return list(problems)

    (text,) = play(scenario, ours, guarded.bootstrap, tmp_path)
    assert text == "a commit lasts more than 3 s: the broker has not taken what goes to the offsets"


def test_a_profile_is_found_that_the_changelog_refuses_although_the_broker_does_not_tell_its_limits(
    topics: Topics, tmp_path: Path
) -> None:
    settings = {**topics.settings, "processing_guarantee": "exactly_once"}
    changelog = f"{topics.id}-user_profiles-changelog"
    hidden = forbidden(topics.bootstrap, ResourceType.TOPIC, changelog, AclOperation.DESCRIBE_CONFIGS)
    with hidden, Worker(tmp_path, **settings) as worker:
        topics.send("user_profiles", "u0", {"user_id": "u0", "name": LARGE})
        topics.flush()
        click(topics, range(10))
        wait_until(lambda: topics.committed("user_clicks") == 10, "the clicks are joined")
        wait_until(lambda: topics.committed("user_profiles") == 2, "the profiles are kept")
        worker.wait_ready()
        assert worker.terminate() == 0
    assert joined_once(topics, range(10))
    (letter,) = letters(topics)
    assert (letter["offset"], letter["reason"]) == ("1", "too_large")
    assert letter["topic"] == topics.prefix + "user_profiles"
