"""What fails is tried again, less and less often; what only somebody else can mend, for a bounded time."""

from __future__ import annotations

import pytest
from aiokafka.errors import NotEnoughReplicasError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError

from streamapp.kafka.refusals import RefusedError
from streamapp.runtime.patience import (
    FORBIDDEN_TIMEOUT_S,
    MISSING_TOPIC_TIMEOUT_S,
    PROBLEM_AFTER_S,
    RETRY_BACKOFF_MAX_S,
    RETRY_BACKOFF_S,
    TROUBLE_EXPIRY_S,
    Patience,
)
from streamapp.runtime.problems import Problems


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def problems() -> Problems:
    return Problems()


@pytest.fixture
def patience(problems: Problems, clock: Clock) -> Patience:
    return Patience(problems, clock)


def test_the_time_before_the_next_try_doubles_up_to_some_seconds(patience: Patience) -> None:
    waits = [patience.failed("commit", NotEnoughReplicasError()) for _ in range(9)]
    assert waits[:4] == [RETRY_BACKOFF_S, 2 * RETRY_BACKOFF_S, 4 * RETRY_BACKOFF_S, 8 * RETRY_BACKOFF_S]
    assert waits[-1] == RETRY_BACKOFF_MAX_S


def test_what_passes_is_a_problem_while_it_lasts_and_never_stops_the_worker(
    patience: Patience, problems: Problems, clock: Clock
) -> None:
    patience.failed("commit", NotEnoughReplicasError())
    assert list(problems) == []
    for clock.now in (PROBLEM_AFTER_S, 60.0, 100.0):
        patience.failed("commit", NotEnoughReplicasError())
    assert list(problems) == ["what is done cannot be committed for 100 s, and is done again: NotEnoughReplicasError"]
    patience.over("commit")
    assert list(problems) == []
    assert patience.failed("commit", NotEnoughReplicasError()) == RETRY_BACKOFF_S


def test_a_failure_long_after_the_last_one_is_a_new_trouble(
    patience: Patience, problems: Problems, clock: Clock
) -> None:
    patience.failed("commit", NotEnoughReplicasError())
    clock.now += TROUBLE_EXPIRY_S + 1
    assert patience.failed("commit", NotEnoughReplicasError()) == RETRY_BACKOFF_S
    assert list(problems) == []


@pytest.mark.parametrize(
    ("error", "seconds", "line"),
    [
        (UnknownTopicOrPartitionError(), MISSING_TOPIC_TIMEOUT_S, "results is not there any more"),
        (
            TopicAuthorizationFailedError("results"),
            FORBIDDEN_TIMEOUT_S,
            "does not allow this worker to use the topic results",
        ),
    ],
)
def test_what_somebody_has_to_mend_is_a_problem_at_once_and_later_a_stop(
    patience: Patience, problems: Problems, clock: Clock, error: Exception, seconds: float, line: str
) -> None:
    patience.failed("results", error)
    (problem,) = problems
    assert line in problem
    clock.now = seconds
    patience.failed("results", error)
    clock.now += 1
    with pytest.raises(RefusedError, match=line):
        patience.failed("results", error)
