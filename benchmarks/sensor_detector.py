"""The detector of anomalies without Kafka: what a reading costs, by its version and the size of batches.

    python -m benchmarks.sensor_detector

Readings of 250 devices, the share of one of eight partitions of 2,000, each every 50 ms, with 1 % in planted
anomalies. The engine alone gets arrays; the operator gets records, decodes their JSON, and keeps the state. Times are
the process's CPU time, the best of three runs.
"""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import numpy as np

from benchmarks.risk_results import DetectorSpeed
from streamapp.joins import Event, MemoryStore, State
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine, Kind
from streamapp.pipelines.sensors.kernel import BIN, COLUMNS, TIME
from streamapp.pipelines.sensors.limits import Limits
from streamapp.pipelines.sensors.traffic import Traffic
from streamapp.worker.process import GARBAGE

DEVICES: Final = 250
READINGS: Final = 500_000
SIZES: Final = 10, 250, 5_000
VERSIONS: Final = Kind.PYTHON, Kind.NUMPY, Kind.NUMBA
#: The time (ms) of the last reading.
NOW: Final = 1_760_000_000_000


def best(run: Callable[[], object]) -> float:
    """Return the CPU time of a run (µs a reading), the least of three."""
    spent = []
    for _ in range(3):
        before = time.process_time()
        run()
        spent.append(time.process_time() - before)
    return min(spent) / READINGS * 1e6


def speeds() -> Iterator[DetectorSpeed]:
    """Yield what a reading costs each version in batches of each size."""
    events = [
        Event(record.key, record.value, record.timestamp, number)
        for number, record in enumerate(Traffic(devices=DEVICES, readings=READINGS).records(0.0, NOW))
    ]
    names: dict[bytes, int] = {}
    slots = np.array([names.setdefault(one.key or b"", len(names)) for one in events], np.int64)
    times = np.array([one.timestamp for one in events], np.float64)
    values = np.array([json.loads(one.value or b"")["value"] for one in events])
    limits = Limits()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    for kind in VERSIONS:
        engine = Engine(kind)
        began = time.perf_counter()
        engine.prepare()
        print(f"{kind:<7} ready after {time.perf_counter() - began:.2f} s", flush=True)
        for size in SIZES:
            alone = best(partial(_engine, engine, limits, slots, times, values, size))
            whole = best(partial(_operator, engine, events, size))
            yield DetectorSpeed(str(kind), size, round(alone, 3), round(whole, 3))


def _engine(engine: Engine, limits: Limits, slots: Any, times: Any, values: Any, size: int) -> None:
    devices, seasons = np.zeros((DEVICES, COLUMNS)), np.zeros((DEVICES, 2 * limits.bins))
    devices[:, TIME], devices[:, BIN] = -np.inf, -1.0
    clock, packed = float(times[0]), limits.packed
    for start in range(0, len(slots), size):
        part = slice(start, start + size)
        engine(devices, seasons, slots[part], times[part], values[part], clock, packed)
        clock = float(times[min(start + size, len(times)) - 1])


def _operator(engine: Engine, events: list[Event], size: int) -> None:
    state = State(MemoryStore())
    operator = Detector(engine=engine).start(state)
    for start in range(0, len(events), size):
        operator.process([(0, one) for one in events[start : start + size]])
        state.commit()


if __name__ == "__main__":
    for speed in speeds():
        print(speed, flush=True)
