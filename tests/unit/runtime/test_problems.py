"""Problems of a worker that runs, and how often something is told."""

from __future__ import annotations

from streamapp.rate_limit import RateLimit
from streamapp.runtime.problems import Problems


def test_a_problem_is_shown_until_it_is_over() -> None:
    problems = Problems()
    problems.report("lag", "far behind")
    problems.report("lost", "70 records are gone")
    assert list(problems) == ["far behind", "70 records are gone"]
    problems.over("lag")
    problems.over("never reported")
    assert list(problems) == ["70 records are gone"]


def test_a_problem_that_is_reported_again_is_shown_once_as_it_is_now() -> None:
    problems = Problems()
    problems.report("lost", "70 records are gone")
    problems.report("lost", "90 records are gone")
    assert list(problems) == ["90 records are gone"]


def test_what_somebody_has_seen_is_shown_no_more() -> None:
    problems = Problems()
    problems.report("lost", "70 records are gone")
    assert problems.acknowledge() == ["70 records are gone"]
    assert list(problems) == []


def test_something_is_told_the_first_time_and_then_once_in_a_while() -> None:
    now = 100.0
    limit = RateLimit(10, now=lambda: now)
    assert limit.due("a")
    assert limit.due("b")
    now = 109.9
    assert not limit.due("a")
    now = 110.0
    assert limit.due("a")
    assert not limit.due("a")
