"""One real Kafka for all the tests that need one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from streamapp.embedded_kafka import EmbeddedKafka


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """An empty Kafka; tests share it, so each names its topics and groups for itself alone.

    Its loop runs only to start and to stop it: Kafka needs nothing from us in between.
    """
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(broker.start())
        try:
            yield broker
        finally:
            runner.run(broker.stop())
