"""A topic that is gone or forbidden is told at /health, tried for a while, and then stops the worker in one line."""

from __future__ import annotations

import asyncio
import contextlib
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
from topics import Topics
from worker import Worker, wait_until

from streamapp.broker import EmbeddedKafka

GUARANTEES = ["at_least_once", "exactly_once"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A Kafka with permissions; all is allowed that is not forbidden."""
    config = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
        "super.users": "User:none",
    }
    broker = EmbeddedKafka(tmp_path_factory.mktemp("guarded"), config=config)
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(broker.start())
        try:
            yield broker
        finally:
            runner.run(broker.stop())


def binding(kind: ResourceType, name: str, what: AclOperation, permission: AclPermissionType) -> AclBinding:
    return AclBinding(kind, name, ResourcePatternType.LITERAL, "User:ANONYMOUS", "*", what, permission)


@contextlib.contextmanager
def forbidden(bootstrap: str, kind: ResourceType, name: str, what: AclOperation) -> Iterator[None]:
    """Forbid something."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    deny = binding(kind, name, what, AclPermissionType.DENY)
    rest = binding(kind, name, AclOperation.ALL, AclPermissionType.ALLOW)
    for made in admin.create_acls([deny, rest]).values():
        made.result(30)
    try:
        yield
    finally:
        everything = AclBindingFilter(
            kind, name, ResourcePatternType.LITERAL, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        for gone in admin.delete_acls([everything]).values():
            gone.result(30)


def clicks(topics: Topics, numbers: range) -> None:
    topics.clicks([number * 2 + 1 for number in numbers], users=2)


def click_ids(numbers: range) -> Counter[str]:
    return Counter(f"c{number * 2 + 1}" for number in numbers)


@pytest.mark.parametrize("guarantee", GUARANTEES)
def test_a_permission_that_comes_back_in_time_costs_nothing_and_one_that_does_not_stops_the_worker(
    guarded, tmp_path: Path, guarantee: str
) -> None:
    topics = Topics(guarded.bootstrap, "forbidden", partitions=1)
    topics.create("user_profiles", "user_clicks", "joined_data")
    topics.profiles([1])
    clicks(topics, range(10))
    output = topics.prefix + "joined_data"
    with Worker(tmp_path, processing_guarantee=guarantee, profile_ttl=0, **topics.settings) as worker:
        wait_until(lambda: topics.committed("user_clicks") == 10, "the clicks are joined")
        with forbidden(topics.bootstrap, ResourceType.TOPIC, output, AclOperation.WRITE):
            clicks(topics, range(10, 20))
            wait_until(lambda: worker.answers("/health", 503), "it is not ready")
            (problem,) = worker.get("/health").json()["problems"]
            assert f"the broker does not allow this worker to use the topic {output}: grant it" in problem
        wait_until(lambda: topics.committed("user_clicks") == 20, "the clicks are joined")
        worker.wait_ready()
        assert topics.joined() == click_ids(range(20))
        with forbidden(topics.bootstrap, ResourceType.TOPIC, output, AclOperation.WRITE):
            clicks(topics, range(20, 30))
            wait_until(lambda: worker.exit_code is not None, "the worker ends")
        assert worker.exit_code != 0
        assert "Traceback" not in worker.log
    assert topics.joined() == click_ids(range(20))
    assert topics.committed("user_clicks") == 20
