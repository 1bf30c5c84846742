"""A function with a state does what a plain model of it does, in any batches and across restarts."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streamapp.functions import Context, Process, Timer, TypedRecord
from streamapp.joins import Driver, Event

KEYS = (b"a", b"b", b"c")
NAMES = ("", "other")
WHAT = ("set", "set", "cancel", "fail", "forget", "count")


def act(record: TypedRecord[Any], context: Context[dict[str, int]]) -> None:
    """Do what the value says: count, set and cancel timers, fail."""
    what, name, after = record.value
    context.state["n"] = context.state.get("n", 0) + 1
    context.emit([what, context.state["n"]])
    if what == "set":
        context.set_timer(name, after=after)
    elif what == "cancel":
        context.cancel_timer(name)
    elif what == "fail":
        raise ZeroDivisionError
    elif what == "forget":
        context.state = {}


def over(timer: Timer, context: Context[dict[str, int]]) -> None:
    context.state["n"] = context.state.get("n", 0) + 100
    context.emit(["timer", timer.name, context.state["n"]])
    if context.state["n"] % 3 == 0:
        context.set_timer(timer.name, after=7)


@dataclasses.dataclass
class Model:
    """Dicts, and a look at all timers each time."""

    ttl: int | None
    grace: int | None
    clock: int | None = None
    states: dict[bytes, tuple[int, int]] = dataclasses.field(default_factory=dict)
    timers: dict[tuple[bytes, str], int] = dataclasses.field(default_factory=dict)
    results: list[Any] = dataclasses.field(default_factory=list)
    late: int = 0

    def count(self, key: bytes) -> int:
        n, changed = self.states.get(key, (0, 0))
        now = self.clock or 0
        return 0 if self.ttl is not None and changed < now - self.ttl else n

    def put(self, key: bytes, n: int, time: int) -> None:
        changed = self.states[key][1] if self.count(key) else time
        self.states[key] = (n, max(changed, time))

    def fire(self) -> None:
        while self.timers and self.clock is not None:
            (key, name), at = min(self.timers.items(), key=lambda item: (item[1], item[0]))
            if at >= self.clock - (self.grace or 0):
                return
            del self.timers[key, name]
            n = self.count(key) + 100
            self.put(key, n, at)
            self.results.append((key, ["timer", name, n], at))
            if n % 3 == 0:
                self.timers[key, name] = at + 7

    def take(self, key: bytes, value: list[Any], time: int) -> None:
        if self.grace is not None and self.clock is not None and time < self.clock - self.grace:
            self.late += 1
            return
        self.clock = time if self.clock is None else max(self.clock, time)
        self.fire()
        what, name, after = value
        if what == "fail":
            return
        n = self.count(key) + 1
        self.results.append((key, [what, n], time))
        self.put(key, 0 if what == "forget" else n, time)
        if what == "set":
            self.timers[key, name] = time + after
        elif what == "cancel":
            self.timers.pop((key, name), None)
        self.fire()


records = st.tuples(
    st.sampled_from(KEYS),
    st.tuples(
        st.sampled_from(["set", "set", "cancel", "fail", "forget", "count"]),
        st.sampled_from(NAMES),
        st.integers(-5, 30),
    ),
    st.integers(0, 60),
)


@given(
    given_=st.lists(records, max_size=40),
    cuts=st.lists(st.tuples(st.integers(1, 7), st.booleans()), min_size=1),
    ttl=st.none() | st.integers(1, 40),
    grace=st.none() | st.integers(0, 10),
)
def test_results_timers_and_late_records_are_those_of_the_model(
    given_: list[Any], cuts: list[tuple[int, bool]], ttl: int | None, grace: int | None
) -> None:

    model = Model(ttl, grace)
    process = Process(function=act, state=dict[str, int], on_timer=over, ttl=ttl, grace=grace)
    driver = Driver(process)
    rest = [(0, Event(key, msgspec.json.encode(value), time)) for key, value, time in given_]
    for key, value, time in given_:
        model.take(key, list(value), time)
    while rest:
        size, restart = cuts[len(rest) % len(cuts)]
        driver.process(rest[:size])
        rest = rest[size:]
        if restart:
            driver.restart()
    assert [(one.key, one.record.value, one.timestamp) for one in driver.results] == model.results
    balance = driver.operator.balance
    assert balance.holds
    assert balance.late == model.late
