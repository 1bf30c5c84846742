"""The joins against `join_cases.json`: 160 cases, most of them computed by Kafka Streams 4.3.

Its ``about`` says how to read them: tier A is compared result by result; tier B too, but for stream-stream joins, of
which the results are compared as a multiset. Tombstones for a key that has no live result are left out on both sides.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from streamapp.joins import Driver, MemoryStore, Store
from streamapp.joins.rocksdb import RocksDBStore
from streamapp.replay.case_files import read_cases
from streamapp.replay.cases import Case, Family, Result

FILE = Path(__file__).with_name("join_cases.json")
CASES = read_cases(FILE.read_bytes(), FILE.name)
FIELDS = {case["id"]: case for case in json.loads(FILE.read_bytes())["cases"]}


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        store = RocksDBStore(tmp_path / "state")
        yield store
        store.close()


def test_there_are_all_160_cases() -> None:
    assert len(CASES) == 160


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_gives_the_expected_results(case: Case, size: int, store: Store) -> None:
    driver = Driver(case.join(), store)
    inputs = [case.record(given) for step in case.steps for given in step.inputs]
    for begin in range(0, len(inputs), size):
        driver.process(inputs[begin : begin + size])
        driver.restart()
    results = [case.render(joined) for joined in driver.results]
    if case.family is Family.STREAM_STREAM and FIELDS[case.id]["tier"] == "B":
        rows = Counter({(key, value, ts): count for key, value, ts, count in FIELDS[case.id]["final_multiset"]})
        assert Counter((r.key, r.value, r.ts) for r in results if "flush" not in str(r.value)) == rows
    else:
        assert live(results) == live(result for step in case.steps for result in step.expected)
    balance, updates = driver.operator.balance, driver.operator.updates
    assert balance.rejected + updates.rejected == sum(step.dropped for step in case.steps)
    assert balance.late == 0
    assert balance.holds
    assert updates.holds


def live(results: Iterable[Result]) -> list[Result]:
    """Leave out tombstones for keys that have no live result."""
    keys, kept = set(), []
    for result in results:
        if result.value is not None:
            keys.add(result.key)
        elif result.key in keys:
            keys.remove(result.key)
        else:
            continue
        kept.append(result)
    return kept
