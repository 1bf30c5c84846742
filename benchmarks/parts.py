"""The parts of the benchmark: what each of them runs, and in which order."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from benchmarks import (
    clients,
    format_join,
    format_library,
    hotspots,
    latency,
    recovery,
    risk,
    sensor_detector,
    takeover,
)
from benchmarks.client_results import ClientRun, Clients
from benchmarks.machine import About
from benchmarks.options import Options
from benchmarks.pairs import Pairs
from benchmarks.peers import KAFKA_STREAMS, Peer, UnavailableError, exactly_once
from benchmarks.results import Formats, Guarantees, Latency, Part, Profile, Recovery, Runs, Takeovers
from benchmarks.risk_results import Counts, DetectorSpeeds
from benchmarks.runner import PeerError, Run, Runner
from benchmarks.tuning import tune
from benchmarks.windows import Windows
from benchmarks.workload import Load, Workload

__all__ = ["PARTS"]

L = TypeVar("L", bound=Load)
P = TypeVar("P", bound=Peer)
T = TypeVar("T")

#: What the parts go through that change one thing: rows of the table, bytes of a click, partitions.
USERS: Final = (10_000, 100_000, 1_000_000, 10_000_000)
SIZES: Final = (100, 1_000, 10_000)
PARTITIONS: Final = (1, 2, 4, 8, 16, 32, 64)
#: Clicks that are larger than this (bytes) are fewer, so that all of them together are not.
LARGE: Final = 1_000
#: Clicks a second of the steady load.
RATE: Final = 20_000


def throughput(runner: Runner, options: Options) -> Runs[Workload]:
    """Let all peers join the same clicks."""
    return _compare(runner, options, options.peers, lambda peer: Workload(options.users, options.clicks // peer.slower))


def join_streams(runner: Runner, options: Options) -> Runs[Pairs]:
    """Let peers join the same purchases and views."""
    return _compare(runner, options, options.pairing, lambda _: Pairs(options.users, options.clicks // 2))


def aggregate(runner: Runner, options: Options) -> Runs[Windows]:
    """Let peers aggregate the same transactions in windows, one kind of windows after the other."""

    def compare(load: Windows) -> Runs[Windows]:
        return _compare(runner, options, options.windowing[load.kind], lambda peer: load.part(peer.slower))

    compared = [compare(load) for load in Windows.now(options.users, options.clicks)]
    return Runs(
        About.now(options.command, options.streamapp.bin),
        [run for one in compared for run in one.runs],
        {peer: why for one in compared for peer, why in one.left_out.items()},
    )


def guarantees(runner: Runner, options: Options) -> Guarantees:
    """Let streamapp and Kafka Streams process at least once and exactly once, in such rounds, and time lone clicks."""
    loose = [peer for peer in (options.streamapp, KAFKA_STREAMS) if peer in options.peers]
    peers = [each for peer in loose for each in (peer, exactly_once(peer))]
    compared = _compare(runner, options, peers, lambda _: Workload(options.users, options.clicks))
    there = [peer for peer in peers if peer.name not in compared.left_out]
    lone = _each(there, compared.left_out, lambda peer: latency.lone_clicks(runner, peer, options.lone_clicks))
    return Guarantees(compared.about, compared.runs, compared.left_out, lone)


def time_clicks(runner: Runner, options: Options) -> Latency:
    """Time lone clicks with all peers, and a steady load with those that get that far."""
    peers, left_out = _install(options, options.peers)
    print("not counted, while the broker warms up:", flush=True)
    _each(peers[:1], {}, lambda peer: latency.steady_load(runner, peer, RATE, options.steady))
    floor = latency.one_hop(runner.topics, options.lone_clicks)
    print(f"{'broker':16} {floor}", flush=True)
    lone = _each(peers, left_out, lambda peer: latency.lone_clicks(runner, peer, options.lone_clicks))
    hop = latency.steady_hop(runner.topics, RATE, options.steady)
    print(f"{'broker':16} {hop or 'nothing came'}", flush=True)
    fast = [peer for peer in peers if peer.slower == 1]
    steady = _each(fast, left_out, lambda peer: latency.steady_load(runner, peer, RATE, options.steady))
    return Latency(About.now(options.command, options.streamapp.bin), lone, floor, steady, hop, left_out)


def grow_table(runner: Runner, options: Options) -> Runs[Workload]:
    """Join with tables of more and more rows."""
    numbers = [users for users in USERS if users <= options.most_users]
    return _scale(
        runner, options, [Workload(users, options.clicks) for users in numbers], [options.streamapp], again=True
    )


def grow_clicks(runner: Runner, options: Options) -> Runs[Workload]:
    """Join clicks of more and more bytes; the other programs, too, but for those that would take minutes."""
    fewer = {size: max(1, size // LARGE) for size in SIZES}
    workloads = [Workload(options.users, options.clicks // fewer[size], click_bytes=size) for size in SIZES]
    return _scale(runner, options, workloads, [peer for peer in options.peers if peer.slower == 1])


def add_partitions(runner: Runner, options: Options) -> Runs[Workload]:
    """Join the same clicks in more and more partitions."""
    workloads = [Workload(options.users, options.clicks, number) for number in PARTITIONS]
    return _scale(runner, options, workloads, [options.streamapp])


def recover(runner: Runner, options: Options) -> Recovery:
    """Restore a table with as many rows as there are clicks elsewhere."""
    found = recovery.restores(runner, options.streamapp, options.clicks, options.rounds)
    return Recovery(About.now(options.command, options.streamapp.bin), options.clicks, found)


def take_over(runner: Runner, options: Options) -> Takeovers:
    """Stop workers amid a load; each has half of a small table, or as many rows as there are clicks elsewhere."""
    loose = options.streamapp
    found = [
        takeover.take_over(runner, dataclasses.replace(peer, standbys=standbys), users)
        for _ in range(options.rounds)
        for peer in (loose, exactly_once(loose))
        for users, standbys in ((options.users, 0), (2 * options.clicks, 0), (2 * options.clicks, 1))
    ]
    return Takeovers(About.now(options.command, options.streamapp.bin), found)


def count_transactions(runner: Runner, options: Options) -> Counts:
    """Let peers count the transactions of IP addresses, as risk control needs it."""
    peers, left_out = _install(options, options.counting)
    counted = _each(peers, left_out, lambda peer: risk.count(runner, peer, options.steady, options.clicks // 5))
    about = About.now(options.command, options.streamapp.bin)
    versions = {peer.title: peer.version for peer in peers if peer.version}
    return Counts(dataclasses.replace(about, versions={**about.versions, **versions}), counted, left_out)


def detect(_: Runner, options: Options) -> DetectorSpeeds:
    """Time the detector of anomalies, in this process."""
    found = []
    for speed in sensor_detector.speeds():
        print(speed, flush=True)
        found.append(speed)
    return DetectorSpeeds(About.now(options.command, options.streamapp.bin), found)


def compare_formats(runner: Runner, options: Options) -> Formats:
    """Time the libraries of formats, in a process of their own, and then the whole join by format."""
    try:
        found = format_library.libraries(options.cache)
    except UnavailableError as exc:
        raise PeerError(str(exc)) from None
    runs = format_join.rates(
        runner, options.streamapp.bin, clicks=options.clicks, users=options.users, rounds=options.rounds
    )
    about = About.now(options.command, options.streamapp.bin)
    versions = {**about.versions, **format_library.versions()}
    return Formats(dataclasses.replace(about, versions=versions), found, Runs(about, runs, {}))


def profile(runner: Runner, options: Options) -> Profile:
    """Look at the stacks of streamapp."""
    workload = Workload(options.users, options.clicks)
    stacks = hotspots.stacks(runner, options.streamapp, workload, options.cache / "stacks.txt")
    return Profile(About.now(options.command, options.streamapp.bin), options.clicks, *hotspots.shares(stacks))


def measure_clients(runner: Runner, options: Options) -> Clients:
    """Let clients produce and consume, in rounds; three messages for each ten clicks elsewhere."""
    installed, left_out = _install(options, clients.clients(options.streamapp.bin))
    runs: list[ClientRun] = []
    for number in range(options.rounds):
        for place, task in enumerate(clients.tasks(3 * options.clicks // 10)):
            order = installed if number % 2 == 0 else installed[::-1]
            for run in clients.measure(runner.topics, order, task, 100 * number + place):
                print(f"{run.client:16} {run}", flush=True)
                runs.append(run)
    about = About.now(options.command, options.streamapp.bin)
    versions = {one.name: one.version for one in installed if one.version}
    return Clients(dataclasses.replace(about, versions={**about.versions, **versions}), runs, left_out)


PARTS: Final[Mapping[Part, Callable[[Runner, Options], object]]] = MappingProxyType(
    {
        Part.THROUGHPUT: throughput,
        Part.GUARANTEES: guarantees,
        Part.PAIRS: join_streams,
        Part.WINDOWS: aggregate,
        Part.LATENCY: time_clicks,
        Part.USERS: grow_table,
        Part.SIZES: grow_clicks,
        Part.PARTITIONS: add_partitions,
        Part.RECOVERY: recover,
        Part.TAKEOVER: take_over,
        Part.RISK: count_transactions,
        Part.SENSORS: detect,
        Part.FORMATS: compare_formats,
        Part.TUNING: tune,
        Part.PROFILE: profile,
        Part.CLIENTS: measure_clients,
    }
)
"""What runs each part and gives its results, in the order in which they are run."""


def _compare(runner: Runner, options: Options, peers: Sequence[Peer], load: Callable[[Peer], L]) -> Runs[L]:
    """Run peers, each with a load of its own."""
    installed, left_out = _install(options, peers)
    loads = [(peer, load(peer)) for peer in installed]
    runs = _rounds(runner, options, loads, left_out)
    for one in {one for _, one in loads}:
        runner.forget(one)
    return Runs(About.now(options.command, options.streamapp.bin), runs, left_out)


def _install(options: Options, wanted: Sequence[P]) -> tuple[list[P], dict[str, str]]:
    peers: list[P] = []
    left_out: dict[str, str] = {}
    for peer in wanted:
        try:
            peer.install(options.cache)
            peers.append(peer)
        except UnavailableError as exc:
            left_out[peer.name] = str(exc)
            print(f"{peer.title} is left out: {exc}", flush=True)
    return peers, left_out


def _each(peers: Sequence[P], left_out: dict[str, str], measure: Callable[[P], T]) -> dict[str, T]:
    """Measure peers, by name; those that give nothing are left out."""
    found: dict[str, T] = {}
    for peer in peers:
        try:
            found[peer.name] = measure(peer)
            print(f"{peer.name:16} {found[peer.name]}", flush=True)
        except PeerError as exc:
            left_out[peer.name] = str(exc)
            print(exc, flush=True)
    return found


def _scale(
    runner: Runner, options: Options, workloads: Sequence[Workload], peers: Sequence[Peer], *, again: bool = False
) -> Runs[Workload]:
    """Run peers with one workload after the other."""
    runs: list[Run[Workload]] = []
    installed, left_out = _install(options, peers)
    for workload in workloads:
        runs += _rounds(runner, options, [(peer, workload) for peer in installed], left_out, again=again)
        runner.forget(workload)
    return Runs(About.now(options.command, options.streamapp.bin), runs, left_out)


def _rounds(
    runner: Runner, options: Options, loads: Sequence[tuple[Peer, L]], left_out: dict[str, str], *, again: bool = False
) -> list[Run[L]]:
    """Run peers in rounds whose order alternates, so that none of them always comes first."""
    runs: list[Run[L]] = []
    for number in range(options.rounds):
        for peer, load in loads if number % 2 == 0 else loads[::-1]:
            try:
                runner.warm_up(peer, load)
                runs.append(runner.run(peer, load, again=again))
            except PeerError as exc:
                left_out[peer.name] = str(exc)
                print(exc, flush=True)
    return runs
