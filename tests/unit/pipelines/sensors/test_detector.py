"""What the detector finds, and what it makes of readings that cannot be used."""

from __future__ import annotations

import itertools
import math

import pytest
from sensor_readings import START, STEP, driver, event, noisy, readings, reasons

from streamapp.joins import Driver, Event, MemoryStore, Reason, Verdict
from streamapp.pipelines.sensors.anomaly import Anomaly
from streamapp.pipelines.sensors.anomaly import Reason as Found
from streamapp.pipelines.sensors.detector import Detector
from streamapp.pipelines.sensors.engines import Engine, Kind
from streamapp.pipelines.sensors.limits import Limits


def send(to: Driver[Anomaly], events: list[Event]) -> list[Anomaly]:
    return to.process((0, one) for one in events).results


def well(device: str = "d", count: int = 400) -> list[Event]:
    return readings(device, noisy(count))


def after(count: int) -> int:
    return count * STEP


def test_a_device_that_is_well_has_no_anomalies() -> None:
    assert send(driver(), well(count=5_000)) == []


def test_a_reading_far_off_is_told_with_the_numbers_that_led_to_it() -> None:
    one = driver()
    send(one, well())
    (found,) = send(one, [event("d", 60.0, after(400), offset=7)])
    assert set(found.reasons) == {Found.DEVIATION, Found.OUTLIER, Found.JUMP}
    assert (found.key, found.timestamp, found.value, found.offset) == (b"d", START + after(400), 60.0, 7)
    assert found.evidence["mean"] == pytest.approx(20, abs=0.5)
    assert found.evidence["deviations"] == pytest.approx(40, rel=0.3)
    assert found.evidence["median"] == pytest.approx(20, abs=0.5)
    assert found.evidence["per_s"] == pytest.approx(800, rel=0.1)


def test_what_goes_on_is_told_when_it_begins_and_not_again() -> None:
    one = driver()
    send(one, well())
    (found,) = send(one, readings("d", [20.0] * 300, start=after(400)))
    assert found.reasons == [Found.STUCK]
    assert found.evidence["same_ms"] == 5_000
    assert found.timestamp == START + after(400) + 5_000


def test_what_is_over_is_told_anew_when_it_begins_once_more() -> None:
    one = driver()
    values = [*noisy(400), *[20.0] * 150, *noisy(200, seed=1), *[21.0] * 150]
    assert reasons(send(one, readings("d", values))) == [Found.STUCK, Found.STUCK]


def test_a_change_that_is_slow_for_the_averages_is_found_by_the_season() -> None:
    one = driver(Limits(period=10_000, bins=10))
    values = [
        20 + 3 * math.sin(n * STEP / 10_000 * 2 * math.pi) + noise for n, noise in enumerate(noisy(2_000, level=0))
    ]
    assert send(one, readings("d", values[:1_600])) == []
    drifting = [value + 0.06 * n for n, value in enumerate(values[1_600:])]
    (found, *_) = send(one, readings("d", drifting, start=after(1_600)))
    assert found.reasons == [Found.SEASON]
    assert found.evidence["residual"] > 5 * found.evidence["usual_residual"]


def test_one_reading_far_off_does_not_change_what_is_usual() -> None:
    one, other = driver(), driver()
    send(one, [*well(), event("d", 1e99, after(400))])
    send(other, well())
    for to in (one, other):
        assert send(to, [event("d", 20.0, after(401))]) == []
        (found,) = send(to, [event("d", 35.0, after(402))])
        assert found.evidence["mean"] == pytest.approx(20, abs=0.5)
        assert found.evidence["deviation"] < 2


def test_a_limit_of_0_switches_a_kind_off() -> None:
    one = driver(Limits(period=0, deviation=0, outlier=0, jump=0, stuck=0, silence=0))
    assert send(one, readings("d", [*noisy(400), 90, *[20.0] * 400])) == []
    assert not one.operator.waits


