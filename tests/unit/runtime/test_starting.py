"""From where a partition is read on, by what is committed and what there is."""

from __future__ import annotations

import pytest
from faust.types import TP

from streamapp.kafka.topic_metadata import LogRange
from streamapp.runtime.losses import Gap, Why
from streamapp.runtime.positions import Reached, gap

CLICKS = TP("clicks", 3)
LOG = LogRange(100, 200)
OLD, NEW = "k9y6eusATrSNPoG189PC0g", "m1Qlww2gQ1i2HOtG5_zsJA"


@pytest.mark.parametrize("offset", [100, 150, 200])
@pytest.mark.parametrize(("was", "now"), [(NEW, NEW), (None, NEW), (OLD, None), (None, None)])
def test_an_offset_that_is_there_is_gone_on_from(offset: int, was: str | None, now: str | None) -> None:
    assert gap(CLICKS, Reached(offset, was), LOG, now) is None


def test_records_that_were_deleted_unread_are_counted_by_their_offsets() -> None:
    found = gap(CLICKS, Reached(30, NEW), LOG, NEW)
    assert found == Gap(CLICKS, Why.DELETED, 30, 100, 70)
    assert str(found).startswith("clicks[3]: 70 records, offsets 30 to 99, were deleted before they were read")


def test_an_offset_behind_the_end_is_read_again_from_the_beginning() -> None:
    found = gap(CLICKS, Reached(201, NEW), LOG, NEW)
    assert found == Gap(CLICKS, Why.CUT_OFF, 201, 100, None)


@pytest.mark.parametrize("offset", [0, 150, 1_000])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning_whatever_the_offset(offset: int) -> None:
    found = gap(CLICKS, Reached(offset, OLD), LOG, NEW)
    assert found is not None
    assert (found.why, found.after, found.lost) == (Why.MADE_ANEW, 100, None)
    assert f"(id {OLD}, now {NEW}); after offset {offset} of the old one, reading begins at 100" in str(found)


@pytest.mark.parametrize(("end", "lost"), [(50, 0), (57, 7), (49, 0)])
def test_of_a_topic_that_was_made_anew_that_is_lost_which_was_seen_and_not_read(end: int, lost: int) -> None:
    found = gap(CLICKS, Reached(50, OLD, end), LOG, NEW)
    assert found is not None
    assert found.lost == lost


@pytest.mark.parametrize("reached", [None, Reached(None, NEW)])
def test_a_first_start_begins_at_the_first_record_there_is_and_tells_a_gap(
    reached: Reached | None,
) -> None:
    assert gap(CLICKS, reached, LogRange(0, 200), NEW) is None
    found = gap(CLICKS, reached, LOG, NEW)
    assert found == Gap(CLICKS, Why.BEGUN_LATE, 0, 100, None)
    assert str(found).startswith("clicks[3] begins at offset 100, and no offset of it is committed")
