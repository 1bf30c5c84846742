"""The stream-table join, against what it means."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Clock, How, Missing, Row, StreamTableJoin

TIMES = st.integers(0, 1_000)
KEYS = st.sampled_from([b"a", b"b", b"c"])


@given(rows=st.dictionaries(KEYS, TIMES), key=KEYS, at=TIMES, ttl=st.integers(0, 500), how=st.sampled_from(How))
def test_a_record_joins_the_row_of_its_key_unless_that_is_older_than_the_ttl(rows, key, at, ttl, how) -> None:
    table = {name: Row(b"{}", time) for name, time in rows.items()}
    match = StreamTableJoin(how, ttl).match(key, at, table.get)
    if key not in rows:
        assert (match.row, match.missing) == (None, Missing.ABSENT)
    elif ttl and at - rows[key] > ttl:
        assert (match.row, match.missing) == (None, Missing.EXPIRED)
    else:
        assert (match.row, match.missing) == (table[key], None)
    assert match.emitted == (match.row is not None or how is How.LEFT)


@given(times=st.lists(TIMES), ttl=st.integers(1, 500), row=TIMES)
def test_a_row_is_removed_only_when_it_is_expired_for_every_record_at_the_clock(times, ttl, row) -> None:
    clock, join = Clock(), StreamTableJoin(ttl=ttl)
    for time in times:
        clock.advance(time)
    before = join.expiry(clock.now)
    removed = before is not None and row < before
    assert removed == (bool(times) and join.expired(Row(b"", row), max(times)))


def test_without_a_ttl_nothing_is_ever_removed() -> None:
    assert StreamTableJoin(ttl=0).expiry(10**15) is None


def test_before_the_first_record_nothing_is_removed() -> None:
    assert StreamTableJoin(ttl=5).expiry(Clock().now) is None
