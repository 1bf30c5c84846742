"""The page of the benchmarks, made of what was measured: `render`."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from benchmarks import client_results, format_page
from benchmarks.blocks import about, blocks, percentiles, table
from benchmarks.pairs import DISORDER, GRACE, WINDOW, Pairs
from benchmarks.peers import KAFKA_STREAMS, PAIRING, PEERS, Peer, Streamapp, exactly_once
from benchmarks.results import Guarantees, Latency, Profile, Recovery, Results, Runs, Takeover, Takeovers
from benchmarks.risk_page import counts, detector
from benchmarks.runner import Run, median, median_again
from benchmarks.windowing import WINDOWING, per_transaction
from benchmarks.windows import DISORDER as BEHIND
from benchmarks.windows import SPAN, Kind, Windows
from benchmarks.workload import Workload

__all__ = ["STREAMAPP", "of_kind", "render", "render_clients", "title"]

#: Functions and libraries with a smaller share of the time are not shown.
SHOWN: Final = 0.01
NOTHING: Final = "Not measured yet."
#: The columns of programs side by side, after their names and rates.
HEADS: Final = (
    "times",
    "steady/s",
    "with start/s",
    "CPU µs",
    "steady CPU µs",
    "broker µs",
    "peak MB",
    "start-up s",
    "output",
)

_OURS: Final = Streamapp(Path())
STREAMAPP: Final = _OURS.name
#: By the name of a program that processes at least once, that of the same one exactly once.
STRICT: Final = {peer.name: exactly_once(peer).name for peer in (_OURS, KAFKA_STREAMS)}
KNOWN: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        *(peer for peers in WINDOWING.values() for peer in peers),
        *(_OURS, *PEERS, *PAIRING, exactly_once(_OURS), exactly_once(KAFKA_STREAMS)),
    )
}

TEXT: Final = Path(__file__).with_name("page.md")


def render(results: Results) -> str:
    """Make the page, in Markdown."""
    return Template(TEXT.read_text("utf-8")).substitute(
        throughput=_throughput(results.throughput) if results.throughput else NOTHING,
        programs=_programs(results.throughput) if results.throughput else NOTHING,
        guarantees=_guarantees(results.guarantees) if results.guarantees else NOTHING,
        pairs=_pairs(results.pairs) if results.pairs else NOTHING,
        **{kind: _windows(results.windows, kind) if results.windows else NOTHING for kind in Kind},
        window_programs=_programs(results.windows) if results.windows else NOTHING,
        latency=_latency(results.latency) if results.latency else NOTHING,
        users=_scaling(results.users, "users", lambda one: one.users) if results.users else NOTHING,
        sizes=_sizes(results.sizes) if results.sizes else NOTHING,
        partitions=_scaling(results.partitions, "partitions", lambda one: one.partitions)
        if results.partitions
        else NOTHING,
        recovery=_recovery(results.recovery) if results.recovery else NOTHING,
        takeover=_takeover(results.takeover) if results.takeover else NOTHING,
        risk=counts(results.risk) if results.risk else NOTHING,
        sensors=detector(results.sensors) if results.sensors else NOTHING,
        formats=format_page.render(results.formats) if results.formats else NOTHING,
        profile=_profile(results.profile) if results.profile else NOTHING,
    )


def render_clients(results: Results) -> str:
    """Make the page of the clients, in Markdown."""
    text = TEXT.with_name("clients.md").read_text("utf-8")
    return Template(text).substitute(clients=client_results.render(results.clients))


def title(peer: str) -> str:
    """Say how people call a peer."""
    return KNOWN[peer].title if peer in KNOWN else peer


def of_kind(measured: Runs[Windows], kind: Kind) -> Runs[Windows]:
    """Return the runs with one kind of windows, their figures a transaction."""
    runs = [per_transaction(run) for run in measured.runs if run.workload.kind is kind]
    return dataclasses.replace(measured, runs=runs)


def _throughput(measured: Runs[Workload]) -> str:
    groups = measured.by_peer()
    return blocks(
        _workloads(groups),
        table(["", "joined/s", *HEADS], _side_by_side(groups)),
        _others(measured.runs),
        about(measured.about),
        _left_out(measured.left_out),
    )


def _side_by_side(groups: Mapping[str, Sequence[Run[Any]]], per_record: float = 1.0) -> list[list[str]]:
    """Give a row for each program: its name, its rate, and what `HEADS` says, by the records that it reads.

    Args:
        groups: the runs by program.
        per_record: how many results come of a record.
    """
    ours = median(groups[STREAMAPP]).per_s if STREAMAPP in groups else None
    rows = []
    for peer, runs in groups.items():
        figures = median(runs)
        rows.append(
            [
                f"**{title(peer)}**" if peer == STREAMAPP else title(peer),
                f"{figures.per_s / per_record:,.0f}",
                f"{ours / figures.per_s:.1f}" if ours else "",
                f"{figures.steady_per_s / per_record:,.0f}",
                f"{figures.total_per_s / per_record:,.0f}",
                f"{figures.cpu_us * per_record:.1f}",
                f"{figures.steady_cpu_us * per_record:.1f}",
                f"{figures.broker_us * per_record:.1f}",
                f"{figures.peak_mb:,.0f}",
                f"{figures.start_up:.1f}",
                _outputs(runs),
            ]
        )
    return rows


def _programs(measured: Runs[Any]) -> str:
    peers = [KNOWN[peer] for peer in measured.by_peer() if peer in KNOWN]
    rows = [[peer.title, peer.version, peer.keeps] for peer in peers]
    return table(["", "version", "where the table is, and what a crash leaves of it"], rows, numbers=False)


def _guarantees(measured: Guarantees) -> str:
    groups = measured.by_peer()
    rates = {peer: median(runs).per_s for peer, runs in groups.items()}
    ours = (STREAMAPP, STRICT[STREAMAPP])
    rows = []
    for pair in STRICT.items():
        for peer, our in zip(pair, ours, strict=True):
            if peer not in groups:
                continue
            figures, lone = median(groups[peer]), measured.lone.get(peer)
            rows.append(
                [
                    title(peer),
                    f"{figures.per_s:,.0f}",
                    _ratio(rates, peer, pair[0], "{:.0%}"),
                    _ratio(rates, our, peer, "{:.1f}"),
                    f"{figures.steady_per_s:,.0f}",
                    f"{figures.cpu_us:.1f}",
                    f"{figures.broker_us:.1f}",
                    f"{figures.peak_mb:,.0f}",
                    f"{figures.start_up:.1f}",
                    *([f"{lone.spaced.p50:,.1f}", f"{lone.spaced.p99:,.1f}"] if lone else ["", ""]),
                    _outputs(groups[peer]),
                ]
            )
    heads = ["joined/s", "of at least once", "times", "steady/s", "CPU µs", "broker µs", "peak MB", "start-up s"]
    return blocks(
        _workloads(groups),
        table(["", *heads, "lone click p50 ms", "p99", "output"], rows),
        _others(measured.runs),
        about(measured.about),
        _left_out(measured.left_out),
    )


def _pairs(measured: Runs[Pairs]) -> str:
    groups = measured.by_peer()
    (load,) = measured.by_workload()
    sides = _side_by_side(groups, load.results / load.records)
    pairs = (f"{median(runs).per_s:,.0f}" for runs in groups.values())
    rows = [[name, rate, per_s, *figures] for (name, rate, *figures), per_s in zip(sides, pairs, strict=True)]
    return blocks(
        f"{load.each:,} purchases and {load.each:,} views, {load.users:,} users, {load.partitions} partitions, "
        f"{load.span / 1000:,.0f} s of event time, records up to {DISORDER / 1000:g} s behind those before them; "
        f"window ±{WINDOW / 1000:g} s, grace {GRACE / 1000:g} s: {load.results:,} pairs, "
        f"{load.results / load.each:.2f} of each record. {_rounds(groups)}.",
        table(["", "records/s", "pairs/s", *HEADS], rows),
        _others(measured.runs),
        about(measured.about),
        _left_out(measured.left_out),
    )


def _windows(measured: Runs[Windows], kind: Kind) -> str:
    some = of_kind(measured, kind)
    groups = some.by_peer()
    if not groups:
        return NOTHING
    loads = {peer: runs[0].workload for peer, runs in groups.items()}
    whole = max(loads.values(), key=lambda load: load.transactions)
    fewer = [f" ({title(peer)}: {one.transactions:,})" for peer, one in loads.items() if one != whole]
    results = next(run.check.right + run.check.missing for run in some.runs if run.workload == whole)
    return blocks(
        f"{whole.transactions:,} transactions{''.join(fewer)}, {whole.keys:,} addresses, "
        f"{whole.partitions} partitions, {SPAN / 60_000:g} minutes of event time, "
        f"records up to {BEHIND / 1000:g} s behind those before them; {results:,} results. {_rounds(groups)}.",
        table(["", "records/s", *HEADS], _side_by_side(groups)),
        _others(some.runs),
        about(some.about),
        _left_out(some.left_out),
    )


def _ratio(rates: Mapping[str, float], one: str, other: str, form: str) -> str:
    return form.format(rates[one] / rates[other]) if one in rates and other in rates else ""


def _latency(measured: Latency) -> str:
    lone = sorted(measured.lone.items(), key=lambda item: item[1].spaced.p50)
    rows = [
        [name, *percentiles(times.spaced), *percentiles(times.straight)]
        for name, times in [("to the broker and back", measured.floor), *((title(peer), times) for peer, times in lone)]
    ]
    heads = ["", "p50 ms", "p90", "p99", "most", "clicks", "straight p50 ms", "p90", "p99", "most", "clicks"]
    return blocks(
        table(heads, rows),
        _steady(measured),
        about(measured.about),
        _left_out(measured.left_out),
    )


def _steady(measured: Latency) -> str:
    loads = sorted(measured.steady.items(), key=lambda item: item[1].times.p50)
    rows = [(title(peer), load) for peer, load in loads]
    if measured.steady_floor:
        rows.insert(0, ("to the broker and back", measured.steady_floor))
    if not rows:
        return ""
    first = rows[0][1]
    return blocks(
        f"{first.rate:,} clicks a second for {first.seconds:g} s:",
        table(
            ["", "p50 ms", "p90", "p99", "most", "clicks", "missing", "repeated"],
            [[name, *percentiles(load.times), f"{load.missing:,}", f"{load.repeated:,}"] for name, load in rows],
        ),
    )


def _sizes(measured: Runs[Workload]) -> str:
    sizes = list(measured.by_workload())

    def rates(peer: str) -> list[str]:
        runs = measured.of(peer).by_workload()
        return [f"{median(runs[size]).per_s:,.0f}" if size in runs else "" for size in sizes]

    rows = [[title(peer), *rates(peer)] for peer in measured.by_peer()]
    return blocks(
        _scaling(measured.of(STREAMAPP), "bytes a click", lambda one: one.bytes_of_a_click),
        table(["joined/s", *(f"{size.bytes_of_a_click:,} bytes" for size in sizes)], rows) if len(rows) > 1 else "",
    )


def _scaling(measured: Runs[Workload], label: str, value: Callable[[Workload], int]) -> str:
    rows = []
    for workload, runs in measured.by_workload().items():
        figures, again = median(runs), median_again(runs)
        volume = figures.steady_per_s * workload.bytes_of_a_click / 1e6
        rows.append(
            [
                f"{value(workload):,}",
                f"{workload.clicks:,}",
                f"{figures.per_s:,.0f}",
                f"{figures.steady_per_s:,.0f}",
                f"{volume:,.0f}",
                f"{figures.steady_cpu_us:.1f}",
                f"{figures.peak_mb:,.0f}",
                f"{figures.start_up:.1f}",
                *([f"{again.per_s:,.0f}", f"{again.steady_cpu_us:.1f}"] if again else []),
                _outputs(runs),
            ]
        )
    heads = [
        "clicks",
        "joined/s",
        "steady/s",
        "steady MB of clicks/s",
        "steady CPU µs",
        "peak MB",
        "start-up s",
        *(["again: joined/s", "again: CPU µs"] if any(run.again for run in measured.runs) else []),
        "output",
    ]
    return blocks(
        table([label, *heads], rows),
        _others(measured.runs),
        about(measured.about),
        _left_out(measured.left_out),
    )


def _recovery(measured: Recovery) -> str:
    rows = []
    for store, kept in sorted({(restore.store, restore.kept) for restore in measured.restores}):
        some = [restore for restore in measured.restores if (restore.store, restore.kept) == (store, kept)]
        rows.append(
            [
                f"`{store}`, {'with its rows' if kept else 'empty'}",
                f"{statistics.median(restore.rows for restore in some):,.0f}",
                f"{statistics.median(restore.seconds for restore in some):.2f}",
                "" if kept else f"{statistics.median(restore.rows / restore.seconds for restore in some):,.0f}",
                f"{statistics.median(restore.start for restore in some):.1f}",
                f"{statistics.median(restore.peak_mb for restore in some):,.0f}",
            ]
        )
    return blocks(
        f"{measured.users:,} rows, 4 partitions.",
        table(["store", "changelog records read", "seconds", "rows/s", "start s", "peak MB"], rows),
        about(measured.about),
    )


def _takeover(measured: Takeovers) -> str:
    groups: dict[tuple[bool, int, bool], list[Takeover]] = {}
    for one in measured.takeovers:
        groups.setdefault((one.exactly_once, one.users, one.standby), []).append(one)
    rows = [
        [
            f"{'exactly' if exactly else 'at least'} once",
            f"{users // 2:,}",
            "yes" if standby else "no",
            f"{max(one.stop for one in some):.2f}",
            f"{max(one.over for one in some):.2f}",
            f"{max(one.rows for one in some):,}",
        ]
        for (exactly, users, standby), some in groups.items()
    ]
    return blocks(
        table(["", "rows taken over", "standby", "stop s", "goes on s", "changelog records read"], rows),
        f"The slowest of {len(measured.takeovers) // len(groups)} each.",
        about(measured.about),
    )


def _profile(measured: Profile) -> str:
    def rows(counts: dict[str, int]) -> list[list[str]]:
        shares = {name: number / measured.samples for name, number in counts.items()}
        return [[f"`{name}`", f"{share:.1%}"] for name, share in shares.items() if share >= SHOWN]

    return blocks(
        table(["innermost Python function", "share"], rows(measured.functions)),
        table(["what runs beneath it", "share"], rows(measured.libraries)),
        f"{measured.samples:,} samples while {measured.clicks:,} clicks were joined.",
        about(measured.about),
    )


def _workloads(groups: Mapping[str, list[Run[Workload]]]) -> str:
    workloads = {peer: runs[0].workload for peer, runs in groups.items()}
    whole = max(workloads.values(), key=lambda workload: workload.clicks)
    fewer = [f" ({title(peer)}: {one.clicks:,})" for peer, one in workloads.items() if one.clicks < whole.clicks]
    return (
        f"{whole.clicks:,} clicks{''.join(fewer)}, {whole.bytes_of_a_click} bytes a click, {whole.users:,} users, "
        f"{whole.partitions} partitions, {_rounds(groups)}."
    )


def _rounds(groups: Mapping[str, Sequence[Run[Any]]]) -> str:
    rounds = max(len(runs) for runs in groups.values())
    return f"{rounds} {'rounds' if rounds > 1 else 'round'}"


def _outputs(runs: Sequence[Run[Any]]) -> str:
    """Say that all outputs are right, or what is wrong with the worst."""
    worst = max(runs, key=lambda run: run.check.missing + run.check.repeated + run.check.wrong)
    return str(worst.check)


def _others(runs: Sequence[Run[Any]]) -> str:
    return f"Other processes had {max(run.figures.others for run in runs):.0%} of the machine's CPU in the worst run."


def _left_out(left_out: Mapping[str, str]) -> str:
    return "\n".join(f"Left out: {title(name)}: {why}." for name, why in left_out.items())
