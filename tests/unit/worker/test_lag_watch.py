"""The lag is looked at whatever the worker is busy with; an old sample tells nothing of now; a failure ends nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaConnectionError
from faust.types import TP

from streamapp.kafka.topic_metadata import EARLIEST, LATEST
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.history import Sample
from streamapp.settings import Settings
from streamapp.topology import App
from streamapp.worker import lag_watch as module
from streamapp.worker.lag_watch import STALE_S, LagWatch
from streamapp.worker.table_sizes import TableSizes

CLICKS = TP("clicks", 0)


class Consumer:
    """In place of the worker's consumer."""

    def __init__(self) -> None:
        self.reader: Any = SimpleNamespace(consumer=object(), client=None, isolation_level=0)
        self.group: Any = SimpleNamespace(reached=self.reached)
        self.alignment = Alignment({}, [CLICKS])
        self.inputs = frozenset((CLICKS,))
        self.committed: int | None = 7

    async def reached(self, tps: Sequence[TP]) -> dict[TP, int]:
        return {} if self.committed is None else dict.fromkeys(tps, self.committed)


class Broker:
    """What the broker tells of the ends, and of the first offsets: what is older was deleted."""

    error: Exception | None = None

    async def end_offsets(self, _client: object, tps: Sequence[TP], _level: object, which: int) -> dict[TP, int]:
        if self.error is not None:
            raise self.error
        return dict.fromkeys(tps, {LATEST: 10, EARLIEST: 6}[which])


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Broker:
    broker = Broker()
    monkeypatch.setattr(module, "end_offsets", broker.end_offsets)
    return broker


def watch(tmp_path: Path) -> LagWatch:
    return LagWatch(App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False), Consumer())


def lag(samples: object) -> list[int]:
    return [one.lag for one in samples.values() if isinstance(one, Sample)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("busy", ["rebalancing", "in_recovery"])
def test_samples_are_taken_during_a_rebalance_and_a_recovery(tmp_path: Path, broker: Broker, busy: str) -> None:
    async def run() -> None:
        watched = watch(tmp_path)
        setattr(watched._app, busy, True)
        before = time.time()
        await watched.attempt()
        assert lag(watched.current) == [3]
        assert before <= watched.at <= time.time()

    asyncio.run(run())


def test_what_was_never_committed_is_behind_by_the_records_that_are_there(tmp_path: Path, broker: Broker) -> None:
    async def run() -> None:
        watched = watch(tmp_path)
        watched._consumer.committed = None  # type: ignore[attr-defined]
        await watched.attempt()
        assert lag(watched.current) == [4]
        assert await watched.committed([CLICKS]) == {CLICKS: 6}

    asyncio.run(run())


@pytest.mark.parametrize("error", [KafkaConnectionError(), RuntimeError("nobody thought of it")])
def test_while_no_look_succeeds_the_lag_is_not_known_and_the_last_sample_keeps_its_time(
    tmp_path: Path, broker: Broker, error: Exception
) -> None:
    async def run() -> None:
        watched = watch(tmp_path)
        await watched.attempt()
        taken = watched.at = watched.at - STALE_S
        broker.error = error
        await watched.attempt()
        assert (watched.current, watched.at, lag(watched.latest)) == ({}, taken, [3])

    asyncio.run(run())


def test_a_look_that_fails_unexpectedly_is_logged_and_counted_and_the_next_one_is_taken(
    tmp_path: Path, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        watched = watch(tmp_path)
        broker.error = RuntimeError("nobody thought of it")
        await watched.attempt()
        await watched.attempt()
        broker.error = None
        await watched.attempt()
        assert (watched.failed, lag(watched.current)) == (2, [3])

    asyncio.run(run())
    assert caplog.text.count("RuntimeError: nobody thought of it") == 1


def test_sizes_that_cannot_be_looked_at_are_logged_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fails() -> set[TP]:
        raise RuntimeError("nobody thought of it")

    async def run() -> None:
        sizes = TableSizes(App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False))
        assigned: Callable[[], set[TP]] = sizes._app.assignor.assigned_actives
        sizes._app.assignor.assigned_actives = fails  # type: ignore[method-assign]
        await sizes.attempt()
        sizes._app.assignor.assigned_actives = assigned  # type: ignore[method-assign]
        await sizes.attempt()
        assert (sizes.failed, sizes.latest) == (1, {})

    asyncio.run(run())
    assert "nobody thought of it" in caplog.text
