"""Every kind of join tells what its set model tells, for any order of arrival, any batches and any restarts."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import join_models as model
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from join_models import Arrival, Told

from streamapp.joins import (
    AsOfJoin,
    Direction,
    Driver,
    Enriched,
    Event,
    ForeignKeyJoin,
    How,
    Joined,
    MemoryStore,
    NWayJoin,
    Reason,
    Record,
    Row,
    Store,
    StreamStreamJoin,
    StreamTableJoin,
    TableTableJoin,
    WindowedReduce,
    WindowedValue,
)
from streamapp.joins.rocksdb import RocksDBStore

#: Opens a store for the state of the join that is compared with its model.
Opener = Callable[[], AbstractContextManager[Store]]
SPANS = st.integers(0, 40)
TWO_WAYS = st.sampled_from([How.INNER, How.LEFT])
ALL_WAYS = st.sampled_from(How)


def arrivals(sources: int = 2, disorder: int = 40, foreign: bool = False) -> st.SearchStrategy[list[Arrival]]:
    """Records of few keys, whose times go on but for a disorder (ms); some have no key or no value.

    Each value is another one, so that results tell which records they are made of.
    """
    step = st.tuples(
        st.integers(0, sources - 1),
        st.sampled_from([b"a", b"a", b"b", b"b", b"b", b"c", None]),
        st.sampled_from([b"a", b"b", b"", None] if foreign else [b"", b"", b"", b"", None]),
        st.integers(0, 10),
        st.just(0) | st.integers(0, disorder),
    )

    def records(steps: list[Any]) -> list[Arrival]:
        now, made = 1_000, []
        for number, (source, key, value, pace, behind) in enumerate(steps):
            now += pace
            text = None if value is None else b"%d|%b" % (number, value)
            made.append(Arrival(source, key, text, now - behind))
        return made

    return st.integers(1, 60).flatmap(lambda n: st.lists(step, min_size=n, max_size=n)).map(records)


def told(driver: Driver[Any]) -> Told:
    balance = driver.operator.balance
    return Told(
        [shown(result) for result in driver.results],
        balance.matched,
        balance.unmatched,
        balance.pending,
        balance.late,
        balance.rejected,
    )


def shown(result: Any) -> tuple[Any, ...]:
    """What is to be told of a result: its key, the values of its sides, its time."""

    def value(side: Record | Row | None) -> bytes | None:
        return None if side is None else side.value

    match result:
        case Joined():
            return (result.key, value(result.left), value(result.right), result.timestamp)
        case Enriched():
            return (result.key, value(result.record), *map(value, result.rows), result.timestamp)
        case WindowedValue():
            return (result.key, result.start, tuple(sorted(result.value)), result.timestamp)
    raise AssertionError(result)


def expected(told: Told) -> Told:
    """A model's results, shown as those of a join are; a stream's result has its record's key."""

    def result(parts: tuple[Any, ...]) -> tuple[Any, ...]:
        key = parts[:1] if isinstance(parts[0], bytes) else (next(part for part in parts if part).key,)
        rest = parts[1:] if isinstance(parts[0], bytes) else parts
        return (*key, *(part.value if isinstance(part, Arrival) else part for part in rest))

    told.results = [result(parts) for parts in told.results]
    return told


def run(join: Any, records: list[Arrival], data: st.DataObject, store: Store) -> Driver[Any]:
    """Run a join in batches of any size; some are lost before they are committed and sent again, as after a crash."""
    driver = Driver(join, store)
    begin = 0
    while begin < len(records):
        end = begin + data.draw(st.integers(1, 10), "batch")
        batch = [(r.source, Event(r.key, r.value, r.timestamp)) for r in records[begin:end]]
        if data.draw(st.booleans(), "crash"):
            driver.operator.process(batch)
            driver.restart()
        driver.process(batch)
        assert driver.operator.balance.holds
        assert driver.operator.updates.holds
        if data.draw(st.booleans(), "restart"):
            driver.restart()
        begin = end
    return driver


def agree(join: Any, model: Callable[..., Told], records: list[Arrival], data: st.DataObject, opened: Opener) -> None:
    """Compare what is told as multisets, and the order of the results with that of a run record by record."""
    with opened() as store:
        driver = run(join, records, data, store)
    mine, naive = told(driver), expected(model(join, records))
    assert Counter(mine.results) == Counter(naive.results)
    assert mine.__dict__ | {"results": ()} == naive.__dict__ | {"results": ()}
    single = Driver(join)
    for record in records:
        single.send(record.source, record.key, record.value, record.timestamp)
    assert [shown(result) for result in single.results] == mine.results
    assert reasons(single) == reasons(driver)


