"""A function with a state: what it gets, what counts of what it does, and when its timers are over."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streamapp.functions import Context, Emitted, Process, Timer, TypedRecord
from streamapp.joins import Balance, Driver, Event, Held, Holding, MemoryStore, Reason, Refused

#: A wall time (ms) that does not come while the tests run.
SOME_DAY = 9_000_000_000_000


class Seen(msgspec.Struct):
    count: int = 0
    last: int = 0


def count(record: TypedRecord[Any], context: Context[Seen]) -> None:
    context.state.count += 1
    context.emit(context.state.count)


def run(*, store: MemoryStore | None = None, idle_timeout: int | None = None, **settings: Any) -> Driver[Emitted]:
    process: Process[Any] = Process(**settings)
    return Driver(process, store, idle_timeout)


def told(driver: Driver[Emitted], side: str = "") -> list[tuple[bytes | None, Any, int]]:
    return [(one.key, one.record.value, one.timestamp) for one in driver.results if one.side == side]


def test_each_key_has_a_state_of_its_own_which_survives_a_restart() -> None:
    driver = run(function=count, state=Seen)
    for key in (b"a", b"b", b"a"):
        driver.send(0, key, b"1", 5)
        driver.restart()
    assert told(driver) == [(b"a", 1, 5), (b"b", 1, 5), (b"a", 2, 5)]


def test_a_function_gets_the_decoded_value_with_key_and_time() -> None:
    got: list[TypedRecord[Any]] = []
    driver = run(function=lambda record, _: got.append(record), state=int)
    driver.send(0, b"k", b'{"n": [1, null]}', 7)
    assert [(one.key, one.value, one.timestamp) for one in got] == [(b"k", {"n": [1, None]}, 7)]


def test_a_result_has_the_key_and_time_at_hand_or_those_that_it_is_given() -> None:
    def emit(record: TypedRecord[Any], context: Context[int]) -> None:
        context.emit("same")
        context.emit("other", key="other", timestamp=9)
        context.emit(record.replace(value="own", key=b"own"))
        context.emit("aside", side="late")

    driver = run(function=emit, state=int)
    driver.send(0, b"k", b"1", 7)
    assert told(driver) == [(b"k", "same", 7), (b"other", "other", 9), (b"own", "own", 7)]
    assert told(driver, "late") == [(b"k", "aside", 7)]


def test_of_a_call_that_fails_nothing_counts_and_others_go_on() -> None:
    def fail(record: TypedRecord[Any], context: Context[Seen]) -> None:
        count(record, context)
        context.set_timer(at=8)
        if record.value == "bad":
            raise ZeroDivisionError("no")
        if record.value == "refused":
            raise Refused("why", "wrong_type")

    driver = run(function=fail, state=Seen, on_timer=lambda *_: None)
    for value in (b"1", b'"bad"', b'"refused"', b"{", b"1"):
        driver.send(0, b"k", value, 7)
    assert told(driver) == [(b"k", 1, 7), (b"k", 2, 7)]
    bad, refused, undecodable = driver.side_outputs
    assert (bad.reason, bad.cause, bad.detail) == (Reason.REFUSED, "agent_failed", "ZeroDivisionError('no')")
    assert "in fail" in bad.traceback
    assert (refused.detail, refused.cause, refused.traceback) == ("why", "wrong_type", "")
    assert undecodable.cause == "not_json"
    assert driver.operator.balance == Balance(received=5, matched=2, rejected=3)


def test_an_error_goes_on_up_if_it_is_to_stop_the_worker_and_a_refusal_does_not() -> None:
    def fail(record: TypedRecord[Any], _context: Context[int]) -> None:
        raise Refused("no") if record.value else ZeroDivisionError

    driver = run(function=fail, state=int, stop=True)
    assert driver.send(0, b"k", b"1", 7).side_outputs[0].detail == "no"
    with pytest.raises(ZeroDivisionError):
        driver.send(0, b"k", b"0", 7)


def test_a_state_that_could_not_be_read_again_is_refused_with_the_record() -> None:
    def spoil(_record: TypedRecord[Any], context: Context[Seen]) -> None:
        context.state.count = "many"  # type: ignore[assignment]

    driver = run(function=spoil, state=Seen)
    (told_,) = driver.send(0, b"k", b"1", 7).side_outputs
    assert "Expected `int`, got `str` - at `$.count`" in told_.detail


def test_what_a_function_returns_is_refused_as_results_are_emitted() -> None:
    driver = run(function=lambda record, _: record, state=int)
    (told_,) = driver.send(0, b"k", b"1", 7).side_outputs
    assert "results are given by context.emit" in told_.detail


def test_records_without_key_or_value_are_told_and_move_no_clock() -> None:
    driver = run(function=count, state=Seen)
    driver.process([(0, Event(None, b"1", 5)), (0, Event(b"k", None, 5))])
    assert [one.reason for one in driver.side_outputs] == [Reason.NULL_KEY, Reason.NULL_VALUE]
    assert driver.operator.clock.now is None


def test_with_a_grace_what_is_behind_the_clock_by_more_is_told_as_late() -> None:
    driver = run(function=count, state=Seen, grace=10)
    for at in (100, 90, 89):
        driver.send(0, b"k", b"1", at)
    assert [(one.reason, one.late_by) for one in driver.side_outputs] == [(Reason.LATE, 1)]
    assert len(driver.results) == 2


def alarm(record: TypedRecord[Any], context: Context[int]) -> None:
    context.set_timer(after=10)


def ring(timer: Timer, context: Context[int]) -> None:
    context.emit(timer.name or "over")


def test_a_timer_is_over_before_the_first_record_that_is_later() -> None:
    driver = run(function=alarm, state=int, on_timer=ring)
    driver.send(0, b"a", b"1", 0)
    assert driver.send(0, b"b", b"1", 10).results == []
    driver.send(0, b"b", b"1", 11)
    assert told(driver) == [(b"a", "over", 10)]


def test_with_a_grace_a_timer_is_over_so_much_later() -> None:
    driver = run(function=alarm, state=int, on_timer=ring, grace=5)
    driver.send(0, b"a", b"1", 0)
    assert driver.send(0, b"b", b"1", 15).results == []
    assert len(driver.send(0, b"b", b"1", 16).results) == 1


def test_a_timer_of_the_same_name_takes_the_place_of_the_earlier_one() -> None:
    driver = run(function=alarm, state=int, on_timer=ring)
    for at in (0, 5, 8):
        driver.send(0, b"a", b"1", at)
        driver.restart()
    driver.send(0, b"b", b"1", 18)
    assert told(driver) == []
    driver.send(0, b"b", b"1", 19)
    assert told(driver) == [(b"a", "over", 18)]


def test_a_timer_for_a_time_that_is_past_is_over_at_once() -> None:
    driver = run(function=lambda _, context: context.set_timer(at=3), state=int, on_timer=ring)
    assert [one.timestamp for one in driver.send(0, b"a", b"1", 10).results] == [3]


def test_a_timer_that_sets_itself_again_has_to_get_on() -> None:
    def again(timer: Timer, context: Context[int]) -> None:
        context.set_timer(at=timer.time)

    driver = run(function=alarm, state=int, on_timer=again)
    driver.send(0, b"a", b"1", 0)
    (told_,) = driver.send(0, b"a", b"1", 50).side_outputs
    assert told_.detail.startswith("the timer '': ValueError('a timer of 10 sets one for 10")
    assert (told_.record.key, told_.record.timestamp) == (b"a", 10)
    assert driver.operator.balance.holds


def test_a_timer_that_comes_again_and_again_ends_with_the_input() -> None:
    def again(timer: Timer, context: Context[int]) -> None:
        context.emit(1)
        context.set_timer(after=10)

    driver = run(function=alarm, state=int, on_timer=again)
    driver.send(0, b"a", b"1", 0)
    driver.send(0, b"b", b"1", 35)
    assert [at for *_, at in told(driver)] == [10, 20, 30]
    assert len(driver.finish().results) == 2  # that of each key which was set, and no more


def test_a_timer_of_the_wall_clock_needs_no_record_and_survives_a_restart() -> None:
    def wait(_record: TypedRecord[Any], context: Context[int]) -> None:
        context.set_wall_timer("w", after="5s")

    driver = run(function=wait, state=int, on_timer=ring)
    driver.sleep(1_000_000)
    driver.send(0, b"a", b"1", 0)
    driver.sleep(4_999)
    driver.restart()
    assert told(driver) == []
    driver.sleep(1)
    assert told(driver) == [(b"a", "w", 0)]  # by the event clock: later records are not late for who reads that
    assert driver.sleep(10_000).results == []


def test_a_silence_in_which_event_time_goes_on_is_none_for_the_wall_clock() -> None:
    def wait(_record: TypedRecord[Any], context: Context[int]) -> None:
        context.set_timer("event", after=1_000)
        context.set_wall_timer("wall", after=10)

    driver = run(function=wait, state=int, on_timer=ring, idle_timeout=5)
    driver.send(0, b"a", b"1", 0)
    driver.sleep(9)
    driver.sleep(1)
    assert [value for _, value, _ in told(driver)] == ["wall"]


def test_a_timer_that_is_cancelled_is_not_over() -> None:
    def cancel(record: TypedRecord[Any], context: Context[int]) -> None:
        if record.value:
            context.set_timer("t", after=10)
            context.set_wall_timer("t", after=10)
        else:
            context.cancel_timer("t")

    driver = run(function=cancel, state=int, on_timer=ring)
    driver.send(0, b"a", b"1", 0)
    driver.send(0, b"a", b"0", 1)
    driver.restart()
    driver.sleep(100)
    assert driver.finish().results == []


def test_silence_moves_the_clock_for_timers_if_there_is_an_idle_timeout() -> None:
    driver = run(function=alarm, state=int, on_timer=ring, idle_timeout=5)
    driver.send(0, b"a", b"1", 0)
    assert driver.sleep(10).results == []
    assert len(driver.sleep(1).results) == 1


def test_a_state_is_forgotten_when_its_last_change_is_older_than_the_ttl() -> None:
    store = MemoryStore()
    driver = run(function=count, state=Seen, ttl=10, store=store)
    for key, at in ((b"a", 0), (b"a", 5), (b"b", 15), (b"a", 15), (b"a", 26)):
        driver.send(0, key, b"1", at)
        driver.restart()
    assert [value for _, value, _ in told(driver)] == [1, 2, 1, 3, 1]
    driver.send(0, b"c", b"1", 100)
    driver.send(0, b"c", b"1", 100)
    assert [key for key, _ in store.scan(b"states/", b"states0")] == [b"states/c"]


def test_a_state_that_is_as_it_began_has_no_row() -> None:
    store = MemoryStore()

    def flip(_record: TypedRecord[Any], context: Context[bool]) -> None:
        context.state = not context.state

    driver = run(function=flip, state=bool, store=store)
    driver.send(0, b"k", b"1", 0)
    assert list(store.scan(b"states/", b"states0"))
    driver.send(0, b"k", b"1", 0)
    assert not list(store.scan(b"states/", b"states0"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"state": object}, "state=object is no type that can be written"),
        ({"state": Event}, "state=Event: a key without a state has none to begin with"),
        ({"state": int, "initial": str}, "the state to begin with, '', is not of that type"),
        ({"state": int, "ttl": 0}, "the ttl must be more than nothing"),
        ({"state": int, "grace": -1}, "the grace must not be negative"),
    ],
)
def test_what_cannot_be_is_told_where_it_is_declared(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Process(function=count, **settings)


def test_what_is_held_for_a_key_is_its_state_and_its_timers() -> None:
    def wait(record: TypedRecord[Any], context: Context[Seen]) -> None:
        context.state.count += 1
        context.set_timer("later", at=record.timestamp + 10)
        context.set_wall_timer("soon", at=SOME_DAY)

    driver = run(function=wait, state=Seen, on_timer=lambda *_: None, ttl=100)
    for key in (b"k", b"other", b"k"):
        driver.send(0, key, b"1", 5)
    state, *timers = driver.operator.held(b"k") or ()
    assert state == Held(0, Holding.STATE, 5, b'{"count":2,"last":0}')
    assert [(one.holding, one.timestamp, one.value) for one in timers] == [
        (Holding.TIMER, 15, b'"later"'),
        (Holding.WALL_TIMER, SOME_DAY, b'"soon"'),
    ]
    driver.send(0, b"other", b"1", 106)
    assert [one.holding for one in driver.operator.held(b"k") or ()] == [Holding.WALL_TIMER]
    assert driver.operator.held(b"nobody") == []
