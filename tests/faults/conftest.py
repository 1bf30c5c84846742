"""A Kafka for the rounds alone: they kill it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("faults") / "kafka") as broker:
        yield broker
