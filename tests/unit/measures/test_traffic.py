"""Traffic: the most that is in a span of event time, beside a look at all spans."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.measures.traffic import SLOTS, Amount, Traffic

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

RECORDS = st.lists(st.tuples(st.integers(-500, 500), st.integers(0, 50)), max_size=60)


def traffic(records: list[tuple[int, int]], slots: int = SLOTS) -> Traffic:
    found = Traffic(slots)
    for time, size in records:
        found.add(time, size)
    return found


def most(records: list[tuple[int, int]], span: int) -> Amount:
    spans = [[size for time, size in records if first <= time <= first + span] for first, _ in records]
    return Amount(max(map(len, spans), default=0), max(map(sum, spans), default=0))


@examples
@given(RECORDS, st.integers(0, 300))
def test_the_most_in_a_span_is_exact_while_slots_are_a_millisecond(records: list[tuple[int, int]], span: int) -> None:
    assert traffic(records).most(span) == most(records, span)


@examples
@given(RECORDS, st.integers(0, 300), st.integers(2, 20))
def test_with_longer_slots_it_is_no_less_and_no_more_than_in_two_slots_more(
    records: list[tuple[int, int]], span: int, slots: int
) -> None:
    found = traffic(records, slots)
    told = found.most(span)
    least, largest = most(records, span), most(records, span + 2 * found.slot)
    assert least.records <= told.records <= largest.records
    assert least.bytes <= told.bytes <= largest.bytes
    assert len(found._records) <= slots


@examples
@given(RECORDS, RECORDS, st.integers(0, 300))
def test_two_that_are_merged_are_the_one_of_all(
    first: list[tuple[int, int]], second: list[tuple[int, int]], span: int
) -> None:
    merged = traffic(first)
    merged.merge(traffic(second))
    assert merged.most(span) == most([*first, *second], span)
    assert (merged.records, merged.bytes) == (len(first) + len(second), sum(size for _, size in [*first, *second]))


def test_one_record_of_another_millennium_makes_the_slots_of_the_others_no_longer() -> None:
    found = traffic([(0, 1), (1 << 50, 1), *((1_700_000_000_000 + number, 1) for number in range(1_000))])
    assert found.slot == 1


def test_in_a_span_of_less_than_nothing_there_is_nothing() -> None:
    assert traffic([(0, 1)]).most(-1) == Amount(0, 0)
