"""Look-back windows and features tell what a plain model tells: any order of arrival, any batches, any restarts."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import look_back_models as model
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from look_back_models import AGGREGATES, Arrival, value_of

from streamapp.joins import Driver, MemoryStore, Reason, Store
from streamapp.joins.rocksdb import RocksDBStore
from streamapp.windows import Emission, WindowedAggregate, record_tree
from streamapp.windows.enrichment import Enrichment, Feature
from streamapp.windows.look_back import LookBack

KEYS: list[list[bytes | None]] = [[b"a"], [b"a", b"b", b"c", None]]
SPANS = st.integers(0, 60)
SIZES = st.integers(1, 60) | st.integers(100, 1_000)
CHOSEN = st.lists(st.sampled_from(range(len(AGGREGATES))), min_size=1, max_size=4, unique=True)
examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def arrivals(draw: st.DrawFn) -> list[Arrival]:
    """Records of few keys, whose times go on but for a disorder (ms); some have no key or no value."""
    disorder = draw(st.sampled_from([0, 5, 40, 200]))
    chosen: list[bytes | None] = [b"a", b"b", b"c", None] if draw(st.booleans()) else [b"a"]
    keys = st.sampled_from(chosen)
    values = st.sampled_from([1, 2, 3, 0.1, 0.25, -7, 1e16]) if draw(st.booleans()) else st.integers(0, 5)
    count = draw(st.integers(1, 120))
    step = st.tuples(keys, st.none() | values | values | values, st.integers(0, 10), st.integers(0, disorder))
    now, made = 1_000, []
    for number, (key, value, pace, behind) in enumerate(draw(st.lists(step, min_size=count, max_size=count))):
        now += pace
        made.append(Arrival(key, value, now - behind, number))
    return made


@contextmanager
def small_nodes(data: st.DataObject) -> Iterator[None]:
    """Have trees of few records be deep, too."""
    if data.draw(st.booleans(), "small nodes"):
        small: dict[str, Any] = {
            "LEAF_RECORDS": data.draw(st.integers(2, 4), "leaf"),
            "CHILDREN": data.draw(st.integers(2, 4), "node"),
        }
        with mock.patch.multiple(record_tree, **small):
            yield
    else:
        yield


def run(join: Any, records: list[Arrival], data: st.DataObject, store: Store) -> Driver[Any]:
    """Run in batches of any size; some are lost before they are committed and sent again, as after a crash."""
    driver = Driver(join, store)
    begin = 0
    while begin < len(records):
        end = begin + data.draw(st.integers(1, 40), "batch")
        batch = [(0, record.event) for record in records[begin:end]]
        if data.draw(st.integers(0, 9), "crash") == 0:
            driver.operator.process(batch)
            driver.restart()
        driver.process(batch)
        assert driver.operator.balance.holds
        if data.draw(st.integers(0, 3), "restart") == 0:
            driver.restart()
        begin = end
    return driver


def agree(records: list[Arrival], data: st.DataObject, store: Store) -> None:
    size, grace, emission = data.draw(SIZES, "size"), data.draw(SPANS, "grace"), data.draw(st.sampled_from(Emission))
    chosen = [AGGREGATES[number] for number in data.draw(CHOSEN, "aggregates")]
    join = WindowedAggregate(
        windows=LookBack(size),
        aggregates={f"a{number}": aggregate for number, (aggregate, _) in enumerate(chosen)},
        grace=grace,
        fields=lambda record: [value_of(record)] * len(chosen),
        emission=emission,
    )
    with small_nodes(data):
        driver = run(join, records, data, store)
    told = model.run(size, grace, records, updates=emission.updates, final=emission.final)
    expected = [
        (key, end - size, end, said([told.values[number] for number in inside], chosen), end, final)
        for key, end, inside, final in told.results
    ]
    assert [(one.key, one.start, one.end, one.values, one.timestamp, one.final) for one in driver.results] == expected
    late = {side.record.offset: side.late_by for side in driver.side_outputs if side.reason is Reason.LATE}
    rejected = {side.record.offset for side in driver.side_outputs if side.rejected}
    balance = driver.operator.balance
    assert (late, rejected, balance.pending) == (told.late, told.rejected, told.pending)
    assert balance.matched == len(records) - len(late) - len(rejected) - told.pending


def said(values: list[Any], chosen: list[Any]) -> tuple[Any, ...]:
    return tuple(say(values) for _, say in chosen)


def agree_on_features(records: list[Arrival], data: st.DataObject, store: Store) -> None:
    grace = data.draw(SPANS, "grace")
    chosen = [AGGREGATES[number] for number in data.draw(CHOSEN, "aggregates")]
    sizes = data.draw(st.lists(SIZES, min_size=len(chosen), max_size=len(chosen)), "sizes")
    pairs = zip(chosen, sizes, strict=True)
    join = Enrichment(
        features={f"f{number}": Feature(aggregate, size) for number, ((aggregate, _), size) in enumerate(pairs)},
        grace=grace,
        fields=lambda record: [value_of(record)] * len(chosen),
    )
    with small_nodes(data):
        driver = run(join, records, data, store)
    values = {record.number: record.value for record in records}
    expected = [
        (number, tuple(say([values[one] for one in inside]) for (_, say), inside in zip(chosen, windows, strict=True)))
        if windows is not None
        else (number, (None,) * len(chosen))
        for number, windows in model.features(sizes, grace, records)
    ]
    assert [(one.record.offset, one.values) for one in driver.results] == expected
    balance = driver.operator.balance
    assert (balance.matched, balance.pending) == (len(expected), 0)


@examples
@given(arrivals(), st.data())
def test_look_back_windows_tell_what_a_plain_model_tells(records: list[Arrival], data: st.DataObject) -> None:
    agree(records, data, MemoryStore())


@examples
@given(arrivals(), st.data())
def test_features_are_what_a_plain_model_tells(records: list[Arrival], data: st.DataObject) -> None:
    agree_on_features(records, data, MemoryStore())


@pytest.mark.parametrize("kind", [agree, agree_on_features])
def test_the_same_comes_out_with_the_state_on_disk(kind: Any) -> None:
    @settings(examples, max_examples=10)
    @given(arrivals(), st.data())
    def check(records: list[Arrival], data: st.DataObject) -> None:
        with tempfile.TemporaryDirectory() as directory:
            store = RocksDBStore(Path(directory) / "state")
            kind(records, data, store)
            store.close()

    check()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", [agree, agree_on_features])
def test_the_same_comes_out_10_000_times(kind: Any) -> None:
    settings(examples, max_examples=10_000)(
        given(arrivals(), st.data())(lambda records, data: kind(records, data, MemoryStore()))
    )()
