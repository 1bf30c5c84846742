"""Windows by count: so many records of a key, in the order of event time, whatever order they come in."""

from __future__ import annotations

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from look_back_models import AGGREGATES, Arrival, value_of
from test_look_back_models import arrivals

from streamapp.joins import Driver, Event, MemoryStore, Output, Verdict
from streamapp.windows import Collect, Count, CountWindows, Emission, Windowed, WindowedAggregate, each, last


def texts(windows: CountWindows, grace: int = 0) -> WindowedAggregate:
    return WindowedAggregate(
        windows=windows,
        grace=grace,
        aggregates={"letters": Collect("letter")},
        fields=lambda record: [(record.value or b"").decode()],
    )


def told(output: Output[Windowed]) -> list[tuple[int, int, str]]:
    return [(one.start, one.end, "".join(one.values[0])) for one in output.results if one.values]


def test_each_so_many_records_of_a_key_give_a_result() -> None:
    driver = Driver(texts(each(2)))
    assert told(driver.send(0, b"k", b"a", 100)) == []
    assert told(driver.send(0, b"other", b"x", 100)) == []
    assert told(driver.send(0, b"k", b"b", 105)) == [(100, 105, "ab")]
    assert told(driver.send(0, b"k", b"c", 107)) == []


def test_the_last_so_many_records_give_a_result_for_each() -> None:
    driver = Driver(texts(last(2)))
    results = [told(driver.send(0, b"k", letter, time)) for letter, time in ((b"a", 100), (b"b", 105), (b"c", 107))]
    assert results == [[(100, 100, "a")], [(100, 105, "ab")], [(105, 107, "bc")]]


def test_records_are_counted_by_event_time_after_the_grace() -> None:
    driver = Driver(texts(each(2), grace=10))
    for letter, time in ((b"b", 105), (b"a", 100), (b"c", 110)):
        assert told(driver.send(0, b"k", letter, time)) == []
    assert told(driver.send(0, b"k", b"d", 115)) == [(100, 105, "ab")]
    (side,) = driver.send(0, b"k", b"e", 104).side_outputs
    assert (side.reason, side.late_by) == ("late", 1)


def test_a_window_goes_on_after_a_restart() -> None:
    store = MemoryStore()
    driver = Driver(texts(each(3), grace=10), store)
    for letter, time in ((b"a", 100), (b"b", 105), (b"c", 120), (b"d", 125)):
        driver.send(0, b"k", letter, time)
        driver.restart()
    assert told(driver.send(0, b"other", b"x", 130)) == [(100, 120, "abc")]
    assert driver.operator.balance.pending == 2


def test_a_record_is_pending_until_its_window_is_full() -> None:
    driver = Driver(texts(each(2)))
    driver.send(0, b"k", b"a", 100)
    assert driver.operator.explain(0, Event(b"k", b"a", 100)).verdict is Verdict.PENDING
    driver.send(0, b"k", b"b", 100)
    assert driver.operator.explain(0, Event(b"k", b"a", 100)).verdict is Verdict.MATCHED


@pytest.mark.parametrize(
    ("records", "told"),
    [("each 0", "has 1 to 10,000 records, and not 0"), ("last 10001", "and not 10,001"), ("some 3", "not some 3")],
)
def test_windows_that_cannot_be_are_refused(records: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        CountWindows(records)


def test_updates_are_refused_when_declared() -> None:
    with pytest.raises(ValueError, match="final results only"):
        WindowedAggregate(windows=each(3), aggregates={"n": Count()}, emission=Emission.UPDATES)


def model(records: list[Arrival], count: int, sliding: bool, grace: int) -> list[tuple[bytes, list[Arrival]]]:
    now, waiting, found = -(1 << 62), list[Arrival](), []
    opened: dict[bytes, list[Arrival]] = {}
    for record in records:
        if record.key is None or record.value is None or record.timestamp < now - grace:
            continue
        now = max(now, record.timestamp)
        waiting.append(record)
        over = sorted((one for one in waiting if one.timestamp + grace <= now), key=lambda one: one[2:])
        waiting = [one for one in waiting if one.timestamp + grace > now]
        for one in over:
            window = opened.setdefault(one.key or b"", [])
            window.append(one)
            if sliding:
                del window[:-count]
                found.append((one.key or b"", list(window)))
            elif len(window) == count:
                found.append((one.key or b"", opened.pop(one.key or b"")))
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(arrivals(), st.integers(1, 6), st.booleans(), st.integers(0, 40), st.data())
def test_windows_by_count_tell_what_a_plain_model_tells(
    records: list[Arrival], count: int, sliding: bool, grace: int, data: st.DataObject
) -> None:
    join = WindowedAggregate(
        windows=last(count) if sliding else each(count),
        aggregates={f"a{number}": aggregate for number, (aggregate, _) in enumerate(AGGREGATES)},
        grace=grace,
        fields=lambda record: [value_of(record)] * len(AGGREGATES),
    )
    driver = Driver(join)
    begin = 0
    while begin < len(records):
        end = begin + data.draw(st.integers(1, 40), "batch")
        driver.process((0, record.event) for record in records[begin:end])
        assert driver.operator.balance.holds
        if data.draw(st.booleans(), "restart"):
            driver.restart()
        begin = end
    assert [(one.key, one.start, one.end, one.values) for one in driver.results] == [
        (
            key,
            window[0].timestamp,
            window[-1].timestamp,
            tuple(say([one.value for one in window]) for _, say in AGGREGATES),
        )
        for key, window in model(records, count, sliding, grace)
    ]
