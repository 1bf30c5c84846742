"""Aggregates in windows: results, updates, what does not count, silence, records ahead and what is explained."""

from __future__ import annotations

from typing import Any

import pytest
from window_models import aggregated

from streamapp.joins import Driver, Event, MemoryStore, Reason, Record, Refused, State, Verdict, Wall
from streamapp.windows import Emission, Windowed, WindowedAggregate, Windows, hopping, session, tumbling
from streamapp.windows.aggregate import Aggregate
from streamapp.windows.count import Count
from streamapp.windows.numbers import Sum
from streamapp.windows.own import Own


def amount(record: Record) -> tuple[None, int]:
    if not (record.value or b"").isdigit():
        raise Refused("amount is no number", "wrong_type")
    return None, int(record.value or b"")


def totals(windows: Windows, emission: str = "final", **settings: Any) -> WindowedAggregate:
    aggregates: dict[str, Aggregate[Any]] = {"n": Count(), "total": Sum("amount")}
    return WindowedAggregate(
        windows=windows, aggregates=aggregates, fields=amount, emission=Emission(emission), **settings
    )


def send(driver: Driver[Windowed], time: int, value: bytes | None = b"1", key: bytes | None = b"k") -> list[Windowed]:
    return driver.send(0, key, value, time).results


def told(results: list[Windowed]) -> list[Any]:
    return [(one.start, one.end, one.values, "final" if one.final else "update") for one in results]


def test_a_window_gives_its_aggregates_when_the_clock_is_at_its_end_and_the_grace() -> None:
    driver = Driver(totals(tumbling(10), grace=5))
    send(driver, 12, b"3")
    send(driver, 17, b"4")
    assert send(driver, 24) == []
    assert send(driver, 25) == [Windowed(b"k", 10, 20, (2, 7), 17, final=True)]


def test_windows_that_close_together_come_by_end_start_and_key() -> None:
    driver = Driver(totals(tumbling(10)))
    for key, time in ((b"b", 12), (b"a", 11), (b"c", 25)):
        send(driver, time, key=key)
    assert [(one.start, one.key) for one in driver.operator.advance(99).results] == [(20, b"c")]
    assert [(one.start, one.key) for one in driver.results] == [(10, b"a"), (10, b"b")]


def test_a_late_record_is_told_with_how_late_it_is() -> None:
    driver = Driver(totals(tumbling(10), grace=5))
    send(driver, 30)
    send(driver, 18)
    (late,) = driver.side_outputs
    assert (late.reason, late.late_by) == (Reason.LATE, 7)
    assert driver.operator.balance.late == 1


def test_a_partly_late_record_is_told_and_counts_where_it_still_can() -> None:
    driver = Driver(totals(hopping(20, 10)))
    send(driver, 30)
    send(driver, 25)
    (partly,) = driver.side_outputs
    assert (partly.reason, partly.late_by) == (Reason.PARTLY_LATE, 5)
    driver.finish()
    assert told(driver.results) == [(20, 40, (2, 2), "final"), (30, 50, (1, 1), "final")]
    balance = driver.operator.balance
    assert (balance.received, balance.matched, balance.late) == (2, 2, 0)


@pytest.mark.parametrize(
    ("key", "value", "reason"),
    [(None, b"1", Reason.NULL_KEY), (b"k", None, Reason.NULL_VALUE), (b"k", b"many", Reason.REFUSED)],
)
@pytest.mark.parametrize("windows", [tumbling(10), session(10)])
def test_what_cannot_count_is_rejected_and_leaves_the_clock(
    windows: Windows, key: bytes | None, value: bytes | None, reason: Reason
) -> None:
    driver = Driver(totals(windows))
    send(driver, 12)
    assert send(driver, 99, value, key) == []
    (rejected,) = driver.side_outputs
    assert (rejected.reason, rejected.rejected) == (reason, True)
    assert driver.operator.clock.now == 12
    assert (driver.operator.balance.rejected, driver.operator.balance.pending) == (1, 1)


def test_a_refusal_tells_why_and_of_which_kind_it_is() -> None:
    driver = Driver(totals(tumbling(10)))
    send(driver, 12, b"many")
    (refused,) = driver.side_outputs
    assert (refused.detail, refused.cause) == ("amount is no number", "wrong_type")


def test_updates_come_at_once_for_each_window_that_a_record_changes() -> None:
    driver = Driver(totals(hopping(20, 10), "updates"))
    assert told(send(driver, 15)) == [(0, 20, (1, 1), "update"), (10, 30, (1, 1), "update")]
    assert told(send(driver, 21)) == [(10, 30, (2, 2), "update"), (20, 40, (1, 1), "update")]


