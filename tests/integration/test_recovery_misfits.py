"""A store that does not go with its changelog any more is not read on from where it is."""

from __future__ import annotations

import asyncio

import pytest
from changelogs import Changelog, rows
from confluent_kafka import OFFSET_END
from driven_app import DEADLINE

from streamapp.stores.partition import PartitionStore


def test_a_store_that_misses_what_was_cut_off_is_restored_from_nothing(
    changelog: Changelog, store: PartitionStore, caplog: pytest.LogCaptureFixture
) -> None:
    changelog.write(("deleted", b"1"), ("a", b"1"))
    changelog.restored(store)
    changelog.write(("deleted", None), ("b", b"1"))
    changelog.cut_off(3)
    changelog.restored(store)
    assert rows(store) == {b"b": changelog.row(b"1")}
    assert (
        f"The store of {changelog.topic}[0] is complete up to 2, but the changelog begins at 3: "
        "changes in between, deletions too, are gone; the store is cleared and restored" in caplog.text
    )


def test_a_store_that_misses_nothing_of_what_was_cut_off_is_kept(
    changelog: Changelog, store: PartitionStore, caplog: pytest.LogCaptureFixture
) -> None:
    changelog.write(("a", b"1"), ("b", b"1"))
    changelog.restored(store)
    changelog.write(("c", b"1"))
    changelog.cut_off(2)
    assert changelog.restored(store) == 1
    assert rows(store).keys() == {b"a", b"b", b"c"}
    assert "cleared" not in caplog.text


def test_a_store_whose_changelog_was_emptied_is_emptied(changelog: Changelog, store: PartitionStore) -> None:
    changelog.write(("a", b"1"))
    changelog.restored(store)
    changelog.write(("a", None))
    changelog.cut_off(OFFSET_END)
    assert changelog.restored(store) == 0
    assert rows(store) == {}


def test_a_store_whose_changelog_was_made_anew_is_restored_from_nothing(
    changelog: Changelog, store: PartitionStore, caplog: pytest.LogCaptureFixture
) -> None:
    changelog.write(("a", b"1"), ("b", b"1"))
    changelog.restored(store)
    changelog.make_anew()
    changelog.write(("c", b"1"))
    changelog.restored(store)
    assert rows(store) == {b"c": changelog.row(b"1")}
    assert (
        f"The store of {changelog.topic}[0] is complete up to 2, but the changelog was deleted and made anew"
        in caplog.text
    )


def test_a_standby_keeps_its_rows_until_a_changelog_made_anew_is_written_to(
    changelog: Changelog, store: PartitionStore
) -> None:
    changelog.write(("a", b"1"))
    changelog.restored(store, standby=True)
    changelog.make_anew()
    changelog.restored(store, standby=True)
    assert rows(store) == {b"a": changelog.row(b"1")}
    changelog.write(("b", b"1"))
    changelog.restored(store, standby=True)
    assert rows(store) == {b"b": changelog.row(b"1")}


def test_a_store_whose_changelog_and_input_were_begun_anew_is_emptied(
    changelog: Changelog, store: PartitionStore
) -> None:
    changelog.write(("a", b"1"))
    changelog.restored(store)
    changelog.make_anew()
    restore = changelog.restore(store, going_on=[])
    asyncio.run(asyncio.wait_for(restore.run(), DEADLINE))
    assert (restore.succeeding, rows(store)) == (set(), {})


@pytest.mark.parametrize("retention_ms", [0, 86_400_000])
def test_a_store_is_restored_from_nothing_once_tombstones_that_it_lacks_may_be_gone(
    changelog: Changelog, store: PartitionStore, retention_ms: int
) -> None:
    changelog.keep_tombstones(retention_ms)
    changelog.write(("deleted long ago", b"1"), ("a", b"1"))
    changelog.restored(store)
    changelog.cut_off(1)  # as if a tombstone, and with it the row, had been compacted away
    assert changelog.restored(store) == 0  # nothing has happened since
    changelog.write(("b", b"1"))
    assert changelog.restored(store, followed=True) == 1  # nor has it a moment after it was in step
    changelog.write(("c", b"1"))
    changelog.restored(store)
    assert (b"deleted long ago" in rows(store)) is (retention_ms > 0)
    assert rows(store).keys() >= {b"a", b"b", b"c"}
