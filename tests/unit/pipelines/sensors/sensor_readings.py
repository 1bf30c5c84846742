"""Readings for tests of the detector, and a detector by hand."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence

from streamapp.joins import Driver, Event, MemoryStore
from streamapp.pipelines.sensors.anomaly import Anomaly, Reason
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine, Kind
from streamapp.pipelines.sensors.limits import Limits

START = 1_700_000_000_000
#: Milliseconds between two readings of a device.
STEP = 50


def event(device: str, value: object, at: int, offset: int = -1) -> Event:
    return Event(device.encode(), json.dumps({"value": value}).encode(), START + at, offset)


def noisy(count: int, *, level: float = 20.0, seed: int = 0) -> list[float]:
    """Give values of a device that is well: a standard deviation of 1 around a level."""
    rng = random.Random(seed)
    return [round(level + rng.gauss(0, 1), 3) for _ in range(count)]


def readings(device: str, values: Iterable[float], *, start: int = 0, step: int = STEP) -> list[Event]:
    return [event(device, value, start + number * step) for number, value in enumerate(values)]


def driver(
    limits: Limits | None = None,
    *,
    kind: Kind = Kind.PYTHON,
    store: MemoryStore | None = None,
    idle_timeout: int | None = None,
) -> Driver[Anomaly]:
    detector = Detector(engine=Engine(kind), limits=limits or Limits(period=0))
    return Driver(detector, store, idle_timeout=idle_timeout)


def reasons(anomalies: Sequence[Anomaly]) -> list[Reason]:
    return [reason for one in anomalies for reason in one.reasons]
