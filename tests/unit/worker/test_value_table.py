"""Faust's own tables: what an event writes is in the rows once the event is acknowledged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from faust.streams import _current_event
from faust.types import TP

from streamapp.runtime.uncommitted import Uncommitted
from streamapp.settings import Settings
from streamapp.stores.memory import MemoryPartition
from streamapp.worker.app import App

ORDERS = TP("orders", 1)


class Counts:
    """A table of an app that has two partitions of it."""

    def __init__(self, tmp_path: Path) -> None:
        app: Any = App(Settings(id="shop", datadir=tmp_path, store="memory://"), web_enabled=False)
        app.assignor.is_active = lambda _: True
        app.topics.consumer = None
        app.partition_counts = {"shop-counts-changelog": 2}
        self.app = app
        self.table = app.Table("counts", default=int)
        for number in range(2):
            rows = Uncommitted(MemoryPartition(), TP("shop-counts-changelog", number))
            self.table.data.partitions[number] = rows

    def committed(self, partition: int) -> dict[bytes, bytes]:
        """Return what a commit would write."""
        rows = self.table.data.partitions[partition]
        return {key: row.value for key, row in rows.fresh.items() if row is not None}


@pytest.fixture
def counts(tmp_path: Path) -> Counts:
    async def make() -> Counts:
        return Counts(tmp_path)

    return asyncio.run(make())


@contextmanager
def event_of(tp: TP, generation: int = 0) -> Iterator[None]:
    message = SimpleNamespace(tp=tp, topic=tp.topic, partition=tp.partition, timestamp=1.5, generation_id=generation)
    event: Any = SimpleNamespace(message=message)
    reference: Any = lambda: event  # noqa: E731 - in place of a weak one
    token = _current_event.set(reference)
    try:
        yield
    finally:
        _current_event.reset(token)


def test_what_an_event_writes_waits_until_it_is_acknowledged(counts: Counts) -> None:
    with event_of(ORDERS):
        counts.table["ann"] += 1
        counts.table["ann"] += 1
        assert counts.table["ann"] == 2
    assert counts.committed(1) == {}
    counts.table.finish(ORDERS)
    assert counts.committed(1) == {b'"ann"': b"2"}


def test_an_entry_is_in_the_partition_of_its_event_with_its_time(counts: Counts) -> None:
    with event_of(ORDERS):
        counts.table["ann"] = 7
    counts.table.finish(ORDERS)
    assert counts.committed(0) == {}
    assert counts.table.data.partitions[1].fresh[b'"ann"'].timestamp == 1_500


def test_what_an_event_of_an_earlier_generation_writes_is_void(counts: Counts) -> None:
    counts.app.consumer_generation_id = 1
    with event_of(ORDERS):
        counts.table["ann"] = 7
    counts.table.finish(ORDERS)
    assert counts.committed(1) == {}


def test_a_rebalance_forgets_what_is_not_acknowledged(counts: Counts) -> None:
    with event_of(ORDERS):
        counts.table["ann"] = 7
    asyncio.run(counts.table.on_rebalance(set(), set(), set()))
    counts.table.finish(ORDERS)
    assert counts.table.data.partitions == {}


def test_an_entry_that_is_removed_is_gone_from_the_mapping_at_once(counts: Counts) -> None:
    with event_of(ORDERS):
        counts.table["ann"] = 7
        counts.table.finish(ORDERS)
        assert dict(counts.table.items()) == {"ann": 7}
        del counts.table["ann"]
        assert dict(counts.table.items()) == {}
        assert "ann" not in counts.table
