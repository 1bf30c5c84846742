"""Pacing, by a clock that only moves when it is waited for."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from streamapp.produce.pacing import SHORTEST_WAIT_S, paced


def about(times: list[float]) -> object:
    return pytest.approx(times, abs=1.01 * SHORTEST_WAIT_S)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def times(self, rate: float, number: int) -> Iterator[float]:
        for _ in itertools.islice(paced(itertools.count(), rate, self.wait, self), number):
            yield self.now - 100.0


def test_items_come_evenly() -> None:
    assert list(Clock().times(rate=4, number=5)) == about([0, 0.25, 0.5, 0.75, 1])


def test_a_high_rate_is_kept_with_few_waits() -> None:
    clock = Clock()

    assert list(clock.times(rate=10_000, number=10_001))[-1] == pytest.approx(1, abs=0.01)
    assert len(clock.waits) <= 1 / SHORTEST_WAIT_S + 1


def test_a_delay_is_made_up_for() -> None:
    clock = Clock()
    times = clock.times(rate=10, number=20)
    next(times)
    clock.now += 1.0

    assert list(times) == about([1.0] * 10 + [number / 10 for number in range(11, 20)])


def test_a_long_wait_is_taken_in_turns() -> None:
    clock = Clock()
    list(clock.times(rate=0.5, number=2))

    assert sum(clock.waits) == pytest.approx(2, abs=1.01 * SHORTEST_WAIT_S)
    assert max(clock.waits) <= 0.1


def test_an_item_is_not_drawn_before_it_is_due() -> None:
    clock = Clock()
    drawn: list[float] = []
    items = (drawn.append(clock.now - 100.0) for _ in range(3))  # type: ignore[func-returns-value]
    list(paced(items, 10, clock.wait, clock))

    assert drawn == about([0, 0.1, 0.2])


def test_no_rate_is_no_waiting() -> None:
    clock = Clock()

    assert list(paced(range(1_000), 0, clock.wait, clock)) == list(range(1_000))
    assert not clock.waits


def test_items_may_be_due_otherwise_than_evenly() -> None:
    clock = Clock()
    times = [clock.now - 100 for _ in paced(range(4), 10, clock.wait, clock, lambda number, rate: number**2 / rate)]
    assert times == pytest.approx([0, 0.1, 0.4, 0.9], abs=0.01)
