"""Readings for tests on Kafka, and what a plain model makes of them: the detector by hand, in plain Python."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from topics import Received, Topics
from worker import wait_until

from streamapp.joins import Driver, Event
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine, Kind
from streamapp.pipelines.sensors.limits import Limits
from streamapp.pipelines.sensors.results import result

Told = TypeVar("Told")

DEVICES = 12
#: Readings that are judged in one go: one by one they come to the same, in ten times the time.
TOGETHER = 500
#: A device sends so often (ms).
STEP = 50
LIMITS = Limits(memory=20, stuck=1_000, silence=1_000, period=4_000, bins=8)
SETTINGS: Mapping[str, object] = {
    "pipelines": "sensors",
    "sensors_memory": LIMITS.memory,
    "sensors_stuck": 1,
    "sensors_period": 4,
    "sensors_bins": 8,
    # What is silent is to be so by the times of readings alone: the tests wait for longer.
    "sensors_idle": 3_600,
    "sensors_grace": 3_600,
}
BAD = (
    ("d1", b'{"value": NaN}', "not_json"),
    ("d1", b'{"value": -Infinity}', "not_json"),
    ("d2", b'{"value": -1e999}', "wrong_type"),
    ("d3", b'{"value": "warm"}', "wrong_type"),
    ("d4", b'{"celsius": 20}', "missing_field"),
    (None, b'{"value": 20}', "null_key"),
    ("d5", None, "tombstone"),
)


class Reading(NamedTuple):
    """A reading: its device, its time (ms after the topics were named), and what it shows."""

    device: str
    at: int
    value: float


def readings(turns: int, *, start: int = 0, seed: int = 0) -> list[Reading]:
    """Give readings of all devices in turn, with all that can be wrong: far off, stuck, silent, late."""
    rng = random.Random(f"{seed}-{start}")
    found = []
    for turn in range(start, start + turns):
        for device in range(DEVICES):
            at, value = turn * STEP + device, round(20 + rng.gauss(0, 1), 2)
            draw = rng.random()
            if draw < 0.005:
                value += 60
            if device == 3 and turn % 100 > 60:
                value = 21.0
            if device == 4 and turn % 80 > 50:
                continue
            if draw > 0.99:
                at -= rng.randrange(100, 5_000)
            found.append(Reading(f"d{device}", at, value))
    return found


def produce(topics: Topics, many: Iterable[Reading]) -> None:
    for one in many:
        topics.send("readings", one.device, {"value": one.value}, at=one.at)
    topics.flush()


def expected(topics: Topics) -> tuple[Counter[bytes], Counter[tuple[bytes, int]]]:
    """Return the anomalies, and the late readings with how late they are, by what is in the topic."""
    partitions: defaultdict[int, list[Received]] = defaultdict(list)
    for record in topics.read("readings"):
        partitions[record.partition()].append(record)
    anomalies, late = Counter[bytes](), Counter[tuple[bytes, int]]()
    for records in partitions.values():
        plain = Driver(Detector(engine=Engine(Kind.PYTHON), limits=LIMITS))
        events = [(0, Event(one.key(), one.value(), one.timestamp()[1], one.offset())) for one in records]
        for begin in range(0, len(events), TOGETHER):
            plain.process(events[begin : begin + TOGETHER])
        anomalies.update(map(result, plain.results))
        late.update((side.record.value or b"", side.late_by) for side in plain.side_outputs if not side.rejected)
    return anomalies, late


def anomalies(topics: Topics) -> Counter[bytes]:
    return Counter(message.value() for message in topics.read("device_anomalies"))


def late(topics: Topics) -> Counter[tuple[bytes, int]]:
    found = topics.read("late_readings")
    return Counter((message.value(), int(dict(message.headers())["late_by_ms"])) for message in found)


def wait_judged(topics: Topics) -> None:
    """Wait until all readings are committed as read."""
    wait_until(lambda: topics.committed("readings") == topics.end("readings"), "all readings are judged")


def check(topics: Topics, *, once: bool) -> None:
    """Compare what came out with what the plain model says: each once, or at least once."""
    told, told_late = expected(topics)
    found, found_late = anomalies(topics), late(topics)
    assert sum(told.values()) > 20
    assert sum(told_late.values()) > 5
    _check_told(found, told, once=once)
    _check_told(found_late, told_late, once=once)


def _check_told(found: Counter[Told], expected: Counter[Told], *, once: bool) -> None:
    more = found - expected if once else Counter({one: n for one, n in found.items() if one not in expected})
    assert (expected - found, more) == (Counter(), Counter())  # what is missing, and what nothing calls for


def minutes(topics: Topics) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the summaries by device and start; each must be there once."""
    values: Sequence[dict[str, Any]] = [json.loads(message.value()) for message in topics.read("device_minutes")]
    found = {(value["key"], value["start"]): value for value in values}
    assert len(found) == len(values)
    return found