def test_updates_and_final_results_may_both_be_asked_for_and_are_marked() -> None:
    driver = Driver(totals(tumbling(10), "both"))
    assert told(send(driver, 15)) == [(10, 20, (1, 1), "update")]
    assert told(send(driver, 22)) == [(20, 30, (1, 1), "update"), (10, 20, (1, 1), "final")]


def test_updates_every_so_often_come_when_the_clock_is_at_a_multiple_of_that() -> None:
    driver = Driver(totals(tumbling(100), "updates", every=20))
    assert told(send(driver, 10)) == []
    assert told(send(driver, 19)) == []
    driver.restart()
    assert told(send(driver, 20)) == [(0, 100, (3, 3), "update")]
    assert told(send(driver, 30)) == []
    assert told(send(driver, 95)) == [(0, 100, (5, 5), "update")]
    assert told(send(driver, 98)) == []
    driver.restart()
    assert told(send(driver, 100)) == [(0, 100, (6, 6), "update"), (100, 200, (1, 1), "update")]


def test_a_session_ends_when_nothing_of_its_key_came_for_longer_than_the_gap() -> None:
    driver = Driver(totals(session(10), grace=5))
    send(driver, 100)
    send(driver, 110)
    assert send(driver, 125, key=b"other") == []
    assert told(send(driver, 126, key=b"other")) == [(100, 110, (2, 2), "final")]


def test_a_record_between_two_sessions_makes_them_one() -> None:
    driver = Driver(totals(session(10), "updates", grace=50))
    assert told(send(driver, 100)) == [(100, 100, (1, 1), "update")]
    assert told(send(driver, 120)) == [(120, 120, (1, 1), "update")]
    assert told(send(driver, 110)) == [
        (100, 100, None, "update"),
        (120, 120, None, "update"),
        (100, 120, (3, 3), "update"),
    ]


def test_sessions_that_were_told_and_have_other_bounds_are_taken_back_at_the_next_update() -> None:
    driver = Driver(totals(session(10), "updates", grace=50, every=100))
    send(driver, 90)
    assert told(send(driver, 100)) == [(90, 100, (2, 2), "update")]
    send(driver, 105)
    send(driver, 115)
    driver.restart()
    assert told(send(driver, 200, key=b"z")) == [
        (90, 100, None, "update"),
        (90, 115, (4, 4), "update"),
        (200, 200, (1, 1), "update"),
    ]


def test_silence_closes_windows_if_event_time_goes_on_with_the_wall_clock() -> None:
    for windows, due in ((tumbling(10), 1_005), (session(10), 1_014)):
        driver = Driver(totals(windows, grace=2), idle_timeout=1_000)
        send(driver, 17 if windows == tumbling(10) else 9)
        assert driver.sleep(999).results == []
        assert [one.final for one in driver.sleep(due - 999).results] == ([True] if due > 1_000 else [])


def test_silence_closes_windows_that_are_not_written_yet() -> None:
    driver = Driver(totals(tumbling(10)), idle_timeout=1_000)
    driver.process([(0, Event(b"k%03d" % number, b"1", 7, number)) for number in range(600)])
    assert driver.operator.waits
    assert [one.values for one in driver.sleep(1_003).results] == [(1, 1)] * 600
    assert not driver.operator.waits


@pytest.mark.parametrize("windows", [tumbling(10), hopping(20, 10), session(10)])
def test_a_record_ahead_of_the_wall_clock_counts_by_its_own_time_and_harms_no_other(windows: Windows) -> None:
    wall = Wall()
    wall.set(now=1_000, max_ahead=50)
    results = []
    for ahead in ([], [(0, Event(b"bad", b"7", 900_000))]):
        operator = totals(windows, grace=5).start(State(MemoryStore(), wall))
        found = []
        for time in (900, 910, 905, 950, 1_000):
            found += operator.process([*ahead, (0, Event(b"k", b"1", time))]).results
        assert operator.clock.now == 1_000
        results.append(found)
    assert results[0] == results[1] != []
    wall.set(now=2_000_000, max_ahead=50)
    assert [one.values for one in operator.advance(1_000_000).results if one.key == b"bad"][:1] == [(5, 35)]


def test_open_windows_of_a_key_can_be_looked_at() -> None:
    driver = Driver(totals(hopping(20, 10)))
    send(driver, 15)
    send(driver, 12)
    driver.restart()
    operator: Any = driver.operator
    assert told(list(operator.windows(b"k"))) == [(0, 20, (2, 2), "update"), (10, 30, (2, 2), "update")]
    assert list(operator.windows(b"other")) == []


