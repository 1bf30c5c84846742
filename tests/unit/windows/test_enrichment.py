"""Each record once, with the features of its key as of its own time and of the moment at which it came."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Driver, Event, MemoryStore, Record, State, Verdict
from streamapp.joins.declared import earlier
from streamapp.windows import Count, Distinct, Enrichment, Feature, FurtherKey, Max, Sum
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


PLACES = {"places": Feature(Distinct("place"), 100), "there": Feature(Sum("amount"), 100)}


def by_place(records: Sequence[Record]) -> list[bytes]:
    return [json.loads(record.value or b"")["place"].encode() for record in records]


def of_people(*, places: bool, grace: int = 50) -> Enrichment:
    further = (FurtherKey("place", by_place, PLACES),) if places else ()
    return Enrichment(features={"n": Feature(Count(), 60)}, grace=grace, further=further)


def bought(key: str, place: str, timestamp: int, amount: float = 1) -> Event:
    return Event(key.encode(), json.dumps({"place": place, "amount": amount}).encode(), timestamp)


def test_features_by_a_further_key_come_behind_those_by_the_own_one() -> None:
    driver = Driver(of_people(places=True))
    batch = [bought("ann", "x", 1_000), bought("bob", "x", 1_010, 4), bought("ann", "y", 1_020)]
    results = driver.process((0, event) for event in batch).results
    assert [(one.key, one.record, one.values) for one in results] == [
        (b"ann", batch[0], (1, 1, 1)),
        (b"bob", batch[1], (1, 1, 5)),
        (b"ann", batch[2], (2, 1, 1)),
    ]
    balance = driver.operator.balance
    assert (balance.received, balance.matched) == (3, 3)  # once, however many keys there are


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.integers(0, 300)), min_size=1, max_size=30
        ),
        max_size=6,
    ),
    st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_features_by_a_further_key_are_those_of_an_enrichment_of_its_own(
    batches: list[list[tuple[str, str, int]]], restarts: list[bool]
) -> None:
    both, first = Driver(of_people(places=True)), Driver(of_people(places=False))
    second = Driver(Enrichment(features=PLACES, grace=50))
    for batch, restart in zip(batches, restarts, strict=False):
        events = [bought(key, place, 1_000 + time) for key, place, time in batch]
        found = both.process((0, event) for event in events)
        alone = first.process((0, event) for event in events)
        again = [
            Event(place, event.value, event.timestamp) for place, event in zip(by_place(events), events, strict=True)
        ]
        further = second.process((0, event) for event in again).results
        told = [(*one.values, *other.values) for one, other in zip(alone.results, further, strict=True)]
        assert [(one.record, one.values, one.late_by) for one in found.results] == [
            (event, values, one.late_by) for event, values, one in zip(events, told, alone.results, strict=True)
        ]
        assert found.side_outputs == alone.side_outputs
        assert both.operator.clock.now == first.operator.clock.now
        if restart:
            both.restart()


def test_a_further_key_can_be_left_out_and_taken_up_again_without_the_others_features_lost() -> None:
    store = MemoryStore()

    def tell(event: Event, *, places: bool) -> Any:
        state = State(store)
        operator = of_people(places=places).start(state)
        (one,) = operator.process([(0, event)]).results
        state.commit()
        return one.values

    assert tell(bought("ann", "x", 1_000), places=True) == (1, 1, 1)
    assert tell(bought("ann", "x", 1_010), places=False) == (2,)
    assert tell(bought("ann", "x", 1_020), places=True) == (3, 1, 2)  # of the place it lacks the one meanwhile


def test_what_only_features_by_a_further_key_refuse_comes_out_without_them() -> None:
    driver = Driver(of_people(places=True))
    strange = Event(b"ann", b'{"place": "x", "amount": "much"}', 1_000)
    (one,) = driver.process([(0, strange)]).results
    assert (one.record, one.values) == (strange, (1, None, None))
