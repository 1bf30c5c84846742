"""After a rebalance: what is open is ended, tables are brought up to date, and only then the streams go on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest
from aiokafka.errors import KafkaError
from faust.types import TP

from streamapp.joins import Row
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.settings import Settings
from streamapp.stores.errors import StoreBehindError, StoreError, StoreUnreachableError
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.standing import Standing
from streamapp.worker import recovery as module
from streamapp.worker.app import App
from streamapp.worker.recovery import Recovery

CLICKS, ROWS = TP("clicks", 0), TP("shop-rows-changelog", 0)


class Restore:
    """In place of what reads changelogs: takes note of when it ran, and fails first as often as it is told to."""

    steps: ClassVar[list[str]]
    failures: ClassVar[list[Exception]]
    succeeding: ClassVar[set[TP]] = set()
    block: asyncio.Event | None = None
    standby = False

    def __init__(self, settings: Settings, stores: Any, **_: object) -> None:
        self.records, self.seconds = 1, 1.0
        self.ids: dict[str, str] = {ROWS.topic: "new-id"}

    async def run(self) -> None:
        if self.failures:
            raise self.failures.pop()
        if self.block is not None:
            await self.block.wait()
        self.steps.append("restored")


class Checkpoint:
    """In place of what makes work durable."""

    over = False

    def __init__(self, steps: list[str], rows: Uncommitted) -> None:
        self._steps = steps
        self._rows = rows
        self.possible = {"opened", "resumed"}
        self.written: dict[bytes, Row | None] = {}

    async def open(self, inputs: Collection[TP]) -> bool:
        self._steps.append("opened")
        return "opened" in self.possible

    async def resume(self, partitions: Collection[TP]) -> bool:
        self._steps.append("resumed")
        return "resumed" in self.possible

    async def commit(self) -> bool:
        self.written |= self._rows.fresh
        self._rows.freeze()
        self._rows.store()
        return True


class Fixture:
    """The recovery of an app with one table, of which one partition is assigned."""

    def __init__(self, tmp_path: Path, restore: type[Restore]) -> None:
        self.app = cast(Any, App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False))
        self.table = self.app.table("rows")
        self.rows = self.table.data.partitions[0] = Uncommitted(MemoryPartition(), ROWS)
        self.app.tables._changelogs = {ROWS.topic: self.table}
        self.recovery: Recovery = self.app.tables.recovery
        self.steps = restore.steps
        self.consumer: Any = self.app.consumer
        self.checkpoint = self.consumer.checkpoint = Checkpoint(self.steps, self.rows)
        self.crashed: list[BaseException] = []
        self.app.crash = self._crash
        self.app.tables.recovery._start_streams = self._start

    async def _start(self, generation: int) -> None:
        self.steps.append("streams go on")

    async def _crash(self, reason: BaseException) -> None:
        self.crashed.append(reason)

    async def rebalance(self) -> None:
        assigned = {CLICKS, ROWS}
        await self.recovery.on_rebalance(assigned, set(), assigned)

    async def recovered(self) -> None:
        """Wait until the recovery that is under way has ended."""
        await self.rebalance()
        running = self.recovery._running
        assert running is not None
        await asyncio.wait([running], timeout=10)


@pytest.fixture
def restore(monkeypatch: pytest.MonkeyPatch) -> type[Restore]:
    class Fresh(Restore):
        steps: ClassVar[list[str]] = []
        failures: ClassVar[list[Exception]] = []

    monkeypatch.setattr(module, "Restore", Fresh)
    monkeypatch.setattr(module, "RECOVERY_RETRY_S", 0.0)
    return Fresh


def run(tmp_path: Path, restore: type[Restore], scenario: Callable[[Fixture], Awaitable[None]]) -> None:
    async def main() -> None:
        await scenario(Fixture(tmp_path, restore))

    asyncio.run(main())


def test_streams_go_on_after_the_tables_are_up_to_date(tmp_path: Path, restore: type[Restore]) -> None:
    async def scenario(fixture: Fixture) -> None:
        await fixture.recovered()
        assert fixture.steps == ["opened", "restored", "resumed", "streams go on"]
        assert not fixture.app.in_recovery

    run(tmp_path, restore, scenario)


@pytest.mark.parametrize("error", [StoreUnreachableError("away"), StoreBehindError(), KafkaError()], ids=repr)
def test_a_store_or_a_broker_that_is_away_is_waited_for(
    tmp_path: Path, restore: type[Restore], error: Exception
) -> None:
    restore.failures = [error, error]

    async def scenario(fixture: Fixture) -> None:
        await fixture.recovered()
        assert fixture.steps == ["opened", "restored", "resumed", "streams go on"]

    run(tmp_path, restore, scenario)


def test_a_store_that_cannot_be_used_stops_the_worker(tmp_path: Path, restore: type[Restore]) -> None:
    restore.failures = [StoreError("damaged")]

    async def scenario(fixture: Fixture) -> None:
        await fixture.recovered()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert [str(error) for error in fixture.crashed] == ["damaged"]
        assert "streams go on" not in fixture.steps

    run(tmp_path, restore, scenario)


@pytest.mark.parametrize(("fails", "steps"), [("opened", 1), ("resumed", 3)])
def test_a_step_that_fails_for_now_is_left_to_the_next_generation(
    tmp_path: Path, restore: type[Restore], fails: str, steps: int
) -> None:
    async def scenario(fixture: Fixture) -> None:
        fixture.checkpoint.possible.discard(fails)
        await fixture.recovered()
        assert len(fixture.steps) == steps
        assert (fixture.crashed, fixture.app.in_recovery) == ([], True)

    run(tmp_path, restore, scenario)


def test_a_rebalance_gives_up_the_recovery_that_is_under_way(tmp_path: Path, restore: type[Restore]) -> None:
    async def scenario(fixture: Fixture) -> None:
        restore.block = asyncio.Event()
        await fixture.rebalance()
        first = fixture.recovery._running
        await asyncio.sleep(0)
        restore.block = None
        await fixture.recovered()
        assert first is not None
        assert first.cancelled()
        assert fixture.steps.count("streams go on") == 1

    run(tmp_path, restore, scenario)


def test_a_changelog_that_was_made_anew_gets_the_rows_of_the_store(tmp_path: Path, restore: type[Restore]) -> None:
    restore.succeeding = {ROWS}

    async def scenario(fixture: Fixture) -> None:
        rows = {b"a": Row(b"1", 1), b"b": Row(b"2", 2)}
        fixture.rows.merge(rows)
        fixture.rows.freeze()
        fixture.rows.store()
        fixture.rows.committed.stand(Standing("old-id", successor="new-id"))
        await fixture.recovered()
        assert fixture.checkpoint.written == rows
        assert fixture.rows.committed.standing.topic_id == "new-id"
        assert fixture.rows.committed.standing.successor is None
        assert fixture.steps[-1] == "streams go on"

    run(tmp_path, restore, scenario)
