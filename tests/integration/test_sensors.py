"""Readings on Kafka: anomalies as a plain model has them, minutes, what cannot be used, and why something is wrong."""

from __future__ import annotations

import json
import re
import statistics
import time
from collections import defaultdict
from pathlib import Path

import pytest
from sensed import BAD, SETTINGS, Reading, anomalies, check, minutes, produce, readings, wait_judged
from topics import Topics
from worker import Worker, wait_until

MINUTE = 60_000


@pytest.fixture
def topics(kafka) -> Topics:
    topics = Topics(kafka.bootstrap, "sensors", partitions=2)
    topics.now = (int(time.time()) // 60 - 60) * MINUTE
    topics.create("readings")
    return topics


@pytest.mark.parametrize("engine", ["numba", "numpy"])
def test_anomalies_and_late_readings_are_those_of_a_plain_model(topics: Topics, tmp_path: Path, engine: str) -> None:
    produce(topics, readings(200))
    for device, value, _ in BAD:  # which spoil no average
        topics.send("readings", device, value, at=10_000)
    produce(topics, readings(200, start=200))
    with Worker(tmp_path, sensors_engine=engine, **{**topics.settings, **SETTINGS}) as worker:
        worker.wait_ready()
        assert f"readings are judged by {engine}" in worker.log
        wait_judged(topics)
        metrics = worker.get("/metrics").body.decode()
        assert worker.terminate() == 0
    check(topics, once=True)
    accounts = dict(
        re.findall(
            r'streamapp_operator_records\{account="(\w+)",operator="device_state",partition="0"\} (\S+)', metrics
        )
    )
    assert float(accounts["received"]) == sum(float(accounts[name]) for name in ("matched", "late", "rejected"))
    assert re.search(r'streamapp_sensors_anomalies_total\{reason="stuck"\} [1-9]', metrics)


def test_the_detector_is_compiled_before_the_worker_joins_its_group(
    topics: Topics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    with Worker(tmp_path, **{**topics.settings, **SETTINGS}) as worker:
        wait_until(lambda: list(tmp_path.glob("cache/**/*.nbi")), "it is compiled")
        assert worker.answers("/health/ready") is None
        worker.wait_ready()


def test_what_is_no_reading_is_in_the_dead_letters_once_with_the_reason(topics: Topics, tmp_path: Path) -> None:
    for at, (device, value, _) in enumerate(BAD):
        topics.send("readings", device, value, at=at)
    produce(topics, [Reading("d9", 100, 20.0)])
    with Worker(tmp_path, **{**topics.settings, **SETTINGS}) as worker:
        wait_judged(topics)
        assert worker.terminate() == 0
    letters = sorted(topics.read("dead_letters"), key=lambda letter: letter.timestamp())
    assert [dict(letter.headers())["reason"].decode() for letter in letters] == [reason for _, _, reason in BAD]
    assert [letter.value() for letter in letters] == [value for _, value, _ in BAD]


def test_each_minute_of_a_device_has_its_summary(topics: Topics, tmp_path: Path) -> None:
    many = [one for one in readings(2_000) if one.device in {"d0", "d1"}]
    produce(topics, many)
    produce(topics, [Reading(f"d{device}", 10 * MINUTE, 20.0) for device in range(12)])
    by_minute: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for one in many:
        by_minute[one.device, (topics.now + one.at) // MINUTE * MINUTE].append(one.value)
    with Worker(tmp_path, **{**topics.settings, **SETTINGS, "sensors_grace": 10}) as worker:
        wait_judged(topics)
        wait_until(lambda: topics.end("device_minutes") >= len(by_minute), "the minutes are over")
        assert worker.terminate() == 0
    found = {key: value for key, value in minutes(topics).items() if key in by_minute}
    assert found.keys() == by_minute.keys()
    for key, values in by_minute.items():
        told = found[key]
        assert (told["n"], told["low"], told["high"]) == (len(values), min(values), max(values))
        assert told["mean"] == pytest.approx(statistics.fmean(values))


def test_when_all_devices_fall_silent_at_once_each_is_told(topics: Topics, tmp_path: Path) -> None:
    topics.now = int(time.time() * 1000)
    produce(topics, [Reading(f"d{device}", device, 20.0) for device in range(12)])
    with Worker(tmp_path, **{**topics.settings, **SETTINGS, "sensors_idle": 1}) as worker:
        worker.wait_ready()
        wait_until(lambda: topics.end("device_anomalies") == 12, "all are told")
        assert worker.terminate() == 0
    told = {value["device"]: value for value in map(json.loads, anomalies(topics))}
    assert {value["reasons"][0] for value in told.values()} == {"silent"}
    assert told["d3"]["evidence"]["last_time"] == topics.now + 3


def test_explain_says_why_a_reading_is_an_anomaly_or_that_it_is_none(topics: Topics, tmp_path: Path) -> None:
    many = [Reading("d0", 50 * n, 20 + (n * 7 % 10) / 10) for n in range(100)]
    produce(topics, [*many, Reading("d0", 5_000, 90.0), Reading("d0", 0, 20.0)])
    topics.send("readings", "d0", b'{"value": NaN}', at=5_050)
    topics.flush()
    with Worker(tmp_path, **{**topics.settings, **SETTINGS}) as worker:
        wait_judged(topics)
        (partition,) = (number for number, end in topics.ends("readings").items() if end)
        well, wrong, late, refused = (
            worker.get(f"/joins/device_state/readings/{partition}/{offset}/").json()[0]
            for offset in (50, 100, 101, 102)
        )
        assert worker.terminate() == 0
    assert well["verdict"] == "decided"
    assert well["because"].startswith("nothing is wrong with it")
    assert wrong["verdict"] == "decided"
    assert re.match(r"it is an anomaly \(deviation, outlier, jump\): mean 20\.\d+", wrong["because"])
    assert wrong["evidence"]["topic"] == f"{topics.prefix}device_anomalies"
    assert (late["verdict"], late["late_by_ms"]) == ("late", 5_000)
    assert (refused["verdict"], "JSON has no NaN" in refused["because"]) == ("refused", True)
