"""Each record once, with the features of its key as of its own time and of the moment at which it came."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamapp.joins import Driver, Event, MemoryStore, State, Verdict
from streamapp.joins.declared import earlier
from streamapp.windows import Count, Distinct, Enrichment, Feature, Max, Sum
from streamapp.windows.aggregate import Aggregate

SPENT = Enrichment(
    features={"n": Feature(Count(), 60), "spent": Feature(Sum("amount"), 3_600), "most": Feature(Max("amount"), 3_600)},
    grace=50,
)


def paid(key: bytes, amount: float, timestamp: int) -> Event:
    return Event(key, b'{"amount": %g}' % amount, timestamp)


def test_a_record_comes_out_once_with_features_of_several_sizes() -> None:
    driver = Driver(SPENT)
    batch = [paid(b"ann", 5, 1_000), paid(b"bob", 9, 1_000), paid(b"ann", 2, 1_060), paid(b"ann", 3, 1_061)]
    results = driver.process((0, event) for event in batch).results
    assert [one.record for one in results] == batch
    assert [one.values for one in results] == [(1, 5, 5), (1, 9, 9), (1, 7, 5), (2, 10, 5)]


def test_a_record_out_of_order_comes_out_as_of_its_time_and_changes_what_comes_after() -> None:
    driver = Driver(SPENT)
    driver.process((0, event) for event in [paid(b"ann", 5, 1_000), paid(b"ann", 1, 1_050)])
    (behind,) = driver.process([(0, paid(b"ann", 7, 1_030))]).results
    assert behind.values == (2, 12, 7)
    (after,) = driver.process([(0, paid(b"ann", 1, 1_055))]).results
    assert after.values == (4, 14, 7)


def test_different_values_are_counted_out_of_order_too() -> None:
    join = Enrichment(
        features={"ips": Feature(Distinct("ip"), 100)},
        grace=100,
        fields=lambda record: [(record.value or b"").decode()],
    )
    driver = Driver(join)
    for ip, time in ((b"a", 100), (b"b", 120), (b"a", 150), (b"c", 230)):
        driver.send(0, b"k", ip, time)
    assert driver.send(0, b"k", b"b", 160).results[0].values == (2,)
    assert driver.send(0, b"k", b"d", 240).results[0].values == (4,)


def test_late_records_come_out_without_features_and_unusable_ones_not_at_all() -> None:
    driver = Driver(SPENT)
    driver.process([(0, paid(b"ann", 5, 1_000))])
    output = driver.process(
        [(0, paid(b"ann", 5, 949)), (0, Event(b"ann", b"{}", 1_000)), (0, Event(None, b"{}", 1_000))]
    )
    assert [(one.values, one.late_by) for one in output.results] == [((None, None, None), 1)]
    assert [(side.reason, side.late_by) for side in output.side_outputs] == [
        ("partly_late", 1),
        ("refused", 0),
        ("null_key", 0),
    ]
    balance = driver.operator.balance
    assert (balance.matched, balance.late, balance.rejected, balance.pending) == (2, 0, 2, 0)


def test_a_restart_goes_on_with_the_records_in_the_windows() -> None:
    driver = Driver(SPENT)
    driver.process((0, event) for event in [paid(b"ann", 5, 1_000), paid(b"ann", 1, 1_050)])
    driver.restart()
    assert driver.process([(0, paid(b"ann", 2, 1_055))]).results[0].values == (3, 8, 5)


def test_a_record_is_explained_as_matched_or_late() -> None:
    driver = Driver(SPENT)
    driver.process([(0, paid(b"ann", 5, 1_000))])
    late = paid(b"ann", 5, 949)
    (side,) = driver.process([(0, late)]).side_outputs
    assert driver.operator.explain(0, paid(b"ann", 5, 1_000)).verdict is Verdict.MATCHED
    assert driver.operator.explain(0, late).settled(side).verdict is Verdict.PARTLY_LATE


def notes(join: Enrichment) -> list[str]:
    store = MemoryStore()
    Driver(SPENT, store).process([(0, paid(b"ann", 5, 1_000))])
    return earlier(State(store), join)[1]


def test_another_feature_of_a_field_that_was_kept_has_the_records_so_far() -> None:
    other = Enrichment(features={"spent": Feature(Sum("amount"), 600), "all": Feature(Count("amount"), 60)}, grace=50)
    assert notes(other) == []
    store = MemoryStore()
    Driver(SPENT, store).process([(0, paid(b"ann", 5, 1_000))])
    assert Driver(other, store).process([(0, paid(b"ann", 2, 1_010))]).results[0].values == (7, 2)


def test_what_another_declaration_lacks_at_first_is_told() -> None:
    other = Enrichment(features={"ips": Feature(Distinct("ip"), 60), "n": Feature(Count(), 7_200)}, grace=60)
    assert notes(other) == [
        "ips is new: it lacks the field ip of the records so far",
        "n looks back by 7200ms: what had left the state is missing",
        "grace 50ms → 60ms: what was late before stays late",
    ]


def test_features_that_cannot_be_are_refused_when_they_are_declared() -> None:
    with pytest.raises(ValueError, match="at least one feature"):
        Enrichment(features={})
    with pytest.raises(ValueError, match="looks back by more than 0"):
        Feature(Count(), 0)


@pytest.mark.parametrize("behind", [(), (150,), (70, 71, 250)])
def test_features_of_several_sizes_are_the_same_in_one_batch_and_one_by_one(behind: tuple[int, ...]) -> None:
    sizes = {"n": 40, "spent": 400, "amounts": 150}
    aggregates: dict[str, Aggregate[Any]] = {"n": Count(), "spent": Sum("amount"), "amounts": Distinct("amount")}
    join = Enrichment(
        features={name: Feature(aggregate, sizes[name]) for name, aggregate in aggregates.items()}, grace=500
    )
    records = [paid(b"ann", n % 7, 1_000 + n) for n in range(300)]
    for place in behind:
        records.insert(place, paid(b"ann", 9, 1_000 + place - 50))
    at_once, one_by_one = Driver(join), Driver(join)

    told = [one.values for one in at_once.process((0, record) for record in records).results]

    assert told == [one.values for record in records for one in one_by_one.process([(0, record)]).results]
    assert told == [modelled(records[: number + 1], sizes) for number in range(len(records))]


def modelled(records: list[Event], sizes: dict[str, int]) -> tuple[int, int, int]:
    """Count what came by then of the windows that end at the last record."""
    now = records[-1].timestamp
    amounts = {
        name: [json.loads(one.value or b"")["amount"] for one in records if now - size < one.timestamp <= now]
        for name, size in sizes.items()
    }
    return len(amounts["n"]), sum(amounts["spent"]), len(set(amounts["amounts"]))
