"""Reading ahead: the rows of a batch's keys are asked for when it begins to wait for its agent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from faust.types import TP

from streamapp.joins import Row
from streamapp.kafka.record import Envelope
from streamapp.runtime.batch import Batch
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.settings import Settings
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.rocksdb import HANDED_KEYS, RocksDBPartition, shared
from streamapp.worker.app import App


class Asked(MemoryPartition):
    """A store that takes note of what is to be read ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.ahead: list[Sequence[bytes]] = []

    def read_ahead(self, keys: Sequence[bytes], /) -> None:
        """Take note of the keys."""
        self.ahead.append(keys)


@pytest.mark.parametrize(
    ("partition", "keys", "asked"),
    [(2, [b"u1", b"u2", b"u1"], [[b"u1", b"u2", b"u1"]]), (2, [b"u1", None], []), (3, [b"u1"], [])],
    ids=["its keys", "a null key, whose record is not looked up", "a partition of another worker"],
)
def test_a_batch_has_its_keys_read_ahead(
    tmp_path: Path, partition: int, keys: list[bytes | None], asked: list[list[bytes]]
) -> None:
    app = App(Settings(datadir=tmp_path, store="memory://"))
    clicks, profiles, store = app.topic("clicks", batches=True), app.table("profiles"), Asked()
    profiles.data.partitions[2] = Uncommitted(store, TP("changelog", 2))
    profiles.read_ahead(clicks)
    records: list = [Envelope(key, 1) for key in keys]
    for begin in clicks.schema.ahead:
        begin(Batch(TP("clicks", partition), records))
    assert store.ahead == asked


def test_a_row_that_is_committed_after_it_was_read_ahead_is_found(tmp_path: Path) -> None:
    rows = Uncommitted(RocksDBPartition(tmp_path / "db", shared(1 << 20)), TP("changelog", 0))
    keys = [b"%d" % number for number in range(2 * HANDED_KEYS)]
    for row in (Row(b"first", 1), Row(b"second", 2)):
        rows.read_ahead(keys)
        rows.merge({b"7": row})
        assert rows.get_many(keys)[7] == row
        rows.read_ahead(keys)
        rows.freeze()
        assert rows.get_many(keys)[7] == row
        rows.read_ahead(keys)
        rows.store()
        assert rows.get_many(keys)[7] == row
    rows.committed.close()
