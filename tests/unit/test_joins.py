"""The stream-table join, against what it means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Clock, How, Missing, Row, StreamTableJoin

TIMES = st.integers(0, 1_000)


@given(row=st.none() | TIMES, at=TIMES, ttl=st.integers(0, 500))
def test_a_record_joins_the_row_of_its_key_unless_that_is_older_than_the_ttl(row, at, ttl) -> None:
    missing = StreamTableJoin(ttl=ttl).missing(None if row is None else Row(b"{}", row), at)
    if row is None:
        assert missing is Missing.ABSENT
    elif ttl and at - row > ttl:
        assert missing is Missing.EXPIRED
    else:
        assert missing is None


def test_a_left_join_keeps_records_without_a_row_and_an_inner_join_does_not() -> None:
    assert StreamTableJoin(How.LEFT).keeps_unmatched
    assert not StreamTableJoin(How.INNER).keeps_unmatched


@given(times=st.lists(TIMES), ttl=st.integers(1, 500), row=TIMES)
def test_a_row_is_removed_only_when_it_is_expired_for_every_record_at_the_clock(times, ttl, row) -> None:
    clock, join = Clock(), StreamTableJoin(ttl=ttl)
    for time in times:
        clock.advance(time)
    before = join.expiry(clock.now)
    removed = before is not None and row < before
    assert removed == (bool(times) and join.missing(Row(b"", row), max(times)) is Missing.EXPIRED)


def test_without_a_ttl_nothing_is_ever_removed() -> None:
    assert StreamTableJoin(ttl=0).expiry(10**15) is None


def test_before_the_first_record_nothing_is_removed() -> None:
    assert StreamTableJoin(ttl=5).expiry(Clock().now) is None
