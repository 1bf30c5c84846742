"""What is told, counted and shown of records that are gone."""

from __future__ import annotations

import pytest
from faust.types import TP

from streamapp.runtime.losses import Gap, Losses, LostError, Why
from streamapp.runtime.problems import Problems
from streamapp.settings import OnLost

FIRST, SECOND = TP("clicks", 0), TP("clicks", 1)
DELETED = [Gap(FIRST, Why.DELETED, 30, 100, 70), Gap(SECOND, Why.DELETED, 0, 5, 5)]
HARMLESS = [Gap(FIRST, Why.BEGUN_LATE, 0, 20, None), Gap(SECOND, Why.MADE_ANEW, 50, 0, 0, "a", "b")]


def test_losses_are_counted_by_topic_and_shown_by_partition(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    losses = Losses(problems, OnLost.GO_ON)
    losses.gaps(DELETED)
    assert losses.records == {"clicks": 75}
    assert list(problems) == [str(gap) for gap in DELETED]
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


def test_what_is_no_loss_is_told_and_nothing_more(caplog: pytest.LogCaptureFixture) -> None:
    problems = Problems()
    losses = Losses(problems, OnLost.STOP)
    losses.gaps(HARMLESS)
    assert (losses.records, list(problems)) == ({}, [])
    told = [record.levelname for record in caplog.records if record.name.startswith("streamapp.")]
    assert told == ["WARNING", "WARNING"]


def test_a_loss_of_which_it_is_not_known_how_large_it_is_is_one() -> None:
    problems = Problems()
    losses = Losses(problems, OnLost.GO_ON)
    losses.gaps([Gap(FIRST, Why.MADE_ANEW, 50, 0, None, "a", "b")])
    assert losses.records["clicks"] == 0
    assert len(list(problems)) == 1


def test_a_worker_that_is_to_stop_does_with_one_line_for_all_partitions() -> None:
    problems = Problems()
    losses = Losses(problems, OnLost.STOP)
    with pytest.raises(LostError) as stopped:
        losses.gaps(DELETED)
    assert str(stopped.value).startswith(f"{DELETED[0]} (and so in 1 more partitions). The worker stops")
    assert "\n" not in str(stopped.value)
    assert (losses.records, list(problems)) == ({}, [])
