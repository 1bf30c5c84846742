"""Whether a store goes on with its changelog."""

from __future__ import annotations

import pytest

from streamapp.stores.memory import MemoryPartition
from streamapp.stores.partition import keep_in_step
from streamapp.stores.standing import UNKNOWN, Changelog, Fit, Standing, fit, is_too_old, trusted_ms

OLD, NEW = "old", "new"
DAY_MS = 24 * 3_600_000


@pytest.mark.parametrize(
    ("offset", "standing", "changelog", "expected"),
    [
        (None, Standing(), Changelog(NEW, 0, 9), Fit.EMPTY),
        (5, Standing(), Changelog(NEW, 0, 9), Fit.GOES_ON),  # of an older version
        (5, Standing(NEW), Changelog(NEW, 0, 9), Fit.GOES_ON),
        (5, Standing(NEW), Changelog(None, 0, 9), Fit.GOES_ON),
        (9, Standing(NEW), Changelog(NEW, 9, 9), Fit.GOES_ON),
        (5, Standing(NEW), Changelog(NEW, 6, 9), Fit.HEAD_GONE),
        (10, Standing(NEW), Changelog(NEW, 0, 9), Fit.TAIL_GONE),
        (10, Standing(NEW), Changelog(NEW, 0, 0), Fit.SUCCEEDS),
        (5, Standing(), Changelog(None, 0, 0), Fit.SUCCEEDS),
        (5, Standing(OLD), Changelog(NEW, 0, 0), Fit.SUCCEEDS),
        (5, Standing(OLD), Changelog(NEW, 0, 9), Fit.REPLACED),
        (5, Standing(OLD), Changelog(NEW, 0, 5), Fit.REPLACED),
        (5, Standing(OLD, successor=NEW), Changelog(NEW, 0, 9), Fit.SUCCEEDS),
        (5, Standing(OLD, successor="newer"), Changelog(NEW, 0, 9), Fit.REPLACED),
        (5, Standing(OLD, successor=UNKNOWN), Changelog(NEW, 0, 9), Fit.SUCCEEDS),
        (5, Standing(successor=UNKNOWN), Changelog(None, 0, 9), Fit.SUCCEEDS),
    ],
)
def test_a_store_goes_on_if_its_changelog_is_the_same_and_has_what_it_lacks(
    offset: int | None, standing: Standing, changelog: Changelog, expected: Fit
) -> None:
    assert fit(offset, standing, changelog) is expected


@pytest.mark.parametrize(
    ("age_ms", "retention_ms", "expected"),
    [
        (0, DAY_MS, False),
        (DAY_MS // 2, DAY_MS, False),
        (DAY_MS, DAY_MS, True),
        (DAY_MS - 3_600_000, DAY_MS, True),  # clocks may differ
        (1, 0, True),
        (1_000, 60_000, True),
        (-60_000, DAY_MS, False),
        (-2 * 3_600_000, DAY_MS, True),  # a clock was wrong
    ],
)
def test_a_store_is_too_old_once_tombstones_may_be_gone(age_ms: int, retention_ms: int, expected: bool) -> None:
    now_ms = 1_700_000_000_000
    assert is_too_old(Standing(OLD, now_ms - age_ms), now_ms, retention_ms) is expected


def test_a_store_of_an_older_version_is_taken_for_young() -> None:
    assert not is_too_old(Standing(), 1_700_000_000_000, 0)


def test_a_store_is_trusted_for_less_than_tombstones_stay() -> None:
    assert [trusted_ms(retention) for retention in (0, 60_000, 600_000, DAY_MS)] == [0, 0, 540_000, DAY_MS * 9 // 10]


def test_that_a_store_is_in_step_is_kept_now_and_then_and_for_another_topic() -> None:
    store = MemoryPartition()
    noted = []
    for at_ms, topic_id, inputs in [
        (1_000, OLD, {}),
        (2_000, None, None),
        (3_000, OLD, {"clicks": "a"}),
        (4_000, NEW, None),
        (5_000, NEW, {"clicks": "a"}),
        (50_000, None, None),
    ]:
        keep_in_step(store, at_ms, topic_id=topic_id, inputs=inputs)
        noted.append(store.standing.in_step_ms)
    assert noted == [1_000, 1_000, 3_000, 4_000, 4_000, 50_000]
    assert store.standing == Standing(NEW, 50_000, inputs={"clicks": "a"})


def test_what_is_kept_is_read_back_and_what_cannot_be_read_is_nothing() -> None:
    standing = Standing(OLD, 1_000, UNKNOWN, {"clicks": "a"})
    assert Standing.parse(bytes(standing)) == standing
    assert Standing.parse(None) == Standing.parse(b"{") == Standing()
