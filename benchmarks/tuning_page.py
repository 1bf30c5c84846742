"""The page about settings, made of what was measured: `render`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Final

from benchmarks.blocks import about, blocks, table
from benchmarks.knobs import KNOBS, Knob, Subject
from benchmarks.tuning_results import Point, Tuning, Varied

__all__ = ["plot_name", "render"]

TEXT: Final = Path(__file__).with_name("tuning.md")
NOTHING: Final = "Not measured yet."
#: How many times as good a figure must be, to be called better than another one: each is of one run.
MORE: Final = 1.1


def render(tuning: Tuning | None) -> str:
    """Make the page, in Markdown."""
    varied = tuning.varied if tuning else {}
    return Template(TEXT.read_text("utf-8")).substitute(
        defaults=_defaults(varied),
        **{knob.name.replace("-", "_"): _section(knob, varied.get(knob.name)) for knob in KNOBS},
    )


def plot_name(knob: Knob) -> str:
    """Return the name of a setting's plot."""
    return f"tuning-{knob.name}.svg"


def _defaults(varied: dict[str, Varied]) -> str:
    rows = [
        [f"`{knob.kafka}`", knob.ours, knob.default, knob.why, _by_figures(knob, varied.get(knob.name))]
        for knob in KNOBS
    ]
    return table(["Kafka's name", "here", "default", "why", "by these figures"], rows, numbers=False)


def _by_figures(knob: Knob, varied: Varied | None) -> str:
    """Say in a line what the default does, beside the values that do best."""
    if varied is None:
        return NOTHING
    if varied.detections:
        found = {one.value: one.seconds for one in varied.detections}.get(knob.default, {})
        return ", ".join(f"{what}: {seconds:.1f} s" for what, seconds in found.items())
    default = next((point for point in varied.points if point.value == knob.default), None)
    if default is None:
        return NOTHING
    fastest = max(varied.points, key=lambda point: point.per_s)
    soonest = min(varied.points, key=lambda point: point.times.p99)
    faster = f"{fastest.per_s:,.0f} at {fastest.value}" if fastest.per_s > MORE * default.per_s else ""
    sooner = f"{soonest.times.p99:,.1f} at {soonest.value}" if soonest.times.p99 * MORE < default.times.p99 else ""
    return (
        f"{default.per_s:,.0f}/s (most: {faster or 'this'}), "
        f"p99 {default.times.p99:,.1f} ms (least: {sooner or 'this'}), {default.peak_mb:,.0f} MB"
    )


def _section(knob: Knob, varied: Varied | None) -> str:
    if varied is None:
        return NOTHING
    return blocks(
        _detections(knob, varied) if varied.detections else _points(knob, varied.points),
        f"![{knob.kafka}](benchmarks/{plot_name(knob)})",
        _load(knob, varied),
        about(varied.about),
    )


def _load(knob: Knob, varied: Varied) -> str:
    if knob.subject is Subject.SESSION:
        return ""
    return f"{varied.records:,} at once, then {varied.rate:,} a second for {varied.seconds:g} s."


def _points(knob: Knob, points: Sequence[Point]) -> str:
    worker = knob.subject is not Subject.PRODUCER
    heads = [
        f"`{knob.kafka}`",
        "joined/s" if worker else "acknowledged/s",
        "CPU µs",
        "peak MB" if worker else "MB taken",
        "steady p50 ms",
        "p99 ms",
        "CPU µs",
        "broker µs",
        "bytes",
        "output",
    ]
    rows = [
        [
            _marked(point.value, knob),
            f"{point.per_s:,.0f}",
            f"{point.cpu_us:.1f}",
            f"{point.peak_mb:,.0f}",
            f"{point.times.p50:,.1f}",
            f"{point.times.p99:,.1f}",
            f"{point.steady_cpu_us:.1f}",
            f"{point.steady_broker_us:.1f}",
            f"{point.stored_bytes:.0f}",
            point.output,
        ]
        for point in points
    ]
    return table(heads, rows)


def _detections(knob: Knob, varied: Varied) -> str:
    ways = list(dict.fromkeys(way for one in varied.detections for way in one.seconds))
    rows = [
        [_marked(one.value, knob), *(f"{one.seconds[way]:.1f}" if way in one.seconds else "" for way in ways)]
        for one in varied.detections
    ]
    return table([f"`{knob.kafka}`", *(f"{way}, s" for way in ways)], rows)


def _marked(value: str, knob: Knob) -> str:
    return f"**{value}**" if value == knob.default else value
