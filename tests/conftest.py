"""What tests of several rooms use: a real Redis, a real registry, and both ways in which windows are written."""

from __future__ import annotations

import os
from collections.abc import Iterator

import hypothesis
import pytest
from apicurio import Apicurio
from kafka_aot import jvm_options
from redis_server import RedisServer

from streamapp.windows import chunks, pending

os.environ.setdefault("JDK_JAVA_OPTIONS", jvm_options())

# How long an example takes says nothing: a machine may be busy with something else.
hypothesis.settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """An empty Redis; tests share it, so each names its keys for itself alone."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def apicurio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """An empty schema registry; tests share it, so each names its subjects for itself alone."""
    with Apicurio(tmp_path_factory.mktemp("apicurio")) as registry:
        yield registry


@pytest.fixture(params=["windows are written", "records are written"], scope="module")
def written(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have what a batch brings written as the windows that it changes, or taken in together and written as it came."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "records are written":
            patch.setattr(chunks, "TOGETHER_LEAST", 1)
            patch.setattr(pending, "PAGE_RECORDS_LEAST", 1)
            patch.setattr(pending, "RECORDS_A_WINDOW", 1_000)
        yield
