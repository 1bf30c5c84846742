"""The stream-table join, against what it means."""

from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from streamapp.joins import Clock, How, MemoryStore, Reason, Row, State, StreamTableJoin, Wall
from streamapp.joins.table import StateRows

TIMES = st.integers(0, 1_000)
TTLS = st.integers(0, 500)
KEYS = st.sampled_from([b"a", b"b", b"c", b"d"])
TABLES = st.dictionaries(KEYS, TIMES.map(lambda time: Row(b"%d" % time, time)))


@dataclasses.dataclass
class Run:
    """Records that are numbers, with columns."""

    keys: list[bytes]
    timestamps: list[int]

    def __iter__(self):
        return iter(range(len(self.keys)))


def table(rows: dict[bytes, Row]) -> StateRows:
    made = StateRows(State(MemoryStore()), aging=True)
    made.write(rows)
    return made


@given(row=st.none() | TIMES, at=TIMES, ttl=TTLS)
def test_a_record_joins_the_row_of_its_key_unless_that_is_older_than_the_ttl(row, at, ttl) -> None:
    missing = StreamTableJoin(ttl=ttl).missing(None if row is None else Row(b"{}", row), at)
    if row is None:
        assert missing is Reason.UNMATCHED
    elif ttl and at - row > ttl:
        assert missing is Reason.EXPIRED
    else:
        assert missing is None


@given(
    how=st.sampled_from([How.INNER, How.LEFT]),
    ttl=TTLS,
    kept=TTLS,
    rows=TABLES,
    batch=st.lists(st.tuples(KEYS, TIMES)),
    ahead=st.just(1_000) | TIMES,
)
def test_a_batch_is_joined_as_its_records_are_one_by_one(how, ttl, kept, rows, batch, ahead) -> None:
    join, wall = StreamTableJoin(how, ttl=ttl, kept=kept), Wall()
    wall.set(0, ahead)
    together, single = (table(rows) for _ in "ab")
    clocks = Clock(wall), Clock(wall)
    matched, missed = join.match(Run(*([part[n] for part in batch] for n in (0, 1))), together, clocks[0])
    expected_matched, expected_missed = [], []
    for number, (key, time) in enumerate(batch):
        ((one, none)) = join.match(Run([key], [time]), single, clocks[1])
        expected_matched += [(number, row) for _, row in one]
        expected_missed += [(number, reason) for _, reason in none]
    assert list(matched) == expected_matched
    assert [record for record, _ in missed] == [record for record, _ in expected_missed]
    assert (clocks[0].now, list(together.keys())) == (clocks[1].now, list(single.keys()))


@given(st.lists(st.tuples(KEYS, TIMES), max_size=5), TABLES, st.integers(1, 500))
def test_a_record_that_is_behind_joins_a_row_that_is_kept_for_it(records, rows, ttl) -> None:
    join, clock = StreamTableJoin(ttl=ttl, kept=1_000), Clock()
    clock.advance(1_000)
    matched, missed = join.match(Run([k for k, _ in records], [t for _, t in records]), table(rows), clock)
    fresh = [
        (n, rows[key]) for n, (key, time) in enumerate(records) if key in rows and time - rows[key].timestamp <= ttl
    ]
    assert list(matched) == fresh
    assert [reason for _, reason in missed] == [
        Reason.EXPIRED if key in rows else Reason.UNMATCHED
        for n, (key, _) in enumerate(records)
        if n not in dict(fresh)
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
    assert removed == (bool(times) and join.missing(Row(b"", row), max(times)) is Reason.EXPIRED)


def test_without_a_ttl_nothing_is_ever_removed() -> None:
    assert StreamTableJoin(ttl=0).expiry(10**15) is None


def test_before_the_first_record_nothing_is_removed() -> None:
    assert StreamTableJoin(ttl=5).expiry(Clock().now) is None
