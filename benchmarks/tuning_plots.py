"""A plot for each setting that was varied: `draw`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.knobs import KNOBS, Knob, Subject
from benchmarks.plots import OTHERS, OURS, SECOND, figure_in, styled
from benchmarks.tuning_page import plot_name
from benchmarks.tuning_results import Tuning, Varied

__all__ = ["draw"]


def draw(tuning: Tuning, directory: Path) -> None:
    """Draw each setting that was varied: what is measured against its values."""
    with styled():
        for knob in KNOBS:
            if knob.name in tuning.varied:
                _draw(knob, tuning.varied[knob.name], directory / plot_name(knob))


def _draw(knob: Knob, varied: Varied, file: Path) -> None:
    if varied.detections:
        ways = list(dict.fromkeys(way for one in varied.detections for way in one.seconds))
        times = {way: [one.seconds.get(way, float("nan")) for one in varied.detections] for way in ways}
        with figure_in(file, width=5, height=2.6) as figure:
            text = "seconds until others go on"
            _lines(figure.subplots(), knob, [one.value for one in varied.detections], times, text)
        return
    values = [point.value for point in varied.points]
    what = "acknowledged" if knob.subject is Subject.PRODUCER else "joined"
    with figure_in(file, width=10, height=2.6) as figure:
        rate, latency, memory = figure.subplots(1, 3)
        _lines(
            rate, knob, values, {"": [point.per_s / 1_000 for point in varied.points]}, f"{what} a second, thousands"
        )
        times = {
            "p99": [point.times.p99 for point in varied.points],
            "p50": [point.times.p50 for point in varied.points],
        }
        _lines(latency, knob, values, times, "latency, ms")
        _lines(memory, knob, values, {"": [point.peak_mb for point in varied.points]}, "memory, MB")


def _lines(axes: Any, knob: Knob, values: Sequence[str], lines: Mapping[str, Sequence[float]], text: str) -> None:
    """Draw lines over values, which are as far from each other; the default has a larger point."""
    for (name, heights), colour in zip(lines.items(), (OURS, OTHERS, SECOND), strict=False):
        axes.plot(range(len(values)), heights, "o-", color=colour, label=name, markersize=4)
        for at, height in enumerate(heights):
            axes.annotate(f"{height:,.4g}", (at, height), (0, 6), textcoords="offset points", ha="center", fontsize=7)
        if knob.default in values:
            at = values.index(knob.default)
            axes.plot(at, heights[at], "o", color=colour, markersize=8)
    axes.set_xticks(range(len(values)), values, fontsize=7)
    axes.set_ylim(0, 1.25 * max(max(heights) for heights in lines.values()))
    axes.margins(x=0.1)
    axes.set_xlabel(f"{knob.kafka} (large: the default)")
    axes.set_title(text)
    if len(lines) > 1:
        axes.legend(frameon=False, fontsize=7)
