"""Differences of two runs, beside counters of what each gave."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.measures.differences import SAMPLES, Change, Differences, Kind

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

GIVEN = st.lists(st.tuples(st.integers(0, 8), st.sampled_from("xyz")), max_size=30)


def differences(first: list[tuple[int, str]], second: list[tuple[int, str]]) -> Differences[int, str]:
    found: Differences[int, str] = Differences()
    for run, given_ in enumerate((first, second)):
        for what, value in given_:
            found.add(run, what, value)
    return found


def by_what(given_: list[tuple[int, str]]) -> dict[int, list[str]]:
    return {what: [value for name, value in given_ if name == what] for what, _ in given_}


@examples
@given(GIVEN, GIVEN)
def test_each_thing_is_counted_as_what_it_is_in_both(
    first: list[tuple[int, str]], second: list[tuple[int, str]]
) -> None:
    a, b = by_what(first), by_what(second)
    expected = Counter(
        Kind.ONLY_B
        if what not in a
        else Kind.ONLY_A
        if what not in b
        else Kind.SAME
        if a[what] == b[what]
        else Kind.CHANGED
        for what in {*a, *b}
    )
    assert +differences(first, second).compare().counts == expected


@examples
@given(GIVEN, GIVEN)
def test_samples_are_of_their_kind_and_no_more_than_there_are(
    first: list[tuple[int, str]], second: list[tuple[int, str]]
) -> None:
    a, b = by_what(first), by_what(second)
    found = differences(first, second).compare()
    for kind, changes in found.samples.items():
        assert len(changes) == min(SAMPLES, found.counts[kind])
        for what, before, after in changes:
            assert (list(before), list(after)) == (a.get(what, []), b.get(what, []))


@examples
@given(GIVEN)
def test_two_runs_that_give_the_same_do_not_differ(given_: list[tuple[int, str]]) -> None:
    found = differences(given_, given_).compare()
    assert found.counts[Kind.SAME] == len(by_what(given_))
    assert not any(found.samples.values())


def test_what_comes_more_than_once_is_compared_as_a_whole() -> None:
    found = differences([(1, "x"), (1, "y")], [(1, "y"), (1, "x")]).compare()
    assert found.samples[Kind.CHANGED] == [Change(1, ("x", "y"), ("y", "x"))]
