"""One real Kafka for all the tests that need one, and what is restored from its changelogs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browsers import chromium
from changelogs import STORES, Changelog
from kafkas import running_kafka
from made_up import snapshot
from page_server import PageServer
from playwright.sync_api import Browser, BrowserContext

from streamapp.embedded_kafka import EmbeddedKafka
from streamapp.stores.partition import PartitionStore


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """An empty Kafka; tests share it, so each names its topics and groups for itself alone."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture
def changelog(kafka: EmbeddedKafka) -> Changelog:
    return Changelog(kafka.bootstrap)


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PartitionStore]:
    store = STORES[request.param](tmp_path)
    yield store
    store.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser; the test is skipped where there is none."""
    with chromium() as found:
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Windows that share what windows of one browser share."""
    found = browser.new_context()
    yield found
    found.close()


@pytest.fixture
def server() -> Iterator[PageServer]:
    """A worker that is ready, whose answers a test makes up."""
    with PageServer() as found:
        found.answers["/api/group/history"] = lambda _: {"series": [], "silent": []}
        found.tell("worker", snapshot(0))
        yield found
