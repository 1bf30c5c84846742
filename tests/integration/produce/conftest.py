"""Settings and topics that no other test has."""

from __future__ import annotations

import socket
import uuid
from collections.abc import Iterator

import pytest
from produced import PARTITIONS, Topics

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.kafka.admin import Cluster
from streamapp.settings import Settings


@pytest.fixture
def settings(kafka: EmbeddedKafka) -> Settings:
    return Settings(broker=kafka.bootstrap, partitions=PARTITIONS, topic_prefix=f"test-{uuid.uuid4().hex[:8]}-")


@pytest.fixture
def topic(settings: Settings) -> str:
    name = settings.topic("lines")
    Cluster(settings).ensure([name])
    return name


@pytest.fixture
def nowhere() -> Iterator[Settings]:
    """Settings of a broker that is not there, on a port that nothing else can take meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield Settings(broker=f"127.0.0.1:{bound.getsockname()[1]}")


@pytest.fixture
def topics(settings: Settings) -> Iterator[Topics]:
    found = Topics(settings)
    yield found
    found.close()