def test_a_device_is_silent_when_others_went_on_without_it() -> None:
    one = driver()
    send(one, [event("a", 1, 0), event("b", 1, 10)])
    assert send(one, [event("b", 1, 1_000)]) == []
    (found,) = send(one, [event("b", 1, 1_001)])
    assert (found.key, found.reasons, found.value) == (b"a", [Found.SILENT], None)
    assert found.timestamp == START + 1_000
    assert found.evidence == {"last_time": START, "last_value": 1.0, "silent_ms": 1_000}


def test_a_silence_is_told_once_and_anew_after_the_device_was_heard() -> None:
    one = driver()
    events = [event("b", 1, at) for at in range(0, 6_000, 100)]
    events.insert(0, event("a", 1, 0))
    events.insert(31, event("a", 1, 3_000))
    assert [found.timestamp - START for found in send(one, events) if found.key == b"a"] == [1_000, 4_000]


def test_a_gap_is_told_by_the_reading_that_ends_it() -> None:
    one = driver()
    assert reasons(send(one, [event("a", 1, 0), event("a", 2, 5_000)])) == [Found.SILENT]


def test_a_device_whose_clock_is_behind_is_not_silent_while_it_sends() -> None:
    one = driver()
    both = [one for n in range(100) for one in (event("b", n % 7, n * STEP + 9_000), event("slow", n % 7, n * STEP))]
    assert send(one, both) == []


def test_when_all_devices_of_a_partition_fall_silent_it_is_told() -> None:
    one = driver(idle_timeout=2_000)
    send(one, [event("a", 1, 0), event("b", 1, 300)])
    assert one.sleep(1_900).results == []
    assert [(found.key, found.timestamp - START) for found in one.sleep(200).results] == [(b"a", 1_000), (b"b", 1_300)]
    assert one.sleep(60_000).results == []
    assert not one.operator.waits


def test_a_reading_from_before_the_last_one_is_late_and_changes_nothing() -> None:
    one, other = driver(), driver()
    for to in (one, other):
        send(to, well())
    output = one.process([(0, event("d", 1e9, 0))])
    (side,) = output.side_outputs
    assert (side.reason, side.late_by, output.results) == (Reason.LATE, after(399), [])
    after_it = [event("d", 60.0, after(400))]
    assert send(one, after_it) == send(other, after_it)
    assert (one.operator.balance.late, one.operator.balance.matched) == (1, 401)


@pytest.mark.parametrize(
    ("value", "reason", "cause"),
    [
        (b'{"value": NaN}', Reason.REFUSED, "not_json"),
        (b'{"value": -Infinity}', Reason.REFUSED, "not_json"),
        (b'{"value": 1e999}', Reason.REFUSED, "wrong_type"),
        (b'{"value": 1e101}', Reason.REFUSED, "wrong_type"),
        (b'{"value": "warm"}', Reason.REFUSED, "wrong_type"),
        (b'{"value": null}', Reason.REFUSED, "wrong_type"),
        (b'{"value": true}', Reason.REFUSED, "wrong_type"),
        (b'{"volume": 1}', Reason.REFUSED, "missing_field"),
        (b"[20.5]", Reason.REFUSED, "not_json"),
        (b"\xff\xfe", Reason.REFUSED, "not_json"),
        (None, Reason.NULL_VALUE, ""),
    ],
)
def test_what_is_no_reading_is_rejected_with_the_reason(value: bytes | None, reason: Reason, cause: str) -> None:
    one = driver()
    send(one, well())
    (side,) = one.process([(0, Event(b"d", value, START + after(400)))]).side_outputs
    assert (side.reason, side.cause, side.rejected) == (reason, cause, True)
    assert one.operator.balance.rejected == 1
    assert one.operator.balance.holds
    assert send(one, [event("d", 20.0, after(401))]) == []


