"""What is told of the rounds: a line each, a table by fault, and the page docs/reliability.md."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from faults import FAULTS
from rounds import Outcome

__all__ = ["line", "page", "table"]

TEXT = Path(__file__).with_name("page.md")
#: Columns of the table, and what is summed up in them.
COLUMNS = {
    "lost": ("lost", "uncounted"),
    "doubled": ("doubled",),
    "counted twice": ("counted_twice",),
    "wrong": ("unknown", "outdated", "differing", "offsets", "rows"),
}


def line(outcome: Outcome) -> str:
    """Tell of a round, with all that it takes to run it again."""
    found = " ".join(f"{name}={count}" for name, count in dataclasses.asdict(outcome.findings).items() if count)
    return " ".join(
        part
        for part in (
            "ok    " if outcome.passed else "FAILED",
            f"--pipeline {outcome.pipeline} --fault {outcome.fault} --guarantee {outcome.guarantee} "
            f"--seed {outcome.seed}:",
            f"{outcome.store} {outcome.records} records {outcome.seconds:.1f} s",
            found,
            f"exit codes {list(outcome.crashes)}" if outcome.crashes else "",
            outcome.unsettled,
        )
        if part
    )


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the sums by pipeline, guarantee and fault, in Markdown."""
    kinds = sorted({(one.pipeline, one.guarantee, list(FAULTS).index(one.fault)) for one in outcomes})
    lines = [
        _row(["pipeline", "guarantee", "fault", "rounds", "seeds", "records", *COLUMNS, "failed", "ended"]),
        _row(["---", "---", "---", "---:", "---", *["---:"] * (len(COLUMNS) + 3)]),
    ]
    for pipeline, guarantee, number in kinds:
        fault = list(FAULTS)[number]
        those = [one for one in outcomes if (one.pipeline, one.guarantee, one.fault) == (pipeline, guarantee, fault)]
        lines.append(_row([pipeline, f"`{guarantee}`", f"`{fault}`", *_sums(those)]))
    return "\n".join(lines)


def page(outcomes: Sequence[Outcome]) -> str:
    """Make docs/reliability.md."""
    faults = [_row([f"`{name}`", " ".join((inspect.getdoc(fault) or "").split())]) for name, fault in FAULTS.items()]
    return Template(TEXT.read_text("utf-8")).substitute(
        faults="\n".join([_row(["fault", ""]), _row(["---", "---"]), *faults]),
        table=table(outcomes),
        begin=min(one.date for one in outcomes),
        end=max(one.date for one in outcomes),
    )


def _sums(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"{len(outcomes):,}",
        _ranges(sorted(one.seed for one in outcomes)),
        f"{sum(one.records for one in outcomes):,}",
        *(f"{sum(getattr(one.findings, name) for one in outcomes for name in names):,}" for names in COLUMNS.values()),
        f"{sum(not one.passed for one in outcomes):,}",
        f"{sum(len(one.crashes) for one in outcomes):,}",
    ]


def _ranges(numbers: Iterable[int]) -> str:
    """Write ascending numbers as ranges."""
    groups = itertools.groupby(enumerate(numbers), lambda each: each[1] - each[0])
    ranges = [[number for _, number in group] for _, group in groups]
    return ", ".join(f"{found[0]}" if len(found) == 1 else f"{found[0]}–{found[-1]}" for found in ranges)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
