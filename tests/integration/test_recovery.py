"""A table comes back from its changelog as it was, whatever has become of the changelog meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from changelogs import LONG, Changelog, rows, transactions
from driven_app import DEADLINE, ours
from topics import Topics
from worker import wait_until

from streamapp.joins import Row
from streamapp.kafka import table_consumer
from streamapp.runtime import restore as restoring
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.partition import Changes, PartitionStore


def test_a_key_has_what_the_changelog_said_last(changelog: Changelog, store: PartitionStore) -> None:
    changelog.write(("a", b"1"), ("b", b"1"), ("a", b"22"), ("gone", b"1"))
    changelog.write(("gone", None), ("back", None), ("back", b""))
    assert changelog.restored(store) == 7
    assert rows(store) == {b"a": changelog.row(b"22"), b"b": changelog.row(b"1"), b"back": changelog.row(b"")}


def test_each_partition_goes_to_its_own_store(kafka) -> None:
    changelog, stores = Changelog(kafka.bootstrap, partitions=3), [MemoryPartition() for _ in range(3)]
    changelog.write(("a", b"0"), partition=0)
    changelog.write(("a", b"22"), partition=2)
    changelog.restored(*stores)
    assert [rows(store) for store in stores] == [{b"a": changelog.row(b"0")}, {}, {b"a": changelog.row(b"22")}]


def test_a_store_is_restored_from_where_it_is(changelog: Changelog, store: PartitionStore) -> None:
    changelog.write(("a", b"1"), ("b", b"1"))
    assert changelog.restored(store) == 2
    assert changelog.restored(store) == 0
    changelog.write(("a", None), ("b", b"22"))
    assert changelog.restored(store) == 2
    assert rows(store) == {b"b": changelog.row(b"22")}


def test_the_times_of_restored_rows_are_known_to_their_expiry(changelog: Changelog, store: PartitionStore) -> None:
    changelog.write(("old", b"1"), ("new", b"333"), ("renewed", b"1"), ("renewed", b"333"))
    changelog.restored(store)
    assert store.expired(changelog.row(b"22").timestamp, limit=10) == [b"old"]


def test_a_compacted_changelog_is_read_over_its_gaps(changelog: Changelog) -> None:
    changelog.write(*[("a", b"%d" % number) for number in range(10)], ("b", b"1"))
    changelog.write(("c", LONG))  # so much later that it is in another segment: all before it is compacted
    wait_until(lambda: changelog.records() == 3, "the changelog is compacted")
    store = MemoryPartition()
    assert changelog.restored(store) == 3
    assert rows(store) == {b"a": changelog.row(b"9"), b"b": changelog.row(b"1"), b"c": changelog.row(LONG)}


def test_nothing_of_an_aborted_transaction_is_restored(changelog: Changelog, store: PartitionStore) -> None:
    producer = changelog.transactions()
    changelog.in_transaction(producer, ("a", b"1"))
    producer.commit_transaction()
    changelog.in_transaction(producer, ("a", b"aborted"), ("b", b"aborted"))
    producer.abort_transaction()
    changelog.in_transaction(producer, ("c", b"1"))
    producer.commit_transaction()
    changelog.in_transaction(producer, ("c", None))
    producer.abort_transaction()
    assert changelog.restored(store) == 2
    assert rows(store) == {b"a": changelog.row(b"1"), b"c": changelog.row(b"1")}
    assert store.offset == changelog.end()


def test_a_restore_of_which_a_marker_only_is_left_waits_for_nothing(
    changelog: Changelog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "REPORT_INTERVAL_S", 10 * DEADLINE)  # how long it may wait for records
    store, producer = MemoryPartition(), changelog.transactions()
    changelog.in_transaction(producer, ("a", b"1"))
    producer.commit_transaction()
    store.write({b"a": changelog.row(b"1")}, offset=1)
    assert changelog.restored(store) == 0
    assert store.offset == changelog.end() == 2


def test_a_changelog_that_ends_with_an_open_transaction_is_read_once_that_has_ended(kafka) -> None:
    changelog, stores = Changelog(kafka.bootstrap, partitions=2), [MemoryPartition() for _ in range(2)]
    producer = changelog.transactions()
    changelog.in_transaction(producer, ("a", b"1"))
    changelog.write(("b", b"1"), partition=1)

    async def main() -> None:
        restoring = asyncio.create_task(changelog.restore(*stores).run())
        await asyncio.to_thread(wait_until, lambda: stores[1].offset == 1, "the other partition is restored")
        await asyncio.to_thread(producer.commit_transaction)
        await asyncio.wait_for(restoring, DEADLINE)

    asyncio.run(main())
    assert rows(stores[0]) == {b"a": changelog.row(b"1")}


def test_a_store_that_is_beyond_the_begin_of_an_open_transaction_is_kept(changelog: Changelog) -> None:
    store, producer = MemoryPartition(), changelog.transactions()
    changelog.in_transaction(producer, ("a", b"1"))
    store.write({b"a": changelog.row(b"1")}, offset=1)
    assert changelog.restored(store) == 0
    assert rows(store) == {b"a": changelog.row(b"1")}
    producer.abort_transaction()


class Interrupted(MemoryPartition):
    """A store at whose first write something happens."""

    def __init__(self, what: Callable[[], Any]) -> None:
        super().__init__()
        self._what = [what]

    def write(self, changes: Changes, offset: int) -> None:
        super().write(changes, offset)
        while self._what:
            self._what.pop()()


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a restore read and write one record batch after the other."""
    monkeypatch.setattr(restoring, "RESTORE_RECORDS", 1)
    monkeypatch.setattr(table_consumer, "FETCH_BYTES", 1)


