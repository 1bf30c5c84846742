"""The windows against `window_cases.json`: 140 cases, most of them computed by Kafka Streams 4.3.1 or pandas.

Its ``about`` says how to read them. Each input's results are compared with what is expected, in order, and what becomes
of the inputs that do not count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from streamapp.cli.replay import replay
from streamapp.joins import Driver, MemoryStore, Reason, Store
from streamapp.joins.rocksdb import RocksDBStore
from streamapp.replay.case_files import read_cases
from streamapp.replay.window_cases import WindowCase, WindowResult

FILE = Path(__file__).with_name("window_cases.json")
CASES = [case for case in read_cases(FILE.read_bytes(), FILE.name) if isinstance(case, WindowCase)]
IGNORED = {Reason.NULL_KEY, Reason.NULL_VALUE}


@pytest.fixture(params=["memory", "rocksdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "memory":
        yield MemoryStore()
    else:
        store = RocksDBStore(tmp_path / "state")
        yield store
        store.close()


def test_there_are_all_140_cases() -> None:
    assert len(CASES) == 140


@pytest.mark.parametrize("size", [1, 7, 1_000])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_case_gives_the_expected_results_in_order_across_restarts(
    case: WindowCase, size: int, store: Store, written: None
) -> None:
    driver = Driver(case.join(), store)
    records = [case.record(step) for step in case.steps]
    for begin in range(0, len(records), size):
        driver.process(records[begin : begin + size])
        driver.restart()
    results = [case.render(result) for result in driver.results]
    assert plain(results) == close_to([result for step in case.steps for result in step.expected])
    told = [Reason.NULL_KEY if one.reason in IGNORED else one.reason for one in driver.side_outputs]
    assert told == [
        reason
        for step in case.steps
        for reason, count in (
            (Reason.LATE, step.late),
            (Reason.PARTLY_LATE, step.partly_late),
            (Reason.NULL_KEY, step.ignored),
        )
        for _ in range(count)
    ]
    balance = driver.operator.balance
    assert balance.received == len(records)
    assert balance.holds


def test_the_replay_prints_what_each_step_of_the_cases_brings() -> None:
    printed = CliRunner().invoke(replay, [str(FILE)], catch_exceptions=False).output.splitlines()
    steps = [(case, number, step) for case in CASES for number, step in enumerate(case.steps)]
    assert len(printed) == len(steps)
    for line, (case, number, step) in zip(printed, steps, strict=True):
        told = json.loads(line)
        results = msgspec.convert(told.pop("results"), list[WindowResult])
        assert plain(results) == close_to(step.expected)
        counts = {"late": step.late, "partly_late": step.partly_late, "ignored": step.ignored}
        assert told == {"case": case.id, "step": number, **counts}


def plain(results: list[WindowResult]) -> list[object]:
    return [msgspec.structs.astuple(one) for one in results]


def close_to(results: list[WindowResult]) -> list[object]:
    """Return what is equal to `plain` results whose floats differ by no more than 1e-9."""
    return plain([msgspec.structs.replace(one, value=about(one.value)) for one in results])


def about(value: object) -> object:
    return pytest.approx(value, rel=0, abs=1e-9) if isinstance(value, float) else value
