"""Kafkas for tests, started and stopped without a loop of theirs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from streamapp.embedded_kafka import EmbeddedKafka

__all__ = ["running_kafka"]


@contextmanager
def running_kafka(directory: Path, config: Mapping[str, str] | None = None) -> Iterator[EmbeddedKafka]:
    """Run a Kafka; the loop runs only to start and to stop it: Kafka needs nothing from us in between."""
    broker = EmbeddedKafka(directory, config=config or {})
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(broker.start())
        try:
            yield broker
        finally:
            runner.run(broker.stop())
