"""What the page of the benchmarks says of risk control and of sensors."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks.blocks import about, blocks, percentiles, table
from benchmarks.risk_peers import counting
from benchmarks.risk_results import Counted, CountedRate, Counts, DetectorSpeeds

__all__ = ["counts", "detector"]

TITLES: Final = {peer.name: peer.title for peer in counting(Path())}


def counts(measured: Counts) -> str:
    """Say how long programs took to count transactions, and how many they can take."""
    rates = [one.rate for one in next(iter(measured.counted.values()), Counted([], 0, 0, 0, 0, 0, 0)).rates]
    steady = [
        blocks(
            f"{rate:,} transactions a second:",
            table(
                ["", "p50 ms", "p90", "p99", "most", "transactions", "missing", "CPU µs"],
                [_rate(peer, counted.rates[number]) for peer, counted in measured.counted.items()],
            ),
        )
        for number, rate in enumerate(rates)
    ]
    most = table(
        ["all at once", "transactions/s", "transactions", "CPU µs", "peak MB", "results", "wrong"],
        [_most(peer, counted) for peer, counted in measured.counted.items()],
    )
    left_out = "\n".join(f"Left out: {TITLES.get(name, name)}: {why}." for name, why in measured.left_out.items())
    return blocks(*steady, most, about(measured.about), left_out)


def _rate(peer: str, one: CountedRate) -> list[str]:
    times = percentiles(one.times) if one.times else [""] * 4 + ["0"]
    return [TITLES.get(peer, peer), *times, f"{one.missing:,}", f"{one.cpu_us:.0f}"]


def _most(peer: str, counted: Counted) -> list[str]:
    return [
        TITLES.get(peer, peer),
        f"{counted.per_s:,.0f}",
        f"{counted.backlog:,}",
        f"{counted.backlog_cpu_us:.0f}",
        f"{counted.peak_mb:,.0f}",
        f"{counted.results:,}",
        f"{counted.wrong:,}",
    ]


def detector(measured: DetectorSpeeds) -> str:
    """Say what a reading costs the detector of anomalies."""
    rows = [
        [one.version, f"{one.batch:,}", f"{one.engine_us:.2f}", f"{one.operator_us:.2f}"] for one in measured.speeds
    ]
    return blocks(
        table(["version", "readings at a time", "detector µs", "with JSON and state µs"], rows), about(measured.about)
    )
