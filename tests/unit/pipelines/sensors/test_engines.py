"""The three versions of the detector give the same results, however readings are cut into batches."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sensor_readings import START, driver, event

from streamapp.joins import MemoryStore
from streamapp.pipelines.sensors.engines import Engine, Kind
from streamapp.pipelines.sensors.kernel import BIN, COLUMNS, LATE, TIME, TOLD
from streamapp.pipelines.sensors.limits import Limits

LIMITS = Limits(period=400, bins=4, memory=5, stuck=200, silence=150, deviation=3, outlier=3, jump=3, season=3)
DEVICES = 40

#: Steps in time (ms), a device, and what it shows.
steps = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 5, 20, -30, 160]),
        st.integers(0, 3),
        st.one_of(st.sampled_from([0.0, 1.0, 1.1, -2.5, 60.0, 1e99, -1e100, 1e-12]), st.floats(-1e6, 1e6)),
    ),
    max_size=250,
)


def columns(many: list[tuple[int, int, float]]) -> tuple[Any, Any, Any]:
    times = [START + time for time in itertools.accumulate(step for step, _, _ in many)]
    return (
        np.array([device for _, device, _ in many], np.int64),
        np.array(times, np.float64),
        np.array([value for _, _, value in many], np.float64),
    )


def judged(kind: Kind, slots: Any, times: Any, values: Any, size: int) -> list[Any]:
    """Return what is known at the end, and all that was found; evidence only where there is some."""
    devices, seasons = np.zeros((DEVICES, COLUMNS)), np.zeros((DEVICES, 2 * LIMITS.bins))
    devices[:, TIME], devices[:, BIN] = -np.inf, -1
    engine, clock, found, evidence = Engine(kind), -(2.0**62), [], []
    for start in range(0, len(slots), size):
        part = slice(start, start + size)
        bits, told = engine(devices, seasons, slots[part], times[part], values[part], clock, LIMITS.packed)
        told[bits & TOLD == 0] = 0
        clock = max(clock, times[part].max())
        found.append(bits)
        evidence.append(told)
    return [devices, seasons, np.concatenate(found), np.concatenate(evidence)]


@settings(deadline=None, max_examples=150)
@given(steps, st.sampled_from([1, 7, 1_000]))
def test_all_versions_give_the_same_to_the_last_bit(many: list[tuple[int, int, float]], size: int) -> None:
    if many:
        plain = judged(Kind.PYTHON, *columns(many), size)
        for kind in (Kind.NUMBA, Kind.NUMPY):
            for ours, theirs in zip(judged(kind, *columns(many), size), plain, strict=True):
                assert ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("seed", range(3))
def test_many_devices_at_once_are_the_same_in_arrays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 6_000
    slots = rng.integers(0, DEVICES, count)
    times = START + np.floor(np.arange(count) * 0.3) - 400 * (rng.random(count) < 0.01)
    values = np.round(rng.normal(0, 1, count), 1) + 50 * (rng.random(count) < 0.01)
    values[slots == 3] = 1.0
    plain = judged(Kind.PYTHON, slots, times, values, 1_500)
    assert np.bincount(plain[2] & TOLD, minlength=64)[1:].sum() > 50
    assert (plain[2] & LATE).any()
    for kind in (Kind.NUMBA, Kind.NUMPY):
        for ours, theirs in zip(judged(kind, slots, times, values, 1_500), plain, strict=True):
            assert ours.tobytes() == theirs.tobytes()


@settings(deadline=None, max_examples=100)
@given(steps, st.lists(st.integers(1, 40), min_size=1), st.sampled_from([Kind.NUMBA, Kind.PYTHON]))
def test_results_are_the_same_however_readings_are_cut_and_restarted(
    many: list[tuple[int, int, float]], sizes: list[int], kind: Kind
) -> None:
    slots, times, values = columns(many)
    events = [
        event(f"d{slot}", value, int(time) - START) for slot, time, value in zip(slots, times, values, strict=True)
    ]
    whole, cut = driver(LIMITS, kind=kind), driver(LIMITS, kind=kind, store=MemoryStore())
    whole.process((0, one) for one in events)
    place = 0
    for size in itertools.cycle(sizes):
        if place >= len(events):
            break
        cut.process((0, one) for one in events[place : place + size])
        cut.restart()
        place += size
    assert Counter(map(repr, cut.results)) == Counter(map(repr, whole.results))
    assert [side.late_by for side in cut.side_outputs] == [side.late_by for side in whole.side_outputs]
    assert cut.operator.balance == whole.operator.balance
    assert cut.operator.balance.holds


def test_auto_is_numba_where_it_is_installed_and_numpy_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Engine().kind is Kind.NUMBA
    monkeypatch.setattr("streamapp.pipelines.sensors.engines.find_spec", lambda _name: None)
    engine = Engine()
    assert (engine.kind, engine.second_choice) == (Kind.NUMPY, True)


def test_compiled_code_that_cannot_be_kept_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import numba

    compiled = numba.njit

    def njit(signature: str, **options: bool) -> Any:
        if options:
            raise RuntimeError("cannot cache function 'judge': no locator available")
        return compiled(signature)

    monkeypatch.setattr(numba, "njit", njit)
    engine = Engine(Kind.NUMBA)
    engine.prepare()
    assert "no locator available" in caplog.text
    slots = np.zeros(1, np.int64)
    found, _ = engine(
        np.zeros((1, COLUMNS)), np.zeros((1, 60)), slots, np.ones(1), np.ones(1), 0.0, Limits(period=0).packed
    )
    assert found.tolist() == [0]