@pytest.mark.parametrize("windows", [tumbling(10), hopping(20, 10), session(10)])
def test_what_became_of_a_record_is_explained(windows: Windows) -> None:
    driver = Driver(aggregated(windows, grace=5))
    records = [Event(b"k", b"%d" % n, time, n) for n, time in enumerate((100, 104, 130, 112, 118, 128, 90, 160, 129))]
    records += [Event(None, b"9", 160, 9), Event(b"k", None, 160, 10)]
    for record in records:
        driver.process([(0, record)])
        matched = {offset for one in driver.results for offset in (one.values or ((), ()))[1]}
        side = {one.record.offset: one for one in driver.side_outputs}
        for one in records[: record.offset + 1]:
            explained = driver.operator.explain(0, one).settled(side.get(one.offset))
            match side.get(one.offset):
                case None:
                    expected = Verdict.MATCHED if one.offset in matched else Verdict.PENDING
                    assert explained.verdict == expected, one
                    if expected is Verdict.PENDING:
                        assert explained.until is not None
                        assert explained.until > (explained.clock or 0)
                case told:
                    assert explained.verdict == Verdict(told.reason.value), one


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"grace": -1}, "the grace must not be negative, but is -1 ms"),
        ({"aggregates": {}}, "at least one aggregate, such as n=Count()"),
        ({"every": 10}, "every= is about updates"),
        ({"every": 0, "emission": Emission.BOTH}, "must be more than 0"),
        (
            {
                "windows": session(10),
                "aggregates": {"own": Own("x", name="mine", initial=int, add=max, state_type=int)},
            },
            "has no merge: sessions need it",
        ),
    ],
)
def test_aggregates_that_cannot_be_are_told_in_one_line(settings: dict[str, Any], words: str) -> None:
    given = {"windows": tumbling(10), "aggregates": {"n": Count(), "total": Sum("amount")}, "fields": amount}
    with pytest.raises(ValueError, match=r"\w") as error:
        WindowedAggregate(**{**given, **settings})
    assert words in str(error.value)


def test_a_negative_gap_is_told() -> None:
    with pytest.raises(ValueError, match="gap of sessions must not be negative"):
        session(-1)


def test_an_update_stays_as_it_was_when_the_window_goes_on() -> None:
    def add(state: list[int], value: int) -> list[int]:
        state.append(value)
        return state

    own = Own("x", name="list", initial=list, add=add, state_type=list[int])
    driver = Driver(
        WindowedAggregate(
            windows=tumbling(10),
            aggregates={"own": own},
            fields=lambda record: [record.timestamp],
            emission=Emission.UPDATES,
        )
    )
    output = driver.process([(0, Event(b"k", b"x", 1)), (0, Event(b"k", b"x", 2))])
    assert [one.values for one in output.results] == [([1],), ([1, 2],)]


def test_a_large_batch_of_many_keys_is_written_as_it_came_and_a_small_one_as_the_windows_that_it_changes() -> None:
    store = MemoryStore()
    driver = Driver(totals(tumbling(10_000)), store)
    for batch, rows in ((range(600), [b"pages/"]), (range(600, 601), [b"window"] * 601)):
        driver.process([(0, Event(b"k%d" % number, b"1", 1, number)) for number in batch])
        assert [key[:6] for key, _ in store.scan(b"", b"~")] == rows


def test_what_is_open_still_is_written_as_it_came_when_other_windows_close() -> None:
    store = MemoryStore()
    driver = Driver(totals(tumbling(10)), store)
    driver.process([(0, Event(b"k%d" % number, b"1", number // 100, number)) for number in range(1_999)])
    results = driver.process([(0, Event(b"k%d" % number, b"1", 20, number)) for number in range(600)]).results
    assert len(results) == 999
    assert [key[:6] for key, _ in store.scan(b"", b"~")] == [b"pages/"]
    driver.restart()
    assert [one.values for one in send(driver, 30)] == [(1, 1)] * 600


def test_a_large_batch_of_few_keys_is_written_as_the_windows_that_it_changes() -> None:
    store = MemoryStore()
    Driver(totals(tumbling(10_000)), store).process(
        [(0, Event(b"k%d" % (number % 10), b"1", 1, number)) for number in range(1_000)]
    )
    assert [key[:6] for key, _ in store.scan(b"", b"~")] == [b"window"] * 10
