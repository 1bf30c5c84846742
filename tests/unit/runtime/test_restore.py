"""Stores are brought up to date with their changelogs, and cleared where they do not go with them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from types import SimpleNamespace
from typing import Any, Self

import pytest
from aiokafka.errors import OffsetOutOfRangeError
from faust.types import TP

from streamapp.joins import Row
from streamapp.kafka.topic_metadata import Described
from streamapp.runtime import restore as module
from streamapp.runtime.losses import Losses, LostError
from streamapp.runtime.problems import Problems
from streamapp.runtime.restore import Restore
from streamapp.settings import OnLost, Settings
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.standing import UNKNOWN, Standing

LOG = TP("changelog", 0)
DAY_MS = 24 * 3_600_000


class Broker:
    """Has a changelog: of each offset a key and a value."""

    def __init__(self, *rows: tuple[bytes, bytes | None], begin: int = 0, topic_id: str = "a") -> None:
        self.rows = list(rows)
        self.begin = begin
        self.topic_id = topic_id
        #: From which offset it was read each time, and whether the head is cut off first.
        self.reads: list[int] = []
        self.cut = 0

    @property
    def end(self) -> int:
        return self.begin + len(self.rows)


class Reader:
    """A consumer of changelogs, of one broker."""

    broker: Broker

    def __init__(self, settings: Settings) -> None:
        self._position = -1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""

    async def beginning_offsets(self, partitions: Collection[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, self.broker.begin)

    async def end_offsets(self, partitions: Collection[TP]) -> dict[TP, int]:
        return dict.fromkeys(partitions, self.broker.end)

    async def describe(self, topics: Collection[str]) -> dict[str, Described]:
        return {topic: Described(self.broker.topic_id, {}, 1) for topic in topics}

    async def delete_retention_ms(self, topic: str) -> int:
        return DAY_MS

    def read_committed(self) -> None:
        """There are no transactions."""

    def assign(self, partitions: Collection[TP]) -> None:
        """There is one partition."""

    def seek(self, tp: TP, offset: int) -> None:
        self._position = offset
        self.broker.reads.append(offset)

    def fetched(self) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()

    def take(self, partitions: Collection[TP], most: int, most_bytes: int) -> dict[TP, list[Any]]:
        if self.broker.cut:
            del self.broker.rows[: self.broker.cut]
            self.broker.begin, self.broker.cut = self.broker.begin + self.broker.cut, 0
            raise OffsetOutOfRangeError
        rows = self.broker.rows[self._position - self.broker.begin :][:2]
        self._position += len(rows)
        return {tp: [SimpleNamespace(key=key, value=value, timestamp=1) for key, value in rows] for tp in partitions}

    async def position(self, tp: TP) -> int:
        return self._position


class Case:
    def __init__(self, broker: Broker, rows: Mapping[bytes, bytes] | None = None, offset: int | None = None) -> None:
        self.broker, self.store, self.problems = broker, MemoryPartition(), Problems()
        if offset is not None:
            self.store.write({key: Row(value, 1) for key, value in (rows or {}).items()}, offset)
        self.store.stand(Standing("a", int(time.time() * 1000)))

    def restore(self, on_lost: OnLost = OnLost.GO_ON, **options: Any) -> Restore:
        Reader.broker = self.broker
        restore = Restore(Settings(), {LOG: self.store}, losses=Losses(self.problems, on_lost), **options)
        asyncio.run(restore.run())
        return restore

    @property
    def rows(self) -> dict[bytes, bytes]:
        return {key: row.value for key, row in self.store.items()}


@pytest.fixture(autouse=True)
def _no_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TableConsumer", Reader)


def test_an_empty_store_gets_the_last_row_of_each_key_and_no_deleted_one() -> None:
    case = Case(Broker((b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"b", None)))
    assert case.restore().records == 4
    assert (case.rows, case.store.offset) == ({b"a": b"2"}, 4)


def test_a_store_is_read_on_from_its_offset() -> None:
    case = Case(Broker((b"a", b"1"), (b"b", b"1"), (b"c", b"1")), {b"a": b"1"}, offset=2)
    assert case.restore().records == 1
    assert (case.broker.reads, case.rows) == ([2], {b"a": b"1", b"c": b"1"})


def test_a_store_that_has_all_is_not_read_on() -> None:
    case = Case(Broker((b"a", b"1")), {b"a": b"1"}, offset=1)
    case.restore()
    assert case.broker.reads == []
    assert case.store.standing.in_step_ms is not None


def test_a_changelog_that_is_cut_off_meanwhile_is_read_anew() -> None:
    case = Case(Broker((b"a", b"1"), (b"b", b"1"), (b"c", b"1")), {}, offset=0)
    case.broker.cut = 1
    case.restore()
    assert (case.broker.reads, case.rows) == ([0, 1], {b"b": b"1", b"c": b"1"})


def test_a_store_whose_next_changes_are_gone_is_rebuilt_and_the_loss_told() -> None:
    case = Case(Broker((b"c", b"1"), begin=5), {b"a": b"1"}, offset=2)
    case.restore()
    assert case.rows == {b"c": b"1"}
    (problem,) = case.problems
    assert problem.startswith("changelog[0]: the changelog begins at offset 5: what was before it was deleted; 3 ch")


def test_a_store_is_left_alone_if_the_worker_is_to_stop_on_a_loss() -> None:
    case = Case(Broker((b"c", b"1"), begin=5), {b"a": b"1"}, offset=2)
    with pytest.raises(LostError):
        case.restore(OnLost.STOP)
    assert case.rows == {b"a": b"1"}


def test_a_store_that_was_in_step_longer_ago_than_tombstones_stay_is_rebuilt() -> None:
    case = Case(Broker((b"a", b"1"), (b"b", b"1")), {b"gone": b"1"}, offset=1)
    case.store.stand(Standing("a", int(time.time() * 1000) - DAY_MS))
    case.restore()
    assert case.rows == {b"a": b"1", b"b": b"1"}


def test_the_age_of_a_standby_that_was_in_step_a_moment_ago_is_not_asked_for() -> None:
    case = Case(Broker((b"a", b"1"), (b"b", b"1")), {b"kept": b"1"}, offset=1)
    case.store.stand(Standing("a", int(time.time() * 1000) - DAY_MS))
    case.restore(standby=True, followed=True)
    assert case.rows == {b"kept": b"1", b"b": b"1"}


def test_rows_whose_changelog_was_made_anew_are_kept_to_be_written_to_it_if_the_group_goes_on() -> None:
    case = Case(Broker(topic_id="b"), {b"a": b"1"}, offset=9)
    restore = case.restore(going_on=[0])
    assert restore.succeeding == {LOG}
    assert (case.rows, case.store.standing.successor) == ({b"a": b"1"}, "b")


def test_rows_whose_changelog_was_made_anew_are_cleared_if_the_group_begins_anew() -> None:
    case = Case(Broker(topic_id="b"), {b"a": b"1"}, offset=9)
    assert case.restore().succeeding == set()
    assert case.rows == {}


def test_a_standby_keeps_its_rows_until_their_owner_has_written_the_new_changelog() -> None:
    case = Case(Broker(topic_id="b"), {b"a": b"1"}, offset=9)
    case.restore(standby=True)
    assert case.rows == {b"a": b"1"}
    case.broker.rows = [(b"a", b"2")]
    case.restore(standby=True)
    assert case.rows == {b"a": b"2"}


def test_rows_that_a_killed_worker_was_writing_to_a_new_changelog_are_written_again() -> None:
    case = Case(Broker((b"a", b"1"), topic_id="b"), {b"a": b"1", b"b": b"1"}, offset=9)
    case.store.stand(case.store.standing.succeeded_by(UNKNOWN))
    assert case.restore().succeeding == {LOG}
    assert case.rows == {b"a": b"1", b"b": b"1"}
