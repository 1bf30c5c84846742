"""The report sums rounds up by guarantee and fault; the record keeps them over a restart."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from record import Record
from report import page, table
from rounds import Outcome
from verification import Findings

ROUND = Outcome("worker_killed", "at_least_once", 1, "memory", "2026-01-01 00:00", 5.0, 1_000, Findings(doubled=2))


def of(**changes: Any) -> Outcome:
    return dataclasses.replace(ROUND, **changes)


def test_a_line_for_each_pipeline_fault_and_guarantee_has_the_sums_and_the_seeds() -> None:
    failed = of(seed=5, findings=Findings(lost=1, uncounted=2, rows=1), crashes=(1,))
    told = table([*(of(seed=seed) for seed in (3, 1, 2)), failed, of(fault="worker_frozen")])
    assert told.splitlines()[2:] == [
        "| clicks | `at_least_once` | `worker_killed` | 4 | 1–3, 5 | 4,000 | 3 | 6 | 0 | 1 | 1 | 1 |",
        "| clicks | `at_least_once` | `worker_frozen` | 1 | 1 | 1,000 | 0 | 2 | 0 | 0 | 0 | 0 |",
    ]


def test_workers_that_do_not_come_to_the_end_fail_the_round() -> None:
    assert ROUND.passed
    assert not of(unsettled="committed 1 of 2").passed


def test_the_page_tells_of_each_fault_and_has_the_table() -> None:
    made = page([ROUND, of(seed=2, date="2026-01-02 00:00")])
    assert "| `clock_jumps` | The workers' wall clock jumps" in made
    assert table([ROUND, of(seed=2)]) in made
    assert "from 2026-01-01 00:00 to 2026-01-02 00:00 UTC" in made


def test_what_is_recorded_is_there_the_next_time(tmp_path: Path) -> None:
    Record(tmp_path / "new" / "rounds.jsonl").add(ROUND)
    Record(tmp_path / "new" / "rounds.jsonl").add(of(seed=2))
    record = Record(tmp_path / "new" / "rounds.jsonl")
    assert record.outcomes == [ROUND, of(seed=2)]
    assert record.has("clicks", "worker_killed", "at_least_once", 2)
    assert not record.has("clicks", "worker_killed", "at_least_once", 3)