def test_a_reading_without_a_device_is_rejected() -> None:
    (side,) = driver().process([(0, Event(None, b'{"value": 1}', START))]).side_outputs
    assert (side.reason, side.rejected) == (Reason.NULL_KEY, True)


def test_nan_is_told_to_be_no_json() -> None:
    (side,) = driver().process([(0, Event(b"d", b'{"value": NaN}', START))]).side_outputs
    assert side.detail.endswith("JSON has no NaN and no Infinity")


def test_a_reading_ahead_of_the_wall_clock_is_rejected_and_its_device_goes_on() -> None:
    one = driver()
    wall = one.operator.clock.wall
    wall.set(START, 60_000)
    (side,) = one.process([(0, event("d", 1, 61_000))]).side_outputs
    assert (side.reason, side.cause) == (Reason.REFUSED, "invalid_timestamp")
    one.process([(0, event("d", 1, 0))])
    assert one.operator.balance.matched == 1


def test_numbers_may_be_integers_and_other_fields_whatever_they_are() -> None:
    one = driver()
    record = Event(b"d", '{"unit": "°C", "value": 20, "device": {}}'.encode(), START)
    one.process([(0, record)])
    assert one.operator.balance.matched == 1


def test_a_device_is_forgotten_after_its_time() -> None:
    store = MemoryStore()
    detector = Detector(engine=Engine(Kind.PYTHON), limits=Limits(period=0), forget=10_000)
    one = Driver(detector, store)
    send(one, [event("a", 1, 0), event("b", 2, 0)])
    for at in range(0, 21_000, 500):
        send(one, [event("b", at % 7, at)])
    assert next(store.scan(b"devices/", b"devices0"))[0] == b"devices/b"
    assert one.operator.explain(0, event("a", 1, 0)).detail.endswith("nothing is known of its device any more")
    one.restart()
    assert send(one, [event("b", 1, 21_000)]) == []


def test_devices_cannot_be_forgotten_before_they_are_silent() -> None:
    with pytest.raises(ValueError, match="they may only be silent"):
        Detector(engine=Engine(Kind.PYTHON), forget=1_000)


def test_the_state_has_a_row_a_device_however_many_readings_came() -> None:
    store = MemoryStore()
    one = driver(store=store)
    both = itertools.chain.from_iterable(zip(well("a"), well("b"), strict=True))
    send(one, list(both))
    assert [key for key, _ in store.scan(b"devices/", b"devices0")] == [b"devices/a", b"devices/b"]


def test_another_season_is_learned_anew_and_the_rest_is_kept() -> None:
    store = MemoryStore()
    first = driver(Limits(period=5_000, bins=5), store=store)
    send(first, well())
    second = driver(Limits(period=7_000, bins=6), store=store)
    (found,) = send(second, [event("d", 60.0, after(400))])
    assert Found.DEVIATION in found.reasons
    assert list(store.scan(b"seasons/", b"seasons0")) == []
    second.restart()
    assert reasons(send(second, readings("e", noisy(300), start=after(400)))) == [Found.SILENT]  # of d
    assert len(next(store.scan(b"seasons/", b"seasons0"))[1]) == 12 * 8


def test_explained_is_what_is_known_of_the_device_and_what_may_have_become_of_it() -> None:
    one = driver()
    events = well()
    send(one, events)
    explanation = one.operator.explain(0, events[3])
    assert explanation.verdict is Verdict.OVER
    assert explanation.reasons == {Reason.LATE, Reason.REFUSED}
    assert "a mean of 19.9784 now" in explanation.settled(None).detail
    assert one.operator.explain(0, Event(b"d", None, START)).verdict is Verdict.NULL_VALUE


def test_limits_that_cannot_be_are_refused() -> None:
    for wrong in ({"deviation": -1.0}, {"jump": math.nan}, {"memory": 1}, {"resolution": 0.0}, {"bins": 1}):
        with pytest.raises(ValueError, match="must"):
            Limits(**wrong)  # type: ignore[arg-type]