def reasons(driver: Driver[Any]) -> Counter[tuple[Reason, bytes | None]]:
    """Why records are not matched; a row that expired may or may not be deleted already, when it is not found."""
    same = {Reason.EXPIRED: Reason.UNMATCHED}
    return Counter((same.get(told.reason, told.reason), told.record.value) for told in driver.side_outputs)


def stream_stream(data: st.DataObject, opened: Opener) -> None:
    before, after = data.draw(st.integers(-40, 40)), data.draw(st.integers(-40, 40))
    after = max(after, -before)
    join = StreamStreamJoin(before=before, after=after, grace=data.draw(SPANS), how=data.draw(ALL_WAYS))
    agree(join, model.stream_stream, data.draw(arrivals()), data, opened)


def as_of(data: st.DataObject, opened: Opener) -> None:
    join = AsOfJoin(
        tolerance=data.draw(SPANS),
        grace=data.draw(SPANS),
        direction=data.draw(st.sampled_from(Direction)),
        how=data.draw(TWO_WAYS),
    )
    agree(join, model.as_of, data.draw(arrivals()), data, opened)


def tables(data: st.DataObject, number: int) -> tuple[StreamTableJoin, ...]:
    history = data.draw(st.none() | st.integers(0, 60))
    grace = None if history is None else data.draw(st.none() | st.integers(0, history))
    ttls = st.just(0) | st.integers(1, 200)
    return tuple(StreamTableJoin(data.draw(TWO_WAYS), data.draw(ttls), history, grace) for _ in range(number))


def stream_table(data: st.DataObject, opened: Opener) -> None:
    (join,) = tables(data, 1)
    agree(join, model.stream_table, data.draw(arrivals()), data, opened)


def n_way(data: st.DataObject, opened: Opener) -> None:
    join = NWayJoin(tables(data, 2))
    agree(join, lambda join, records: model.n_way(join.joins, records), data.draw(arrivals(sources=3)), data, opened)


def table_table(data: st.DataObject, opened: Opener) -> None:
    histories = st.none() | st.integers(0, 100)
    join = TableTableJoin(
        how=data.draw(ALL_WAYS), left_history=data.draw(histories), right_history=data.draw(histories)
    )
    agree(join, model.table_table, data.draw(arrivals()), data, opened)


def _named(record: Record) -> bytes | None:
    return (record.value or b"").split(b"|")[1] or None


def foreign_key(data: st.DataObject, opened: Opener) -> None:
    join = ForeignKeyJoin(how=data.draw(TWO_WAYS), foreign_key=_named)
    agree(join, model.foreign_key, data.draw(arrivals(foreign=True)), data, opened)


def windowed_reduce(data: st.DataObject, opened: Opener) -> None:
    size = data.draw(st.integers(1, 40))
    join = WindowedReduce(
        size=size,
        advance=data.draw(st.none() | st.integers(1, size)),
        grace=data.draw(SPANS),
        initial=list,
        reduce=lambda values, _, record: [*values, record.value or b""],
        value=list[bytes],
    )

    def naive(join: WindowedReduce[list[bytes]], records: list[Arrival]) -> Told:
        return model.windows(
            join.size, join.step, join.grace, lambda inside: tuple(sorted(r.value for r in inside)), records
        )

    agree(join, naive, data.draw(arrivals()), data, opened)


Kind = Callable[[st.DataObject, Opener], None]
KINDS: list[Kind] = [stream_stream, as_of, stream_table, n_way, table_table, foreign_key, windowed_reduce]


@contextmanager
def memory() -> Iterator[Store]:
    yield MemoryStore()


@contextmanager
def rocksdb() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as directory:
        store = RocksDBStore(Path(directory) / "state")
        yield store
        store.close()


def check(kind: Kind, examples: int, opened: Opener = memory) -> None:
    limits = settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    limits(given(st.data())(lambda data: kind(data, opened)))()


@pytest.mark.parametrize("kind", KINDS)
def test_a_join_tells_what_its_set_model_tells(kind: Kind) -> None:
    check(kind, 100)


@pytest.mark.parametrize("kind", KINDS)
def test_a_join_tells_the_same_with_its_state_on_disk(kind: Kind) -> None:
    check(kind, 10, rocksdb)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_join_tells_what_its_set_model_tells_10_000_times(kind: Kind) -> None:
    check(kind, 10_000)
