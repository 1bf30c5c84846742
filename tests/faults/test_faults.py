"""Whatever happens to workers and broker, what the guarantee says is kept; ``make faults`` plays many more rounds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from random import Random

import pytest
from broker import Broker
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient
from faults import FAULTS
from report import line
from rounds import Round
from system import System
from worker import wait_until


@pytest.mark.parametrize(
    ("pipeline", "fault", "guarantee"),
    [
        ("clicks", "worker_killed_at_commit", "exactly_once"),
        ("clicks", "broker_killed", "at_least_once"),
        ("risk", "worker_killed_at_commit", "exactly_once"),
        ("sensors", "worker_killed_at_commit", "at_least_once"),
    ],
)
def test_what_the_guarantee_says_is_kept(
    broker: Broker, tmp_path: Path, pipeline: str, fault: str, guarantee: str
) -> None:
    outcome = Round(FAULTS[fault], 1, guarantee, pipeline, slices=10).play(broker, tmp_path / fault)
    assert outcome.passed, line(outcome)


def results_deleted(system: System, chance: Random) -> None:
    """Somebody deletes results that were there."""
    results = system.workload.outputs[0]
    wait_until(lambda: system.topics.end(results) > 0, "the first results")
    topic = f"{system.topics.prefix}{results}"
    everything = [TopicPartition(topic, number, OFFSET_END) for number in range(system.topics.partitions)]
    admin = AdminClient({"bootstrap.servers": system.broker.bootstrap})  # it gives up its requests when it goes
    for deleted in admin.delete_records(everything).values():
        deleted.result(30)


@pytest.mark.parametrize("pipeline", ["clicks", "sensors"])
def test_the_harness_sees_results_that_are_lost_and_only_those(broker: Broker, tmp_path: Path, pipeline: str) -> None:
    outcome = Round(results_deleted, 1, "at_least_once", pipeline, slices=5).play(broker, tmp_path / "lost")
    assert outcome.findings.lost > 0
    assert not outcome.passed
    assert dataclasses.replace(outcome.findings, lost=0).keeps("at_least_once"), line(outcome)
