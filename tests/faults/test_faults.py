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
    ("fault", "guarantee"),
    [("worker_killed_at_commit", "exactly_once"), ("broker_killed", "at_least_once")],
)
def test_what_the_guarantee_says_is_kept(broker: Broker, tmp_path: Path, fault: str, guarantee: str) -> None:
    outcome = Round(FAULTS[fault], 1, guarantee, clicks=400, slices=10).play(broker, tmp_path / fault)
    assert outcome.passed, line(outcome)


def results_deleted(system: System, chance: Random) -> None:
    """Somebody deletes results that were there."""
    wait_until(lambda: system.topics.end("joined_data") > 0, "the first results")
    topic = f"{system.topics.prefix}joined_data"
    everything = [TopicPartition(topic, number, OFFSET_END) for number in range(system.topics.partitions)]
    admin = AdminClient({"bootstrap.servers": system.broker.bootstrap})  # it gives up its requests when it goes
    for deleted in admin.delete_records(everything).values():
        deleted.result(30)


def test_the_harness_sees_results_that_are_lost_and_only_those(broker: Broker, tmp_path: Path) -> None:
    outcome = Round(results_deleted, 1, "at_least_once", clicks=200, slices=5).play(broker, tmp_path / "lost")
    assert outcome.findings.lost > 0
    assert not outcome.passed
    assert dataclasses.replace(outcome.findings, lost=0).keeps("at_least_once"), line(outcome)
