"""What the pages of the benchmarks are made of: blocks of text, and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.machine import About
from benchmarks.percentiles import Percentiles

__all__ = ["about", "blocks", "percentiles", "table"]


def percentiles(times: Percentiles) -> list[str]:
    """Give the cells of a distribution of times."""
    return [*(f"{time:,.1f}" for time in (times.p50, times.p90, times.p99, times.most)), f"{times.number:,}"]


def about(measured: About) -> str:
    """Say how, when and on what it was measured."""
    versions = ", ".join(f"{name} {version}" for name, version in measured.versions.items())
    commit = measured.commit or "unknown"
    return f"`{measured.command}`, {measured.date}, commit {commit}; {measured.machine}; {versions}."


def table(heads: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: bool = True) -> str:
    """Make a table, whose columns but for the first are numbers."""
    rule = ["---", *("---:" if numbers else "---" for _ in heads[1:])]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def blocks(*some: str) -> str:
    """Put blocks below each other, without empty ones."""
    return "\n\n".join(block for block in some if block)
