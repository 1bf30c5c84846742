"""Readings of devices with all that can be wrong, and what the detector by hand, in plain Python, makes of them."""

from __future__ import annotations

import json
import random
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sensed import DEVICES, SETTINGS, STEP, Reading, anomalies, expected, late, readings
from topics import Topics
from verification import Findings, added, compare
from workload import SLICE, Workload

__all__ = ["Sensors"]

MINUTE, HOUR = 60_000, 3_600_000
#: Slices of a burst.
BURST = 20


class Sensors(Workload):
    """The anomalies of devices, and their minutes."""

    pipeline = "sensors"
    inputs = ("readings",)
    outputs = ("device_anomalies", "device_minutes", "late_readings", "dead_letters")
    watched = ("readings", ("device_state", "device_minutes"))
    usual = DEVICES * SLICE // STEP
    forms = (b"poison %d", b'{"value": NaN, "number": %d}', b'{"value": "%d"}', b'{"celsius": %d}')
    poisoned = ("readings",)
    keys = tuple(f"d{number}" for number in range(DEVICES))

    def __init__(self, topics: Topics, chance: random.Random, records: int | None = None) -> None:
        super().__init__(topics, chance, records)
        topics.now -= 3 * HOUR  # the last readings are ahead of the others, and Kafka takes none from the future
        self._turns = 0

    def settings(self, directory: Path) -> Mapping[str, Any]:
        return {**super().settings(directory), **SETTINGS}

    def begin(self) -> None:
        """Produce nothing: no device is known."""

    def slice(self) -> None:
        turns = self.records // DEVICES
        self._read(readings(turns, start=self._turns, seed=self._chance.randrange(1 << 32)))
        self._turns += turns
        self.poison()

    def burst(self) -> None:
        for _ in range(BURST):
            with self.turn:
                self.slice()

    def finish(self) -> None:
        """Send a reading of each device with which all minutes before are over."""
        with self.turn:
            self._read([Reading(device, self._turns * STEP + 2 * HOUR, 20.0) for device in self.keys])

    def done(self) -> bool:
        return True

    def verify(self) -> Findings:
        told, told_late = expected(self._topics)
        minutes, differing = self._minutes(), 0
        found = [json.loads(message.value()) for message in self._topics.read("device_minutes")]
        for one in found:
            values = minutes.get((one["key"], one["start"]))
            differing += values is None or not _summed_up(one, values)
        return added(
            compare(told.elements(), anomalies(self._topics)),
            compare(told_late.elements(), late(self._topics)),
            compare(minutes, Counter((one["key"], one["start"]) for one in found)),
            compare(self.dead, self._dead_letters()),
            Findings(differing=differing, offsets=self._offsets()),
        )

    def _minutes(self) -> dict[tuple[str, int], list[float]]:
        """Return the values of each minute of a device that is over, in any order."""
        found = defaultdict[tuple[str, int], list[float]](list)
        over = self._topics.now + self._turns * STEP + HOUR
        for message in self._topics.read("readings"):
            start = message.timestamp()[1] // MINUTE * MINUTE
            if message.value() not in self.dead and start < over:
                found[message.key().decode(), start].append(json.loads(message.value())["value"])
        return found

    def _read(self, many: list[Reading]) -> None:
        for one in many:
            self._send("readings", one.device, {"value": one.value}, at=one.at)
        self._topics.flush()


def _summed_up(minute: dict[str, Any], values: list[float]) -> bool:
    told = (minute["n"], minute["low"], minute["high"], minute["mean"])
    return told == pytest.approx((len(values), min(values), max(values), statistics.fmean(values)))
