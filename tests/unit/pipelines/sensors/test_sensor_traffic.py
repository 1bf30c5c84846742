"""Generated readings: the same seed gives the same, and what is planted is what was asked for."""

from __future__ import annotations

import itertools
import json
from collections import Counter, defaultdict

import pytest

from streamapp.errors import ProduceError
from streamapp.joins import Event, Refused
from streamapp.pipelines.sensors.planted import Planted
from streamapp.pipelines.sensors.traffic import BAD, Kind, Traffic
from streamapp.pipelines.sensors.values import value_of
from streamapp.produce.traffic import Bursting, Record

NOW = 1_760_000_000_000


def generated(**options: float) -> list[Record]:
    traffic = Traffic(**{"devices": 20, "readings": 20_000, **options})  # type: ignore[arg-type]
    return list(traffic.records(0.0, NOW))


def test_the_same_seed_gives_the_same_records() -> None:
    assert generated(seed=3, bad_share=0.01) == generated(seed=3, bad_share=0.01)
    assert generated(seed=3) != generated(seed=4)


def test_each_device_sends_every_50_ms_in_turn_up_to_now() -> None:
    records = generated(planted_share=0.0, readings=2_000)
    assert len({record.key for record in records}) == 20
    times = [record.timestamp for record in records if record.key == b"d7"]
    assert {later - one for one, later in itertools.pairwise(times)} <= {49, 50, 51}
    assert NOW - 10 <= records[-1].timestamp < NOW


def test_the_shares_are_kept_and_each_kind_is_planted() -> None:
    records = generated(readings=100_000, planted_share=0.1, late_share=0.02, bad_share=0.03)
    counts = Counter(record.kind for record in records)
    assert counts[Kind.LATE] == pytest.approx(2_000, rel=0.2)
    assert sum(counts[kind] for kind in BAD) == pytest.approx(3_000, rel=0.2)
    assert set(Planted) <= counts.keys()
    summary = Traffic().summary(counts)
    assert (summary.readings, summary.late) == (100_000, counts[Kind.LATE])
    assert summary.planted == sum(summary.planted_by_kind.values()) > 3_000
    assert str(summary).startswith("100,000 readings (")


def test_what_is_planted_says_so_and_does_what_it_says() -> None:
    cases: defaultdict[str, list[dict[str, float]]] = defaultdict(list)
    for record in generated(readings=100_000, planted_share=0.1):
        reading = json.loads(record.value or b"")
        if label := reading.get("planted"):
            cases[label].append(reading)
    for label, readings in cases.items():
        values = {reading["value"] for reading in readings}
        match label.partition("-")[0]:
            case Planted.STUCK:
                assert len(values) == 1
                assert readings[-1]["time"] - readings[0]["time"] <= 10_000
            case Planted.OUTLIER | Planted.SILENT:
                assert len(readings) == 1


def test_bad_readings_are_none_and_the_others_are_some() -> None:
    for record in generated(bad_share=0.3):
        event = Event(record.key, record.value, record.timestamp)
        if record.kind == Kind.NULL_KEY:
            assert record.key is None
        elif record.kind in set(BAD):
            with pytest.raises(Refused):
                value_of(event)
        else:
            value_of(event)


def test_a_burst_is_ten_times_as_many_for_its_time() -> None:
    traffic = Traffic(devices=20, endless=True, burst=10, burst_after=2, burst_for=3)
    assert isinstance(traffic, Bursting)
    rates = Counter(int(traffic.due(number, 100)) for number in range(3_400))
    assert [rates[second] for second in range(7)] == [100, 100, 1_000, 1_000, 1_000, 100, 100]
    live = traffic.records(100.0, NOW)
    times = [next(live).timestamp for _ in range(3_300)]
    assert times[-1] - NOW == pytest.approx(6_000, abs=20)


def test_readings_without_end_need_a_rate() -> None:
    with pytest.raises(ProduceError, match="need a rate"):
        next(Traffic(endless=True).records(0.0, NOW))


def test_shares_that_are_more_than_all_are_refused() -> None:
    with pytest.raises(ValueError, match="must not exceed 1"):
        Traffic(planted_share=0.5, late_share=0.3, bad_share=0.3)
