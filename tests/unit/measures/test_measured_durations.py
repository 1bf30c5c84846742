"""Histograms of durations: never too short, and at most 1 % too long, beside the sorted durations themselves."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.measures.histogram import ERROR, DurationHistogram, Share

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

DURATIONS = st.lists(st.integers(0, 255) | st.integers(0, 1 << 40) | st.integers(0, 1 << 62), max_size=200)
SHARES = st.sampled_from([9_900, 9_990, 9_999, 10_000]) | st.integers(0, 10_000)


def histogram(durations: list[int]) -> DurationHistogram:
    found = DurationHistogram()
    for duration in durations:
        found.add(duration)
    return found


def exact(durations: list[int], share: int) -> int:
    """Return the shortest duration that a share is not longer than, of the sorted ones."""
    wanted = -(-len(durations) * share // 10_000)
    return sorted(durations)[max(0, wanted - 1)]


@examples
@given(DURATIONS.filter(bool), SHARES)
def test_what_holds_a_share_is_never_too_short_and_at_most_a_hundredth_too_long(
    durations: list[int], share: int
) -> None:
    held, wanted = histogram(durations).holds(Share(share)), exact(durations, share)
    assert wanted <= held <= wanted + wanted * ERROR
    assert ERROR < 0.01


@examples
@given(DURATIONS.filter(bool))
def test_what_holds_all_is_exact(durations: list[int]) -> None:
    assert histogram(durations).holds(Share(10_000)) == max(durations)


@examples
@given(DURATIONS, st.integers(0, 1 << 62))
def test_those_within_a_bound_are_exact_but_for_the_error(durations: list[int], bound: int) -> None:
    within = histogram(durations).within(bound)
    assert sum(duration + duration * ERROR <= bound for duration in durations) <= within
    assert within <= sum(duration <= bound for duration in durations)


@examples
@given(DURATIONS, DURATIONS, SHARES)
def test_two_that_are_merged_are_the_one_of_all(first: list[int], second: list[int], share: int) -> None:
    merged, whole = histogram(first), histogram([*first, *second])
    merged.merge(histogram(second))
    assert (merged.count, merged.longest) == (whole.count, whole.longest)
    assert merged.holds(Share(share)) == whole.holds(Share(share))
    assert list(merged.bars()) == list(whole.bars())


@examples
@given(DURATIONS)
def test_each_duration_is_in_one_bar(durations: list[int]) -> None:
    bars = list(histogram(durations).bars())
    assert [bar.durations for bar in bars] == [
        sum(bar.above < duration <= bar.up_to for duration in durations) for bar in bars
    ]
    assert sum(bar.durations for bar in bars) == len(durations)


def test_memory_is_bounded_whatever_comes() -> None:
    found = DurationHistogram()
    for power in range(40):
        for step in range(1_000):
            found.add((1 << power) + step * (1 << power) // 1_000)
    assert len(found._counts) <= 256 + 40 * 128


def test_a_share_is_told_in_per_cent_and_more_than_all_is_none() -> None:
    assert [str(Share(share)) for share in (9_900, 9_990, 9_999, 10_000)] == ["99 %", "99.9 %", "99.99 %", "100 %"]
    with pytest.raises(ValueError, match="no share"):
        DurationHistogram().holds(Share(10_001))


def test_of_no_durations_nothing_is_held() -> None:
    assert DurationHistogram().holds(Share(9_900)) == 0
    assert list(DurationHistogram().bars()) == []
