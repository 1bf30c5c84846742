"""The benchmarks on a real Kafka, with little to do."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import pytest

from benchmarks import latency, takeover, tuning
from benchmarks.client_results import Task, Work
from benchmarks.clients import clients, measure
from benchmarks.latency import lone_clicks, steady_hop, steady_load
from benchmarks.pairs import Pairs
from benchmarks.peers import PairingStreamapp, Streamapp, exactly_once
from benchmarks.producing import produced
from benchmarks.recovery import restores
from benchmarks.runner import PeerError, Runner
from benchmarks.takeover import take_over
from benchmarks.topics import Topics
from benchmarks.tuning import KILLED, detection, point
from benchmarks.windowing import WindowingStreamapp, per_transaction
from benchmarks.windows import Windows
from benchmarks.workload import Workload
from streamapp.embedded_kafka import EmbeddedKafka

STREAMAPP = Streamapp(Path(sys.executable).parent)


@pytest.fixture
def runner(kafka: EmbeddedKafka, tmp_path: Path) -> Runner:
    return Runner(Topics(kafka.bootstrap), kafka.pid, tmp_path)


@pytest.mark.parametrize("peer", [STREAMAPP, exactly_once(STREAMAPP)], ids=lambda peer: peer.name)
def test_a_run_joins_every_click_of_the_workload(runner: Runner, peer: Streamapp) -> None:
    workload = Workload(users=20, clicks=500)
    run = runner.run(peer, workload)
    runner.forget(workload)
    assert run.check.ok, str(run.check)
    assert run.figures.records == 500
    assert run.progress[-1][1] == 500
    assert run.figures.peak_mb > 10


def test_a_run_pairs_all_purchases_with_their_views(runner: Runner) -> None:
    pairs = Pairs(users=20, each=400)
    run = runner.run(PairingStreamapp(STREAMAPP.bin), pairs)
    runner.forget(pairs)
    assert run.check.ok, str(run.check)
    assert run.check.right == pairs.results > 400


@pytest.mark.parametrize("load", Windows.now(keys=20, transactions=600), ids=lambda load: load.kind)
def test_a_run_aggregates_all_transactions_in_windows(runner: Runner, load: Windows) -> None:
    run = runner.run(WindowingStreamapp(STREAMAPP.bin, kind=load.kind), load)
    runner.forget(load)
    assert run.check.ok, f"{run.check} {run.check.first_wrong}"
    assert run.check.right == load.results > 100
    assert per_transaction(run).figures.records == 600


def test_a_run_is_repeated_with_the_table_that_is_there(runner: Runner) -> None:
    workload = Workload(users=20, clicks=502)
    run = runner.run(STREAMAPP, workload, again=True)
    runner.forget(workload)
    assert run.check.ok, str(run.check)
    assert run.check.right == 2 * 502
    assert run.again is not None
    assert run.again.records == 502


def test_a_run_leaves_only_its_log(runner: Runner, tmp_path: Path) -> None:
    workload = Workload(users=20, clicks=501)
    runner.run(STREAMAPP, workload)
    runner.forget(workload)
    assert [file.parent.name for file in tmp_path.rglob("*") if file.is_file()] == ["logs"]


def test_a_peer_that_ends_is_an_error_that_names_its_log(runner: Runner, tmp_path: Path) -> None:
    refused = Streamapp(STREAMAPP.bin, store="nowhere://")
    with pytest.raises(PeerError, match=rf"^streamapp-\d+-0001 ended with 1; its log: {tmp_path}/logs/.*\.log$"):
        runner.run(refused, Workload(users=20, clicks=502))


def test_lone_clicks_are_timed_one_by_one(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "STRAIGHT_LIMIT", 60.0)  # so that a slow machine times all of them
    lone = lone_clicks(runner, STREAMAPP, 10)
    assert (lone.spaced.number, lone.straight.number) == (10, 10 * latency.STRAIGHT)
    assert 0 < lone.spaced.p50 <= lone.spaced.most


def test_a_steady_load_is_joined_whole(runner: Runner) -> None:
    load = steady_load(runner, STREAMAPP, rate=200, seconds=1.0)
    assert (load.times.number, load.missing, load.repeated) == (200, 0, 0)


def test_a_steady_load_without_a_join_is_read_whole(runner: Runner) -> None:
    load = steady_hop(runner.topics, rate=200, seconds=1.0)
    assert load is not None
    assert (load.times.number, load.missing, load.repeated) == (200, 0, 0)


@pytest.mark.parametrize(
    ("peer", "compression"), [(STREAMAPP, "lz4"), (exactly_once(STREAMAPP), "zstd")], ids=["lz4", "zstd-exactly-once"]
)
def test_a_tuned_worker_joins_clicks_at_once_and_steadily(
    runner: Runner, peer: Streamapp, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tuning, "RATE", 500)
    monkeypatch.setattr(tuning, "LEAD", 0.2)
    others = {"FETCH_MIN_BYTES": "100", "BATCH_RECORDS": "50", "LINGER": "5", "COMMIT_INTERVAL": "0.2"}
    settings = {f"STREAMAPP_{name}": value for name, value in {**others, "COMPRESSION": compression}.items()}
    found = point(runner, dataclasses.replace(peer, settings=settings), Workload(20, 500), 1.0, "tuned")
    assert (found.output, found.times.number) == ("right", 500)
    assert 0 < found.times.p50 <= found.times.p99
    assert found.peak_mb > 10
    assert 10 < found.stored_bytes < 200  # compressed


def test_a_producer_is_timed_at_once_and_steadily(runner: Runner) -> None:
    found = produced(runner, {"acks": "1", "linger.ms": "0"}, Workload(20, 500), 500, 0.5, "tuned")
    assert found.output == "right"
    assert found.times.number == 250
    assert 0 < found.times.p50 <= found.times.p99


@pytest.mark.parametrize("work", Work)
def test_a_client_produces_or_consumes_all_messages(runner: Runner, work: Work) -> None:
    task = Task(work, 1_000, "lz4", "idempotent", 30)
    (run,) = measure(runner.topics, clients(STREAMAPP.bin)[:1], task, list(Work).index(work))
    assert (run.client, run.task, run.right) == ("streamapp", task, True)
    assert run.per_s > 0
    assert run.cpu_us > 0


def test_a_client_that_fails_is_an_error_with_its_last_line(runner: Runner) -> None:
    task = Task(Work.PRODUCE, 100, "brotli", "all", 1)
    with pytest.raises(PeerError, match=r"^streamapp: produce, 100 bytes, brotli, acks all: ended with 1: Value.*type"):
        list(measure(runner.topics, clients(STREAMAPP.bin)[:1], task, len(Work)))


def test_a_worker_goes_on_with_the_partitions_of_one_that_is_killed(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(takeover, "LEAD", 0.0)
    settings = {"STREAMAPP_SESSION_TIMEOUT": "6"}
    found = detection(runner, dataclasses.replace(STREAMAPP, settings=settings), 6, "6 s", [KILLED])
    assert found.seconds[KILLED] > 4  # its last heartbeat may be a second old, and is asked for a second later


@pytest.mark.parametrize("standbys", [0, 1])
def test_a_worker_goes_on_with_the_partitions_of_one_that_is_stopped(runner: Runner, standbys: int) -> None:
    found = take_over(runner, dataclasses.replace(STREAMAPP, standbys=standbys), 1_000)
    assert (found.users, found.standby) == (1_000, standbys > 0)
    assert (found.rows > 0) is (standbys == 0)
    assert found.stop > 0
    assert found.over > 0


def test_all_rows_of_a_table_are_restored(runner: Runner) -> None:
    found = {(restore.store, restore.kept): restore.rows for restore in restores(runner, STREAMAPP, 1_000, 1)}
    assert found == {("memory://", False): 1_000, ("rocksdb://", False): 1_000, ("rocksdb://", True): 0}
