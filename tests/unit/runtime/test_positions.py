"""From where a worker's partitions go on when a generation begins: by the log, and by what the states have taken in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP
from group_of_one import GroupOfOne
from outboxes import Topics

from streamapp.joins import Row
from streamapp.kafka.commit_metadata import By, CommitMetadata
from streamapp.kafka.topic_metadata import Described, LogRange
from streamapp.runtime import positions as module
from streamapp.runtime.losses import Losses, LostError
from streamapp.runtime.positions import Positions
from streamapp.runtime.problems import Problems
from streamapp.runtime.resumption import Resumption
from streamapp.runtime.rows import Inspection
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.settings import OnLost
from streamapp.stores.errors import StateError
from streamapp.stores.memory import MemoryPartition
from streamapp.stores.standing import Standing

CLICKS, ORDERS, STATE = TP("clicks", 0), TP("orders", 0), TP("state-changelog", 0)
PROGRESS = CommitMetadata(topic_id="a")


class Join:
    """A join whose state says what it has taken in."""

    title = "join paid"
    topics = ("clicks", "orders")
    tables = frozenset({"orders"})

    def __init__(self) -> None:
        self.state = Inspection((), {"clicks": 50, "orders": 7}, (), fresh=False)

    def inspect(self, partition: Uncommitted, partitions: int) -> Inspection:
        return self.state


class Case:
    """A worker with a partition of each of two topics, which are joined."""

    def __init__(self, on_lost: OnLost = OnLost.GO_ON) -> None:
        self.described = {tp.topic: Described("a", {0: 1}, 1) for tp in (CLICKS, ORDERS, STATE)}
        self.logs = {CLICKS: LogRange(0, 100), ORDERS: LogRange(0, 100), STATE: LogRange(0, 9)}
        self.join: Join | None = Join()
        self.source = ""
        self.misfit: Callable[[bytes], str] | None = None
        self.problems, self.group, self.rows = Problems(), GroupOfOne(), Uncommitted(MemoryPartition(), STATE)
        self.losses = Losses(self.problems, on_lost)
        self.positions = Positions(cast(Any, SimpleNamespace(client=self)), self.losses, cast(Any, self))
        self.resumption = Resumption(
            cast(Any, self.group),
            self.positions,
            cast(Any, self),
            Topics(**dict.fromkeys(self.described, 1)),
            self.problems,
            group_id="app",
            reset_command="faust reset",
        )

    def partitions(self, *, active: bool = False) -> list[Uncommitted]:
        return [self.rows]

    @property
    def of_rows(self) -> list[Any]:
        rows = self.rows
        return [
            SimpleNamespace(
                name="t",
                source=self.source,
                owner=self.join,
                ordered=True,
                misfit=self.misfit,
                changelog_topic_name=STATE.topic,
                partition=lambda _: rows,
            )
        ]

    def begin(self) -> tuple[dict[TP, int], dict[TP, int]]:
        """Begin a generation; returns what is moved by the logs, and what is placed by the states."""

        async def begin() -> tuple[dict[TP, int], dict[TP, int]]:
            inputs = [CLICKS, ORDERS]
            await self.resumption.note(inputs)
            moved = await self.resumption.start(await self.group.committed_now(inputs), inputs)
            return moved, await self.resumption.begin([*inputs, STATE])

        return asyncio.run(begin())

    def by(self, tp: TP) -> By:
        """Return how the next commit says that a partition's offset came about."""
        return CommitMetadata.parse(self.resumption.metadata(tp)).by


@pytest.fixture(autouse=True)
def _broker(monkeypatch: pytest.MonkeyPatch) -> None:
    async def describe(case: Case, topics: Collection[str]) -> dict[str, Described]:
        return {topic: told for topic, told in case.described.items() if topic in topics}

    async def log_ranges(case: Case, topics: Mapping[str, Described], partitions: Collection[TP]) -> dict[TP, LogRange]:
        return {tp: case.logs[tp] for tp in partitions if tp.topic in topics}

    monkeypatch.setattr(module, "describe", describe)
    monkeypatch.setattr(module, "log_ranges", log_ranges)


@pytest.fixture
def case() -> Case:
    case = Case()
    case.group.commit(CLICKS, 50, PROGRESS)
    case.group.commit(ORDERS, 7, PROGRESS)
    return case


def test_what_this_app_has_committed_is_gone_on_from(case: Case) -> None:
    assert case.begin() == ({}, {})
    assert case.positions.progressed == {CLICKS, ORDERS}
    assert list(case.problems) == []


def test_a_first_start_is_placed_at_the_beginning(case: Case) -> None:
    case.group.offsets.clear()
    case.join = None
    assert case.begin() == ({}, {CLICKS: 0, ORDERS: 0})
    assert case.by(CLICKS) is By.PLACED


def test_records_that_were_deleted_unread_are_a_loss_and_what_is_there_is_read(case: Case) -> None:
    case.logs[CLICKS] = LogRange(70, 100)
    moved, _ = case.begin()
    assert moved == {CLICKS: 70}
    assert case.losses.records == {"clicks": 20}


