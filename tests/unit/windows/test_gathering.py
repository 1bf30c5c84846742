"""Records that wait for features which are made elsewhere come out in their order, once they have all."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Driver, Event, MemoryStore, Record
from streamapp.windows.gathering import Answer, Gathered, Gathering, Original

GROUPS = ("ip", "account")
GATHERING = Gathering(groups=GROUPS)
Taken = tuple[int, Record]


def record(offset: int, value: bytes | None = b"{}") -> Taken:
    return 0, Original(b"k", value, 1_000 + offset, offset, [("trace", b"%d" % offset)], GROUPS)


def answer(offset: int, group: str, *, late_by: int = 0, error: str = "") -> Taken:
    told = Answer(offset, group, b'"%b":%d' % (group.encode(), offset), late_by, error)
    return 1, Event(None, msgspec.msgpack.encode(told), 1_000 + offset)


def told(*offsets: int) -> list[Taken]:
    return [answer(offset, group) for offset in offsets for group in GROUPS]


def offsets(results: list[Gathered]) -> list[int]:
    return [one.record.offset for one in results]


def test_a_record_comes_out_with_its_features_once_all_groups_have_told_theirs() -> None:
    driver = Driver(GATHERING)
    assert driver.process([record(7), answer(7, "account")]).results == []
    (result,) = driver.process([answer(7, "ip")]).results
    assert isinstance(result.record, Original)
    assert (result.features, result.timestamp, result.record.headers) == (
        b'"ip":7,"account":7',
        1_007,
        [("trace", b"7")],
    )


def test_one_that_waits_keeps_those_behind_it() -> None:
    driver = Driver(GATHERING)
    assert driver.process([record(1), record(2), *told(2)]).results == []
    assert driver.operator.balance.pending == 2
    assert offsets(driver.process(told(1)).results) == [1, 2]


@given(st.data())
def test_whatever_the_order_in_which_features_are_told_that_of_the_records_stays(data: st.DataObject) -> None:
    placed = data.draw(st.lists(st.integers(0, 10**6), max_size=8, unique=True).map(sorted))
    sent = [record(offset) for offset in placed]
    # At least once, some are told again.
    again = data.draw(st.lists(st.sampled_from(told(*placed)), max_size=3)) if placed else []
    answers = data.draw(st.permutations(told(*placed) + again))
    sides = data.draw(st.permutations([0] * len(sent) + [1] * len(answers)))
    queues = [iter(sent), iter(answers)]
    driver = Driver(GATHERING, MemoryStore())
    results = []
    for number, side in enumerate(sides):
        results += driver.process([next(queues[side])]).results
        if data.draw(st.booleans(), label=f"restart after {number}"):
            driver.restart()
        assert driver.operator.balance.holds
        assert driver.operator.updates.holds
    assert [(one.record.offset, one.features) for one in results] == [
        (offset, b'"ip":%d,"account":%d' % (offset, offset)) for offset in placed
    ]


def test_nothing_is_left_in_the_state_when_all_have_come_out() -> None:
    store = MemoryStore()
    driver = Driver(GATHERING, store)
    for batch in ([answer(1, "ip"), answer(3, "ip")], [record(1)], told(1), [record(2)], told(2), [record(4)], told(4)):
        driver.process(batch)
    assert [key for key, _ in store.scan(b"", None) if not key.startswith(b"~")] == []


def test_a_late_record_comes_out_and_is_told_with_the_group_that_is_further_on() -> None:
    output = Driver(GATHERING).process([record(1), answer(1, "ip", late_by=5), answer(1, "account", late_by=9)])
    assert offsets(output.results) == [1]
    assert [(one.reason, one.late_by) for one in output.side_outputs] == [("partly_late", 9)]


def test_a_record_that_cannot_be_told_its_features_is_rejected() -> None:
    driver = Driver(GATHERING)
    output = driver.process([record(1), answer(1, "ip", error="it is too large"), answer(1, "account")])
    assert output.results == []
    assert [one.detail for one in output.side_outputs] == ["it cannot be told its features: it is too large"]
    assert (driver.operator.balance.rejected, driver.operator.balance.pending) == (1, 0)


@pytest.mark.parametrize("groups", [("ip",), ("ip", "device")])
def test_what_waits_when_the_groups_change_waits_for_no_group_that_is_new_or_gone(groups: tuple[str, ...]) -> None:
    store = MemoryStore()
    Driver(GATHERING, store).process([record(1)])
    output = Driver(Gathering(groups=groups), store).process([answer(1, "ip")])
    assert offsets(output.results) == [1]


def test_records_without_a_value_or_a_key_that_is_needed_are_rejected() -> None:
    driver = Driver(Gathering(groups=("",), keyed=True))
    output = driver.process([record(1, None), (0, Original(None, b"{}", 1_000, 2))])
    assert [one.reason for one in output.side_outputs] == ["null_value", "null_key"]
    assert driver.operator.balance.rejected == 2


def test_which_records_wait_is_explained() -> None:
    driver = Driver(GATHERING)
    driver.process(itertools.chain([record(1), record(2)], told(1)))
    verdicts = [driver.operator.explain(0, one).verdict.value for _, one in (record(1), record(2))]
    assert verdicts == ["matched", "pending"]


def test_a_record_waits_for_the_groups_that_it_has_asked_and_not_for_new_ones() -> None:
    asked = Original(b"k", b"{}", 1_000, 1, [], ("ip",))
    assert offsets(Driver(GATHERING).process([(0, asked), answer(1, "ip")]).results) == [1]
