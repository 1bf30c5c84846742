"""Aggregates as they are declared: what they take of records, and on whose states they can go on."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.joins import Driver, MemoryStore, Reason
from streamapp.joins.declared import StateMismatch
from streamapp.windows import Count, Max, Sum, WindowedAggregate, session, tumbling
from streamapp.windows.windowed_aggregate import Windows


def windowed(windows: Windows | None = None, fields: Any = None, **aggregates: Any) -> WindowedAggregate:
    return WindowedAggregate(windows=windows or tumbling(10), aggregates=aggregates, fields=fields)


def test_a_record_without_what_an_aggregate_takes_is_rejected_and_told_and_counts_nowhere() -> None:
    driver = Driver(windowed(n=Count(), total=Sum("amount")))
    driver.send(0, b"k", b'{"amount": 1.5}', 1)
    (side,) = driver.send(0, b"k", b'{"amount": "2.5"}', 2).side_outputs
    assert (side.reason, side.cause) == (Reason.REFUSED, "wrong_type")
    assert side.detail.startswith('the field amount is "2.5", which Sum("amount") does not take')
    (result,) = driver.send(0, b"k", b'{"amount": 9}', 10).results
    assert result.values == (1, 1.5)
    assert driver.operator.balance.rejected == 1


def test_null_counts_as_a_record_and_not_in_the_sum() -> None:
    driver = Driver(windowed(n=Count(), amounts=Count("amount"), total=Sum("amount")))
    driver.send(0, b"k", b'{"amount": null}', 1)
    (result,) = driver.send(0, b"other", b'{"amount": 9}', 10).results
    assert result.values == (1, 0, None)


def test_what_a_function_takes_of_records_is_checked() -> None:
    driver = Driver(windowed(fields=lambda record: [float(record.value)], total=Sum("amount")))
    (side,) = driver.send(0, b"k", b"nan", 1).side_outputs
    assert side.detail.startswith('Sum("amount") does not take nan')


def test_aggregates_that_no_record_can_serve_together_are_refused_when_they_are_declared() -> None:
    with pytest.raises(ValueError, match="another aggregate takes other values of x"):
        windowed(total=Sum("x"), last=Max("x", text=True))


@pytest.mark.parametrize("windows", [tumbling(10), session(5)], ids=["tumbling", "session"])
def test_an_aggregate_can_be_left_out_later_and_its_state_is_forgotten(windows: Windows) -> None:
    store = MemoryStore()
    driver = Driver(windowed(windows, n=Count(), total=Sum("amount")), store)
    driver.send(0, b"k", b'{"amount": 1}', 1)
    (result,) = Driver(windowed(windows, n=Count()), store).send(0, b"k", b"{}", 20).results
    assert result.values == (1,)


def test_an_aggregate_that_is_another_one_under_its_name_is_refused() -> None:
    store = MemoryStore()
    driver = Driver(windowed(total=Sum("amount")), store)
    driver.send(0, b"k", b'{"amount": 1}', 1)
    with pytest.raises(StateMismatch, match=r'total is Sum\("amount"\) there, and not Sum\("price"\)'):
        Driver(windowed(total=Sum("price")), store)
