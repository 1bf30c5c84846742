"""Which results are corrections: those that a redriven record is a part of, over restarts too, and no others."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import (
    Driver,
    Event,
    How,
    MemoryStore,
    Output,
    Side,
    State,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
)
from streamapp.joins.corrections import HEADER, Mark, decoded_mark
from streamapp.kafka.record import Envelope
from streamapp.runtime.batch import Batch, Merged
from streamapp.topology.corrections import (
    SECTION,
    Corrected,
    Corrections,
    joined_outputs,
    marks_of,
    meant_for,
    parts,
    with_marks,
)
from streamapp.windows import Count, tumbling
from streamapp.windows.windowed_aggregate import WindowedAggregate


@dataclasses.dataclass(frozen=True)
class Arrived:
    key: bytes | None
    value: bytes | None
    timestamp: int
    offset: int
    headers: Any = ()


def marked(name: bytes, join: str = "") -> Any:
    return [Mark(name.decode(), "t/0/0", 1, join).header()]


def _letter(mark: bytes) -> bytes:
    found = decoded_mark(mark)
    assert found is not None
    assert not found.join
    return found.letter.encode()


class Marking(Driver[Any]):
    """A driver that knows corrections, as a task does."""

    def restart(self) -> None:
        super().restart()
        self.corrections = Corrections(self._state.section(SECTION), self._join.waiting, self._join.tables)
        self.marks: list[tuple[Any, list[bytes]]] = getattr(self, "marks", [])

    def give(self, source: int, record: Arrived) -> None:
        self.corrections.take(source, record)
        self.process([(source, record)])

    def _commit(self, output: Output[Any]) -> Output[Any]:
        if self.corrections:
            output = self.corrections.settle(output, self.operator.clock.time)
        found = marks_of(output.results)
        self.marks += [(one, [_letter(value) for _, value in found.get(id(one), ())]) for one in output.results]
        return super()._commit(output)


def test_a_result_is_marked_when_the_partner_comes_after_a_restart() -> None:
    driver = Marking(StreamStreamJoin(before=100, after=100, grace=0, how=How.OUTER))
    driver.give(Side.LEFT, Arrived(b"k", b"again", 10, 0, marked(b"a")))
    driver.give(Side.LEFT, Arrived(b"k", b"plain", 11, 1))
    driver.restart()
    driver.give(Side.RIGHT, Arrived(b"k", b"right", 20, 0, marked(b"b")))
    driver.give(Side.RIGHT, Arrived(b"k", b"other", 21, 1))
    assert [marks for _, marks in driver.marks] == [[b"a", b"b"], [b"b"], [b"a"], []]


def test_a_result_without_a_partner_is_marked_too_and_then_the_mark_is_over() -> None:
    driver = Marking(StreamStreamJoin(before=10, after=10, grace=0, how=How.OUTER))
    driver.give(Side.LEFT, Arrived(b"k", b"again", 10, 0, marked(b"a")))
    driver.give(Side.LEFT, Arrived(b"k", b"plain", 10, 1))
    driver.give(Side.LEFT, Arrived(b"other", b"clock", 500, 2))
    assert [marks for _, marks in driver.marks] == [[b"a"], []]
    assert not driver.corrections
    driver.restart()
    assert not driver.corrections


def test_a_window_with_a_redriven_record_is_a_correction_and_the_others_are_not() -> None:
    driver = Marking(WindowedAggregate(windows=tumbling(100), aggregates={"n": Count()}))
    for offset, (key, at, headers) in enumerate(
        [(b"k", 10, marked(b"a")), (b"k", 20, ()), (b"other", 10, ()), (b"k", 110, ()), (b"k", 300, ())]
    ):
        driver.give(0, Arrived(key, b"{}", at, offset, headers))
    assert [(one.key, one.start, marks) for one, marks in driver.marks] == [
        (b"k", 0, [b"a"]),
        (b"other", 0, []),
        (b"k", 100, []),
    ]


def test_a_record_that_is_late_again_leaves_no_mark() -> None:
    driver = Marking(WindowedAggregate(windows=tumbling(100), aggregates={"n": Count()}))
    driver.give(0, Arrived(b"k", b"{}", 500, 0))
    driver.give(0, Arrived(b"k", b"{}", 10, 1, marked(b"a")))
    assert [one.reason for one in driver.side_outputs] == ["late"]
    assert not driver.corrections


def test_what_a_row_of_a_table_gives_at_once_is_a_correction_and_nothing_later() -> None:
    driver = Marking(TableTableJoin(how=How.INNER))
    driver.give(Side.LEFT, Arrived(b"k", b"left", 10, 0))
    driver.give(Side.RIGHT, Arrived(b"k", b"right", 20, 0, marked(b"a")))
    driver.give(Side.LEFT, Arrived(b"k", b"next", 30, 1))
    driver.give(Side.RIGHT, Arrived(b"k", None, 40, 1, marked(b"b")))
    assert [marks for _, marks in driver.marks] == [[b"a"], [], [b"b"]]
    assert driver.marks[-1][0].tombstone


def test_a_record_that_waits_for_updates_is_a_correction_when_it_is_joined() -> None:
    driver = Marking(StreamTableJoin(history=100, grace=50))
    driver.give(Side.RIGHT, Arrived(b"k", b"row", 0, 0, marked(b"of a table")))
    driver.give(Side.LEFT, Arrived(b"k", b"again", 10, 0, marked(b"a")))
    driver.give(Side.LEFT, Arrived(b"k", b"plain", 11, 1))
    driver.restart()
    driver.give(Side.LEFT, Arrived(b"other", b"clock", 500, 2))
    assert [marks for _, marks in driver.marks] == [[b"a"], []]


def test_a_mark_stands_first_and_once() -> None:
    record = Envelope(b"k", 1, [("trace", b"1"), (HEADER, b"a")], "source")
    assert with_marks(record, ()) is record
    assert list(with_marks(record, [(HEADER, b"a")]).headers) == [(HEADER, b"a"), ("trace", b"1")]
    assert with_marks(record, [(HEADER, b"a")]).source == "source"  # type: ignore[attr-defined]


def test_outputs_of_a_batch_keep_their_marks() -> None:
    one, two = Event(b"k", b"1", 1), Event(b"k", b"2", 2)
    output = joined_outputs([Output(Corrected([one], {id(one): marked(b"a")}), []), Output([two], [])])
    assert output.results == [one, two]
    assert marks_of(output.results) == {id(one): marked(b"a")}
    assert not marks_of(joined_outputs([Output([two], [])]).results)


@given(st.lists(st.booleans(), max_size=12))
def test_each_redriven_record_of_a_batch_is_by_itself(redriven: list[bool]) -> None:
    records: list[Any] = [
        Arrived(b"k", b"v", 0, number, marked(b"a") if again else ()) for number, again in enumerate(redriven)
    ]
    batch = Merged([TP("t", 0)], [0] * len(records), records)
    divided = list(parts(batch))
    assert [record for part, _ in divided for record in part] == records
    assert all(len(part) == 1 for part, again in divided if again)
    assert [again for part, again in divided for _ in part] == redriven
    assert batch.redriven is any(redriven)


def test_a_state_without_redriven_records_has_no_marks() -> None:
    assert not Corrections(State(MemoryStore()).section(SECTION), 100, frozenset())


def test_a_redriven_record_is_for_the_join_that_had_put_it_out_and_the_others_have_it() -> None:
    headers = [(), marked(b"a"), marked(b"b", "join mine"), marked(b"c", "join other"), [(HEADER, b"none of ours")]]
    records: list[Any] = [Arrived(b"k", b"v", 0, number, one) for number, one in enumerate(headers)]
    batch = Merged([TP("t", 0)], [0] * len(records), records)
    joins: list[Any] = [SimpleNamespace(title="join mine"), SimpleNamespace(title="join other")]
    assert [one.offset for one in meant_for(batch, joins, "join mine")] == [0, 1, 2, 4]
    assert [one.offset for one in meant_for(Batch(TP("t", 0), records), joins)] == [0, 1, 4]
    assert meant_for(batch.part(0, 2), joins, "join mine").records == records[:2]


def test_a_redriven_record_for_a_join_that_is_not_there_any_more_is_for_all() -> None:
    records: list[Any] = [Arrived(b"k", b"v", 0, 0, marked(b"a", "join of before"))]
    joins: list[Any] = [SimpleNamespace(title="join mine")]
    assert len(meant_for(Batch(TP("t", 0), records), joins, "join mine")) == 1
    assert len(meant_for(Batch(TP("t", 0), records), joins)) == 1
