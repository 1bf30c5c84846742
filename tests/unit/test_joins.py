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


ROWS = st.none() | TIMES.map(lambda time: Row(b"%d" % time, time))


@given(how=st.sampled_from([How.INNER, How.LEFT]), ttl=st.integers(0, 500), batch=st.lists(st.tuples(TIMES, ROWS)))
def test_a_batch_is_joined_as_its_records_are_one_by_one(how, ttl, batch) -> None:
    join, records = StreamTableJoin(how, ttl=ttl), range(len(batch))
    timestamps, rows = [time for time, _ in batch], [row for _, row in batch]
    matched, missed = join.match(records, timestamps, rows)
    reasons = list(map(join.missing, rows, timestamps))
    assert missed == [(record, reasons[record]) for record in records if reasons[record]]
    assert list(matched) == [
        (record, None if reasons[record] else rows[record])
        for record in records
        if not reasons[record] or how is How.LEFT
    ]


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
