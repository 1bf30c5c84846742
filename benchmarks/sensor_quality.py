"""What the detector finds of anomalies that are planted or labelled, and what it tells beside.

    python -m benchmarks.sensor_quality

The planted ones are those of the generated readings (a seed gives the same), of each kind: how many there are, how
many were found, how many by the kind of anomalies that is made for them, and how long after their beginning. The
precision is the part of what was told that is of a planted one; what a device tells when it is well again counts as
the end of its case. A drift cannot be found before the season is known, in the first two minutes.

The labelled ones are of Shuttle, which is in river's package (`make dev` installs it): 49,097 rows of nine sensors of a
space shuttle, of which 7 % are labelled as anomalies. Each sensor is taken for a device, and a row for 50 ms; a row
counts as told while an anomaly of any of its sensors goes on. The rows are not in the order of time, so nothing but how
far off a value is can tell.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from streamapp.joins import Driver, Event
from streamapp.pipelines.sensors.anomaly import Anomaly
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine
from streamapp.pipelines.sensors.kernel import BIN, COLUMNS, DEVIATION, GOING_ON, JUMP, OUTLIER, TIME
from streamapp.pipelines.sensors.limits import Limits
from streamapp.pipelines.sensors.planted import Planted
from streamapp.pipelines.sensors.traffic import Traffic

#: How long (ms) after its end what is told of a device is still of a case.
AFTER_MS: Final = 2_000
BATCH: Final = 5_000
STEP_MS: Final = 50
#: The time (ms) of the last reading.
NOW: Final = 1_760_000_000_000


class Case(NamedTuple):
    """A planted anomaly, with its first and its last reading (ms)."""

    device: str
    kind: Planted
    first: int
    last: int


def cases_of(events: Iterable[Event]) -> list[Case]:
    """Return the cases, by what the readings say of themselves."""
    found: dict[str, Case] = {}
    before: dict[str, int] = {}
    for event in events:
        reading = json.loads(event.value or b"")
        device, label = reading["device"], reading.get("planted", "")
        if label:
            kind = Planted(label.partition("-")[0])
            first = before.get(device, event.timestamp) if kind is Planted.SILENT else event.timestamp
            case = found.setdefault(label, Case(device, kind, first, event.timestamp))
            found[label] = case._replace(last=event.timestamp)
        before[device] = event.timestamp
    return list(found.values())


def planted(traffic: Traffic, limits: Limits) -> dict[str, object]:
    """Return what was found of planted anomalies."""
    events = [Event(one.key, one.value, one.timestamp, n) for n, one in enumerate(traffic.records(0.0, NOW))]
    driver = Driver(Detector(engine=Engine(), limits=limits))
    for start in range(0, len(events), BATCH):
        driver.process((0, event) for event in events[start : start + BATCH])
    cases = cases_of(events)
    told: defaultdict[str, list[Anomaly]] = defaultdict(list)
    for anomaly in driver.results:
        told[anomaly.key.decode()].append(anomaly)
    rows, explained = {}, set[int]()
    for kind in Planted:
        delays, own, count = [], 0, 0
        for case in (case for case in cases if case.kind is kind):
            count += 1
            within = [one for one in told[case.device] if case.first <= one.timestamp <= case.last + AFTER_MS]
            explained |= set(map(id, within))
            found = [one for one in within if one.timestamp <= case.last]
            delays += [found[0].timestamp - case.first] if found else []
            own += any(kind.value in map(str, one.reasons) for one in found)
        rows[kind.value] = _row(count, own, delays)
    return {
        "readings": len(events),
        "told": len(driver.results),
        "precision": round(len(explained) / max(1, len(driver.results)), 4),
        "recall": round(sum(row["found"] for row in rows.values()) / max(1, len(cases)), 4),
        "kinds": rows,
    }


def _row(count: int, own: int, delays: Sequence[int]) -> dict[str, float]:
    row: dict[str, float] = {"planted": count, "found": len(delays), "by_its_kind": own}
    if delays:
        row |= {"delay_p50_ms": float(np.percentile(delays, 50)), "delay_p90_ms": float(np.percentile(delays, 90))}
    return row


def shuttle(limits: Limits) -> dict[str, float]:
    """Return what was found of the labelled rows of Shuttle."""
    spec = find_spec("river")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("the labelled rows are in river's package: pip install river")
    with gzip.open(Path(spec.submodule_search_locations[0]) / "datasets" / "shuttle.csv.gz", "rt") as file:
        rows = [[float(value) for value in row] for row in list(csv.reader(file))[1:]]
    sensors, engine = len(rows[0]) - 1, Engine()
    devices, seasons = np.zeros((sensors, COLUMNS)), np.zeros((sensors, 2 * limits.bins))
    devices[:, TIME], devices[:, BIN] = -np.inf, -1.0
    slots, packed, hits, told = np.arange(sensors), limits.packed, 0, 0
    for number, row in enumerate(rows):
        time = float(NOW + number * STEP_MS)
        engine(devices, seasons, slots, np.full(sensors, time), np.array(row[:-1]), time, packed)
        found = bool((devices[:, GOING_ON].astype(np.int64) & (DEVIATION | OUTLIER | JUMP)).any())
        told += found
        hits += found and row[-1] == 1
    labelled = sum(row[-1] == 1 for row in rows)
    return {
        "rows": len(rows),
        "labelled": labelled,
        "told": told,
        "precision": round(hits / max(1, told), 4),
        "recall": round(hits / labelled, 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What the detector finds.")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=6.0, help="of readings, every 50 ms of each device")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    readings = int(options.devices * options.minutes * 60_000 / STEP_MS)
    traffic = Traffic(devices=options.devices, readings=readings, seed=options.seed)
    print(json.dumps({"planted": planted(traffic, Limits())}, indent=1))
    print(json.dumps({"shuttle": shuttle(Limits(period=0, resolution=1.0, memory=1_000))}))


if __name__ == "__main__":
    main()
