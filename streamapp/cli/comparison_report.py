"""What came of a trial of another declaration, as a terminal shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streamapp.advice.comparison import Comparison, ResultTold, Sample
from streamapp.cli.units import amount, lined_up, reason, span
from streamapp.measures.differences import Kind

__all__ = ["told"]

KINDS: Final = {
    Kind.SAME: "in both, the same",
    Kind.CHANGED: "in both, changed",
    Kind.ONLY_A: "only in A",
    Kind.ONLY_B: "only in B",
}


def told(comparison: Comparison) -> str:
    """Return it as text."""
    return "\n".join(_lines(comparison))


def _lines(comparison: Comparison) -> Iterator[str]:
    a, b = comparison.a, comparison.b
    yield comparison.join
    yield f"  A, as it is:  {a.declared}"
    yield f"  B, what if:   {b.declared}"
    yield ""
    fates = sorted({*a.records, *b.records})
    rows: list[tuple[str, ...]] = [("  RECORDS", "A", "B", "B - A")]
    rows += [_row(fate.replace("_", " "), a.records.get(fate, 0), b.records.get(fate, 0)) for fate in fates]
    rows += [_row("results", a.results, b.results), _row("rows of state, at most", a.state_rows, b.state_rows)]
    size = b.state_bytes - a.state_bytes
    difference = f"{'-' if size < 0 else '+'}{amount(abs(size))}" if size else "0"
    rows.append(("  bytes of state, at most", amount(a.state_bytes), amount(b.state_bytes), difference))
    yield from lined_up(rows)
    if comparison.moved:
        yield from ("", "  what became of records, A -> B:")
        for moved in comparison.moved:
            yield f"    {moved.a.replace('_', ' ')} -> {moved.b.replace('_', ' ')}: {moved.records:,}"
            yield from (f"      {_sample(sample)}" for sample in moved.samples)
    yield from ("", "  results:")
    for kind, name in KINDS.items():
        yield f"    {name}: {comparison.results[kind]:,}"
        yield from (f"      {_result(one)}" for one in comparison.samples.get(kind, ()))
    yield from (f"  not taken in by either: {reason(one)}" for one in (*comparison.refused, *comparison.bad))
    yield ""
    for part in comparison.stretch:
        before = f", read from {part.begin:,}" if part.begin < part.start else ""
        yield f"  {part.topic}[{part.partition}]: offsets {part.start:,} to {part.end - 1:,}{before}"
    yield from (f"note: {note}" for note in comparison.notes)
    yield f"read {comparison.records:,} records in {comparison.seconds:,.1f} s, {comparison.records_per_s:,}/s"


def _row(name: str, a: int, b: int) -> tuple[str, ...]:
    return f"  {name}", f"{a:,}", f"{b:,}", f"{b - a:+,}" if a != b else "0"


def _sample(sample: Sample) -> str:
    runs = {"A": sample.a_late_by_ms, "B": sample.b_late_by_ms}
    late = [f"late by {span(by)} in {run}" for run, by in runs.items() if by]
    return f"{sample.topic}[{sample.partition}]@{sample.offset}" + (f", {', '.join(late)}" if late else "")


def _result(one: ResultTold) -> str:
    where = " with ".join("nothing" if place is None else place for place in one.records)
    if one.start is not None:
        where = f"{one.start} to {one.end}"
    told = f"key {one.key}, {where}"
    if one.a and one.b:
        return f"{told}: {'; '.join(one.a)} -> {'; '.join(one.b)}"
    return f"{told}: {'; '.join(one.a or one.b)}"