@pytest.mark.usefixtures("small_steps")
def test_a_restore_that_is_broken_off_goes_on_where_it_was(changelog: Changelog) -> None:
    changelog.write(("a", b"1"), ("b", b"1"), ("c", b"1"), ("a", None))
    store = Interrupted(lambda: cast("asyncio.Task[None]", asyncio.current_task()).cancel())
    with pytest.raises(asyncio.CancelledError):
        changelog.restored(store)
    assert rows(store).keys() == {b"a"}
    assert changelog.restored(store) == 3
    assert rows(store).keys() == {b"b", b"c"}


@pytest.mark.usefixtures("small_steps")
@pytest.mark.parametrize(("begin", "left"), [(3, {b"c"}), (4, set())])
def test_a_changelog_that_is_cut_off_while_it_is_read_is_read_again(
    changelog: Changelog, caplog: pytest.LogCaptureFixture, begin: int, left: set[bytes]
) -> None:
    changelog.write(("a", b"1"), ("b", b"1"), ("a", None), ("c", b"1"))
    store = Interrupted(lambda: changelog.cut_off(begin))
    changelog.restored(store)
    assert rows(store).keys() == left
    assert f"the changelog begins at {begin}" in caplog.text


@pytest.mark.usefixtures("small_steps")
def test_a_long_restore_tells_how_far_it_is(
    changelog: Changelog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(restoring, "REPORT_INTERVAL_S", 0.0)
    changelog.write(("a", b"1"), ("b", b"1"))
    with caplog.at_level("INFO"):
        changelog.restored(MemoryPartition())
    assert "Restoring 1 table partitions: 1 changelog records read, " in caplog.text
    assert " a second, at most 1 to go" in caplog.text


class Restarted:
    """An app with a table, in memory, of what was read last; each run of it is a restart."""

    def __init__(self, bootstrap: str, datadir: Path) -> None:
        self.topics = Topics(bootstrap, "restarted", partitions=1)
        self.topics.create("records")
        self._datadir = datadir

    def run(self, *keys: bytes, meanwhile: Callable[[Any], Awaitable[None]] | None = None) -> list[Row]:
        """Give the rows of keys, once the app has them; `meanwhile` is while it restores its table."""

        async def main() -> list[Row]:
            app: Any = ours(self.topics, self._datadir)
            table = app.table("rows")

            @app.agent(app.topic("records", batches=True))
            async def write(batches: Any) -> None:
                async for batch in batches:
                    table.of(batch).write({key: Row(b"1", batch.timestamps[-1]) for key in batch.keys})

            app.loop = asyncio.get_running_loop()
            starting = asyncio.create_task(app.start())
            try:
                if meanwhile is not None:
                    await meanwhile(app)
                await starting
                await asyncio.wait_for(app.tables.recovery._running, DEADLINE)
                await until(lambda: all(table.row(key) for key in keys), "the app has the rows")
                return [row for key in keys if (row := table.row(key))]
            finally:
                await app.stop()

        return asyncio.run(main())


@pytest.fixture
def restarted(kafka, tmp_path: Path) -> Restarted:
    """An app whose table has a row with the key `key`."""
    app = Restarted(kafka.bootstrap, tmp_path)
    app.topics.send("records", "key", 1)
    app.topics.flush()
    app.run(b"key")
    return app


async def until(condition: Callable[[], Any], what: str) -> None:
    await asyncio.to_thread(wait_until, condition, what)


def test_an_app_has_its_rows_again_after_a_restart(restarted: Restarted, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        assert restarted.run(b"key") == [Row(b"1", restarted.topics.now)]
    assert "Ready: 1 table partitions, 1 changelog records read in " in caplog.text


def test_an_app_goes_on_with_its_restore_after_a_rebalance(
    restarted: Restarted, caplog: pytest.LogCaptureFixture
) -> None:
    # An open transaction is what the restore waits for, until the rebalance has come.
    producer = transactions(restarted.topics)
    producer.begin_transaction()
    producer.produce(f"{restarted.topics.id}-rows-changelog", key="other", value=b"2", timestamp=restarted.topics.now)
    producer.flush()

    async def a_rebalance_comes(app: Any) -> None:
        recovery, table = app.tables.recovery, app.tables["rows"]
        await until(lambda: recovery._running and table.row(b"key"), "the first row is restored")
        broken_off = recovery._running
        app.consumer.rejoin()
        await until(lambda: recovery._running is not broken_off, "the restore is begun again")
        await asyncio.to_thread(producer.commit_transaction)

    with caplog.at_level("INFO"):
        rows = restarted.run(b"key", b"other", meanwhile=a_rebalance_comes)
    assert rows == [Row(b"1", restarted.topics.now), Row(b"2", restarted.topics.now)]
    assert "Ready: 1 table partitions, 1 changelog records read in " in caplog.text
