"""When most of what is read comes to nothing, it is told once, and over when the share has fallen."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Any

import pytest
from faust.types import TP

from streamapp.formats.undecodable import Reason
from streamapp.joins import Event
from streamapp.runtime.advice import advice_on_keys
from streamapp.runtime.problems import Problems
from streamapp.runtime.tally import Example, Tally
from streamapp.runtime.watch import Watch
from streamapp.runtime.work import Rejected

EXAMPLE = Example(TP("orders", 1), 5, "there is no field custmer_id", b"c0")


class App:
    def __init__(self, share: float = 0.5) -> None:
        self.read: Counter[str] = Counter()
        self.faults = Problems()
        self.watch = Watch(self.faults, self.read, share)

    def take(self, good: int = 0, bad: int = 0, reason: Reason = Reason.MISSING_FIELD) -> None:
        self.read["orders"] += good + bad
        for number in range(bad):
            record: Any = Event(b"secret", b"", 0, number)
            self.watch.rejected(Rejected(TP("orders", 1), record, reason, "no field custmer_id"))


@pytest.fixture(autouse=True)
def _warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


def test_most_of_the_first_hundred_are_told_with_counts_example_and_what_helps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    app.take(good=40, bad=60)
    app.take(bad=1, reason=Reason.NULL_KEY)
    app.watch.look(0.0)
    (line,) = caplog.messages
    assert line.startswith(
        "61 of 101 records of orders since the start were rejected or unmatched: missing_field 60, null_key 1"
    )
    assert "; for example orders[1]@0: no field custmer_id; is the field named otherwise" in line
    (problem,) = app.faults
    assert problem.startswith("61 of 101 records of orders")
    assert "secret" not in problem
    assert "custmer_id" not in problem


def test_half_of_them_are_not_most(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    app.take(good=60, bad=60)
    app.watch.look(0.0)
    assert not caplog.messages


def test_a_few_are_told_after_ten_seconds_and_fewer_than_ten_never(caplog: pytest.LogCaptureFixture) -> None:
    few, fewer = App(), App()
    few.take(bad=10)
    fewer.take(bad=9)
    for second in range(30):
        few.watch.look(second)
        fewer.watch.look(second)
        assert len(caplog.messages) == (second >= 10)
    assert not list(fewer.faults)


def test_it_is_told_once_as_long_as_it_lasts_and_is_over_when_the_share_has_fallen(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    for second in range(200):
        app.take(bad=100)
        app.watch.look(second)
    assert (len(caplog.messages), len(list(app.faults))) == (1, 1)
    for second in range(200, 229):
        app.take(good=100)
        app.watch.look(second)
    assert list(app.faults)
    for second in range(229, 240):
        app.take(good=100)
        app.watch.look(second)
    assert not list(app.faults)


def test_it_lasts_while_nothing_comes_and_a_few_good_ones_a_minute_later_end_it() -> None:
    app = App()
    app.take(bad=100)
    for second in range(300):
        app.watch.look(second)
    assert list(app.faults)
    app.take(good=2)
    app.watch.look(300)
    assert not list(app.faults)


def test_a_few_of_which_most_are_good_end_it() -> None:
    app = App()
    app.take(bad=100)
    app.watch.look(0)
    app.take(good=2, bad=1)
    for second in range(1, 70):
        app.watch.look(second)
    app.take(good=2, bad=1)
    app.watch.look(70)
    assert not list(app.faults)


def test_what_is_acknowledged_stays_so_until_it_comes_again(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    app.take(bad=100)
    app.watch.look(0)
    app.faults.acknowledge()
    app.take(bad=100)
    app.watch.look(1)
    assert not list(app.faults)
    app.take(good=1_000)
    app.watch.look(2)
    app.take(bad=10_000)
    app.watch.look(3)
    assert list(app.faults)
    assert len(caplog.messages) == 1  # at most once a minute


def test_a_share_of_1_tells_nothing(caplog: pytest.LogCaptureFixture) -> None:
    app = App(share=1)
    app.take(bad=1_000)
    app.watch.look(0)
    assert not caplog.messages


def test_records_with_results_all_the_same_are_told_if_nearly_all_are_unmatched() -> None:
    for keeps, unmatched, bad in ((False, 60, True), (True, 60, False), (True, 91, True)):
        tally = Tally(keeps=keeps, taken=100, unmatched=Counter(unmatched=unmatched))
        found = tally.look(0.0, 0.5)
        assert found is not None
        assert found[1] is bad


def test_results_that_are_kept_do_not_hide_rejected_records() -> None:
    tally = Tally(keeps=True, taken=100, rejected=Counter(not_json=60))
    found = tally.look(0.0, 0.5)
    assert found is not None
    assert found[1]


def test_the_example_is_one_of_the_last_second() -> None:
    tally = Tally()
    tally.reject("not_json", EXAMPLE)
    tally.reject("not_json", EXAMPLE._replace(offset=6))
    assert tally.examples["not_json"].offset == 5
    tally.look(0.0, 0.5)
    tally.reject("not_json", EXAMPLE._replace(offset=7))
    assert tally.examples["not_json"].offset == 7


def test_rows_that_came_later_are_told_as_such() -> None:
    assert "which came later by event time" in advice_on_keys(b"c0", [b"c0"], "customers", by_now=True)


@pytest.mark.parametrize(
    ("key", "there", "said"),
    [
        (b"c0", [], "customers has no rows: is that the right topic"),
        (b"c0", [b'"c1"'], "they differ by the quotes of a JSON string"),
        (b'"c0"', [b"c1"], "they differ by the quotes of a JSON string"),
        (b"C0", [b"c1"], "they differ by capital letters"),
        (b"c0 ", [b"c1"], "they differ by spaces"),
        (b"7", [b"0000008"], "they differ by zeros before the number"),
        (b"7", [b"\x00\x00\x00\x00\x00\x00\x00\x08"], "one being binary (such as an int64 or Avro)"),
        (b"7", [b"c8"], "one being a number"),
        (b"c0", [b'{"id":"c0"}'], "one being a JSON object"),
        (b"c0", [b"c1"], "if they are alike, these rows have not come yet"),
        (None, [b"c1"], "these records have none"),
    ],
)  # fmt: skip
def test_keys_that_find_nothing_are_compared_with_those_that_are_there(
    key: bytes | None, there: list[bytes], said: str
) -> None:
    assert said in advice_on_keys(key, there, "customers")