def test_a_worker_that_is_to_stop_on_a_loss_does_not_begin(case: Case) -> None:
    case.losses.on_lost = OnLost.STOP
    case.logs[CLICKS] = LogRange(70, 100)
    with pytest.raises(LostError, match="20 records, offsets 50 to 69, were deleted"):
        case.begin()


def test_a_topic_that_was_made_anew_is_read_from_its_beginning(case: Case) -> None:
    case.positions.leave({CLICKS: 60}, {CLICKS: 50})
    case.begin()
    case.positions.leave({CLICKS: 60}, {CLICKS: 50})
    case.described["clicks"] = Described("b", {0: 1}, 1)
    case.logs[CLICKS] = LogRange(0, 3)
    moved, _ = case.begin()
    assert moved == {CLICKS: 0}
    assert case.losses.records == {"clicks": 10}  # those that were there and not read


def test_that_a_topic_was_made_anew_is_seen_by_the_rows_that_were_made_of_it(case: Case) -> None:
    case.rows.committed.stand(Standing(inputs={"clicks": "old"}))
    del case.group.offsets[CLICKS]  # the broker forgets them with the topic
    case.join = None
    moved, _ = case.begin()
    assert moved == {CLICKS: 0}
    assert any("was deleted and made anew (id old, now a)" in text for text in case.problems)


def test_an_offset_that_was_set_back_does_not_go_with_the_state(case: Case) -> None:
    case.group.commit(CLICKS, 40)
    with pytest.raises(StateError, match=r"set back by hand \(clicks\[0\] from 50 to 40\).*faust reset"):
        case.begin()


def test_records_that_were_skipped_by_hand_are_a_problem_and_the_worker_goes_on(case: Case) -> None:
    case.group.commit(CLICKS, 60)
    assert case.begin() == ({}, {CLICKS: 60})
    (problem,) = case.problems
    assert problem == "10 records were skipped: offsets were set forward by hand (clicks[0] from 50 to 60)"


def test_a_committed_offset_that_is_gone_is_made_up_for_by_the_state(case: Case) -> None:
    del case.group.offsets[CLICKS]
    assert case.begin() == ({}, {CLICKS: 50})
    assert case.by(CLICKS) is By.PROGRESS


def test_a_state_that_has_more_than_its_topic_is_refused(case: Case) -> None:
    del case.group.offsets[CLICKS]
    case.logs[CLICKS] = LogRange(0, 20)
    with pytest.raises(StateError, match=r"clicks\[0\] ends at 20, and the state has taken in up to 50"):
        case.begin()


def test_a_new_join_is_refused_if_the_rows_of_its_table_were_read_before(case: Case) -> None:
    assert case.join is not None
    case.join.state = Inspection((), None, (), fresh=True)
    with pytest.raises(StateError, match=r"the join paid is new.*orders\[0\] up to 7"):
        case.begin()


def test_rows_that_agents_wrote_of_other_topics_are_refused(case: Case) -> None:
    case.join = None
    case.rows.committed.write({b"u1": Row(b"row", 1)}, 1)
    case.group.offsets.clear()
    case.group.commit(TP("visits", 0), 9, PROGRESS)
    with pytest.raises(StateError, match="the group has read visits so far, and the table t has rows of that"):
        case.begin()


@pytest.mark.parametrize("by", [By.PROGRESS, By.PLACED, By.FOREIGN, By.NONE])
def test_rows_that_were_written_under_other_settings_are_refused_whatever_is_committed(case: Case, by: By) -> None:
    case.join, case.misfit = None, lambda row: f"the row {row.decode()} is another one" if row != b"good" else ""
    if by is By.NONE:
        case.group.offsets.clear()
    else:
        case.group.commit(CLICKS, 50, None if by is By.FOREIGN else CommitMetadata(by))
    case.rows.committed.write({b"u1": Row(b"good", 1)}, 1)
    case.begin()
    case.rows.committed.write({b"u1": Row(b"bad", 1)}, 1)
    with pytest.raises(StateError) as error:
        case.begin()
    way = "`faust reset` begins with an empty state, another STREAMAPP_ID beside this one"
    assert str(error.value) == f"the row bad is another one; {way}"


@pytest.mark.parametrize(("end", "told"), [(0, True), (9, False)])
def test_rows_that_are_gone_with_their_changelog_are_told(case: Case, end: int, told: bool) -> None:
    case.join, case.source = None, "clicks"
    case.logs[STATE] = LogRange(0, end)
    case.begin()
    said = "the changelog state-changelog never had a row, though the group has read clicks[0] up to 50"
    assert any(problem.startswith(said) for problem in case.problems) == told


def test_what_is_read_from_elsewhere_is_a_new_placement(case: Case) -> None:
    case.begin()
    before = case.resumption.begins(["clicks"], 0)["clicks"]
    case.logs[CLICKS] = LogRange(70, 100)
    case.begin()
    assert case.resumption.begins(["clicks"], 0)["clicks"].placement != before.placement


def test_progress_is_committed_as_such(case: Case) -> None:
    case.group.commit(CLICKS, 50)
    case.begin()
    assert case.by(CLICKS) is By.PLACED
    case.resumption.progress({CLICKS: 55})
    assert case.by(CLICKS) is By.PROGRESS
