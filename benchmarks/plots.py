"""The plots of the benchmarks, as SVG files: `draw`."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from benchmarks.page import STREAMAPP, of_kind, title
from benchmarks.results import Latency, Profile, Results, Runs
from benchmarks.runner import median
from benchmarks.windows import Kind
from benchmarks.workload import Workload

__all__ = ["OTHERS", "OURS", "SECOND", "draw", "figure_in", "styled"]

OURS: Final = "#c2410c"
OTHERS: Final = "#64748b"
SECOND: Final = "#94a3b8"
#: Lines of the other programs; enough for all of them.
LINES: Final = ("#1d4ed8", "#0e7490", "#15803d", "#a16207", "#7e22ce", "#be185d", "#475569", "#78716c", "#0f172a")
#: Functions that are shown, the first ones.
FUNCTIONS: Final = 15

STYLE: Final[Any] = {
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 10,
    "font.size": 9,
    "grid.color": "#e2e8f0",
    "svg.hashsalt": "streamapp",  # without one, the file differs each time
    "ytick.major.size": 0,
}
THOUSANDS: Final = FuncFormatter(lambda number, _: f"{number:,.0f}")


def draw(results: Results, directory: Path) -> None:
    """Draw a plot for each part that has results."""
    with styled():
        if results.throughput and results.throughput.runs:
            _throughput(results.throughput, directory / "throughput.svg")
            _progress(results.throughput, directory / "progress.svg")
        if results.pairs and results.pairs.runs:
            _throughput(results.pairs, directory / "pairs.svg")
        if results.windows and (tumbling := of_kind(results.windows, Kind.TUMBLING)).runs:
            _throughput(tumbling, directory / "windows.svg", "records a second (median; least to most)")
        if results.latency:
            _latency(results.latency, directory / "latency.svg")
        if results.users:
            _scaling(results.users, "users in the table", lambda one: one.users, directory / "users.svg")
        if results.sizes:
            _scaling(
                results.sizes.of(STREAMAPP), "bytes a click", lambda one: one.bytes_of_a_click, directory / "sizes.svg"
            )
        if results.partitions:
            _scaling(results.partitions, "partitions", lambda one: one.partitions, directory / "partitions.svg")
        if results.profile:
            _profile(results.profile, directory / "profile.svg")


def _throughput(
    measured: Runs[Any], file: Path, heading: str = "joined records a second (median; least to most)"
) -> None:
    groups = measured.by_peer()
    peers = list(groups)[::-1]
    with figure_in(file, width=9, height=0.6 + 0.38 * len(peers)) as figure:
        rate, cpu = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
        figures = [median(groups[peer]) for peer in peers]
        spread = [[run.figures.per_s for run in groups[peer]] for peer in peers]
        low = [one.per_s - min(all_) for one, all_ in zip(figures, spread, strict=True)]
        high = [max(all_) - one.per_s for one, all_ in zip(figures, spread, strict=True)]
        colours = [_colour(peer) for peer in peers]
        bars = rate.barh(
            [title(peer) for peer in peers], [one.per_s for one in figures], color=colours, xerr=[low, high]
        )
        rate.bar_label(bars, [f"{one.per_s:,.0f}" for one in figures], padding=4)
        rate.margins(x=0.18)
        rate.set_title(heading)
        rate.xaxis.set_major_locator(MaxNLocator(5))
        rate.xaxis.set_major_formatter(THOUSANDS)
        bars = cpu.barh([title(peer) for peer in peers], [one.cpu_us for one in figures], color=colours)
        cpu.bar_label(bars, [f"{one.cpu_us:.1f}" for one in figures], padding=4)
        cpu.set_xscale("log")
        cpu.margins(x=0.2)
        cpu.set_title("CPU a record, µs (logarithmic)")
        for axes in (rate, cpu):
            axes.grid(visible=False, axis="y")


def _progress(measured: Runs[Workload], file: Path) -> None:
    lines = itertools.cycle(LINES)
    with figure_in(file, width=9, height=4) as figure:
        axes = figure.subplots()
        for peer, runs in measured.by_peer().items():
            middle = sorted(runs, key=lambda run: run.figures.seconds)[len(runs) // 2]
            seconds, records = zip(*middle.progress, strict=True)
            ours = peer == STREAMAPP
            colour = OURS if ours else next(lines)
            axes.plot(seconds, records, label=title(peer), color=colour, linewidth=2.5 if ours else 1.3)
        axes.yaxis.set_major_formatter(THOUSANDS)
        axes.set_xlabel("seconds from the start of the process")
        axes.set_title("joined records, in the middle run of each program")
        axes.set_xlim(0, _readable_end(measured))
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _readable_end(measured: Runs[Any]) -> float:
    """End the time axis where all but the slowest programs have ended, so that these can be told apart."""
    ends = sorted(median(runs).seconds for runs in measured.by_peer().values())
    return 1.05 * next((end for end, after in itertools.pairwise(ends) if after > 2 * end), ends[-1])


def _latency(measured: Latency, file: Path) -> None:
    lone = dict(sorted(measured.lone.items(), key=lambda item: -item[1].spaced.p50))
    names = [*(title(peer) for peer in lone), "to the broker and back"]
    times = [one.spaced for one in (*lone.values(), measured.floor)]
    colours = [*(_colour(peer) for peer in lone), SECOND]
    with figure_in(file, width=9, height=0.8 + 0.38 * len(names)) as figure:
        axes = figure.subplots()
        for row, (one, colour) in enumerate(zip(times, colours, strict=True)):
            axes.plot([one.p50, one.p99], [row, row], color=colour, linewidth=2)
            axes.plot(one.p50, row, "o", color=colour)
            axes.plot(one.p99, row, "|", color=colour, markersize=12, markeredgewidth=2)
            axes.annotate(
                f"{one.p50:,.1f}", (one.p50, row), (-6, 0), textcoords="offset points", ha="right", va="center"
            )
            axes.annotate(f"{one.p99:,.1f}", (one.p99, row), (6, 0), textcoords="offset points", va="center")
        axes.set_xscale("log")
        axes.margins(x=0.12, y=0.08)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda number, _: f"{number:,g}"))
        axes.set_yticks(range(len(names)), names)
        axes.grid(visible=False, axis="y")
        axes.set_title(
            "a lone click until its joined record can be read, ms (logarithmic): median ●, 99th percentile |"
        )


def _scaling(measured: Runs[Workload], label: str, value: Callable[[Workload], int], file: Path) -> None:
    groups = measured.by_workload()
    values = [value(workload) for workload in groups]
    figures = [median(runs) for runs in groups.values()]
    with figure_in(file, width=9, height=3) as figure:
        rate, memory = figure.subplots(1, 2)
        _line(rate, values, [one.steady_per_s for one in figures], "joined records a second (steady)", label)
        _line(memory, values, [one.peak_mb for one in figures], "peak memory, MB", label)


def _line(axes: Any, values: Sequence[int], heights: Sequence[float], text: str, label: str) -> None:
    axes.plot(values, heights, "o-", color=OURS)
    for at, height in zip(values, heights, strict=True):
        axes.annotate(f"{height:,.0f}", (at, height), (0, 6), textcoords="offset points", ha="center")
    axes.set_xscale("log", base=10 if values[0] > 1 else 2)
    axes.set_xticks(values, [f"{one:,}" for one in values])
    axes.minorticks_off()
    axes.set_ylim(0, 1.2 * max(heights))
    axes.margins(x=0.12)
    axes.yaxis.set_major_formatter(THOUSANDS)
    axes.set_xlabel(label)
    axes.set_title(text)


def _profile(measured: Profile, file: Path) -> None:
    shown = list(measured.functions.items())[:FUNCTIONS][::-1]
    with figure_in(file, width=9, height=0.6 + 0.28 * len(shown)) as figure:
        axes = figure.subplots()
        shares = [100 * number / measured.samples for _, number in shown]
        bars = axes.barh([name for name, _ in shown], shares, color=[_area(name) for name, _ in shown])
        axes.bar_label(bars, [f"{share:.1f}" for share in shares], padding=4)
        axes.grid(visible=False, axis="y")
        axes.set_title("share of the time by innermost Python function, % (streamapp's own in colour)")


def _area(function: str) -> str:
    return OURS if "(streamapp/" in function else OTHERS


def _colour(peer: str) -> str:
    return OURS if peer == STREAMAPP else OTHERS


@contextmanager
def styled() -> Iterator[None]:
    """Draw in the style of all plots."""
    with mpl.rc_context(STYLE):
        yield


@contextmanager
def figure_in(file: Path, *, width: float, height: float) -> Iterator[Figure]:
    """Draw on a figure (inches), which is saved at the end."""
    figure = Figure(figsize=(width, height), layout="constrained")
    yield figure
    figure.savefig(file, metadata={"Date": None})
