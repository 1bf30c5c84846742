"""Of partitions that are joined, the record with the smallest event time goes first."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.runtime.alignment import Alignment, groups
from streamapp.runtime.batch import Batch, Merged

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)
JOINED = groups({"clicks": ("profiles",), "profiles": ()})


def batch(tp: TP, *times: int, offset: int = 0) -> Batch:
    return Batch(tp, [SimpleNamespace(offset=offset + i, timestamp=time) for i, time in enumerate(times)])


@pytest.fixture
def alignment() -> Alignment:
    return Alignment(JOINED, [CLICKS, PROFILES])


def taken(alignment: Alignment, now: float = 0) -> list[tuple[str, list[int]]]:
    return [(part.topic, part.timestamps) for part in alignment.take(now)]


def learn(alignment: Alignment, ends: dict[TP, int], positions: dict[TP, int]) -> None:
    """Take in how far partitions go now, and what of them was fetched."""
    waiting = {tp: alignment.others([tp]) for tp in alignment.full}
    barriers = {tp: {other: ends[other] for other in others} for tp, others in waiting.items() if others <= ends.keys()}
    alignment.learn(barriers, positions)


def done(alignment: Alignment, tp: TP) -> None:
    alignment.lane(tp).working = False


def test_a_record_waits_while_it_is_not_known_how_far_the_other_partition_goes(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 10, 11))
    assert taken(alignment) == []
    assert alignment.held == 2


def test_a_record_waits_while_the_broker_has_records_of_the_other_partition(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 10))
    learn(alignment, {PROFILES: 5}, {PROFILES: 3})
    assert taken(alignment) == []
    alignment.hold(batch(PROFILES, 1, 2, offset=3))
    learn(alignment, {CLICKS: 1}, {PROFILES: 5, CLICKS: 1})
    assert taken(alignment) == [("profiles", [1, 2])]
    assert taken(alignment) == []
    done(alignment, PROFILES)
    assert taken(alignment) == [("clicks", [10])]


def test_a_record_does_not_wait_for_one_that_came_after_it(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 10))
    learn(alignment, {PROFILES: 5}, {PROFILES: 5})
    assert taken(alignment) == [("clicks", [10])]


def test_of_two_batches_as_many_records_go_as_are_older_than_the_other_ones_first(alignment: Alignment) -> None:
    alignment.hold(batch(PROFILES, 1, 5, 20, 30))
    alignment.hold(batch(CLICKS, 5, 10, 25, 26))
    learn(alignment, {CLICKS: 4, PROFILES: 4}, {CLICKS: 4, PROFILES: 4})
    order = []
    for tp in (PROFILES, CLICKS, PROFILES, CLICKS, PROFILES):
        order += taken(alignment)
        done(alignment, tp)
    assert order == [
        ("profiles", [1, 5]),
        ("clicks", [5, 10]),
        ("profiles", [20]),
        ("clicks", [25, 26]),
        ("profiles", [30]),
    ]


def test_nothing_is_done_of_a_partition_of_which_nothing_is_known(alignment: Alignment) -> None:
    assert alignment.done(CLICKS) is None


def test_what_is_done_goes_to_the_position_where_nothing_is_left_to_do(alignment: Alignment) -> None:
    learn(alignment, {}, {CLICKS: 13})
    assert alignment.done(CLICKS) == 13  # markers and aborted batches only
    alignment.hold(batch(CLICKS, 10, 11, offset=20))
    learn(alignment, {PROFILES: 0}, {CLICKS: 25, PROFILES: 0})
    assert alignment.done(CLICKS) is None  # it waits
    alignment.take()
    assert alignment.done(CLICKS) is None  # it is in work
    alignment.lane(CLICKS).offsets.finish(21)
    assert alignment.done(CLICKS) == 25


def test_what_is_done_ends_before_what_is_in_work(alignment: Alignment) -> None:
    alignment.hold(batch(CLICKS, 10, 12, offset=0))
    alignment.hold(batch(PROFILES, 11, 13, offset=0))
    alignment.learn({CLICKS: {PROFILES: 2}, PROFILES: {CLICKS: 2}}, {CLICKS: 9, PROFILES: 9})
    alignment.take()
    alignment.lane(CLICKS).offsets.finish(0)
    assert alignment.done(CLICKS) == 1  # the other half waits


def test_partitions_with_different_numbers_do_not_wait_for_each_other() -> None:
    other, others = TP("clicks", 1), TP("profiles", 1)
    alignment = Alignment(JOINED, [CLICKS, PROFILES, other, others])
    alignment.hold(batch(other, 10))
    learn(alignment, {others: 0}, {others: 0, PROFILES: 0})
    assert taken(alignment) == [("clicks", [10])]


def test_a_topic_that_is_not_joined_waits_for_none() -> None:
    alignment = Alignment({}, [CLICKS])
    alignment.hold(batch(CLICKS, 10))
    learn(alignment, {}, {})
    assert taken(alignment) == [("clicks", [10])]


def test_a_partition_that_another_worker_has_is_not_waited_for() -> None:
    alignment = Alignment(JOINED, [CLICKS])
    alignment.hold(batch(CLICKS, 10))
    learn(alignment, {}, {})
    assert taken(alignment) == [("clicks", [10])]


def test_of_a_partition_one_batch_is_in_work_and_one_waits_and_no_more_is_fetched() -> None:
    alignment = Alignment({}, [PROFILES])
    alignment.hold(batch(PROFILES, 1))
    learn(alignment, {}, {})
    alignment.take()
    alignment.hold(batch(PROFILES, 2, offset=1))
    learn(alignment, {}, {})
    assert alignment.full == {PROFILES}
    assert taken(alignment) == []
    done(alignment, PROFILES)
    assert taken(alignment) == [("profiles", [2])]
    assert alignment.full == set()


def test_with_a_time_to_wait_a_record_waits_so_long_for_an_idle_partition() -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES], max_idle=2)
    alignment.hold(batch(CLICKS, 10), now=100)
    learn(alignment, {PROFILES: 0}, {PROFILES: 0})
    assert taken(alignment, now=101) == []
    assert alignment.enforced == 0
    assert taken(alignment, now=102) == [("clicks", [10])]
    assert alignment.enforced == 1


def test_without_waiting_a_record_goes_although_the_broker_has_older_ones() -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES], max_idle=-1)
    alignment.hold(batch(CLICKS, 10))
    learn(alignment, {PROFILES: 5}, {PROFILES: 0})
    assert taken(alignment) == [("clicks", [10])]


TIMES = st.lists(st.integers(0, 20), max_size=15)


@given(profiles=TIMES, clicks=TIMES, size=st.integers(1, 6))
def test_what_goes_is_merged_by_the_smallest_next_time_however_it_was_fetched(profiles, clicks, size) -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES])
    sources = {PROFILES: profiles, CLICKS: clicks}
    ends = {tp: len(times) for tp, times in sources.items()}
    positions = dict.fromkeys(sources, 0)
    order: list[tuple[str, int]] = []
    while len(order) < len(profiles) + len(clicks):
        for tp, times in sources.items():
            if tp not in alignment.full and positions[tp] < len(times):
                alignment.hold(batch(tp, *times[positions[tp] : positions[tp] + size], offset=positions[tp]))
                positions[tp] += size
        learn(alignment, ends, positions)
        for part in alignment.take():
            order += [(part.topic, time) for time in part.timestamps]
            done(alignment, part.tp)

    expected: list[tuple[str, int]] = []
    left = {"profiles": list(profiles), "clicks": list(clicks)}
    while any(left.values()):
        first = min((times[0], topic != "profiles", topic) for topic, times in left.items() if times)[2]
        expected.append((first, left[first].pop(0)))
    assert order == expected


VIEWS = TP("views", 0)


def together(*topics: str) -> Alignment:
    """Two partitions that one agent merges."""
    return Alignment(groups({"clicks": (), "views": ()}, [topics]), [CLICKS, VIEWS], merged={"clicks", "views"})


def test_merged_partitions_go_together_up_to_where_nothing_more_is_known() -> None:
    alignment = together("clicks", "views")
    alignment.hold(batch(CLICKS, 1, 5, 9))
    alignment.hold(batch(VIEWS, 2, 6))
    assert taken(alignment) == [("clicks", [1, 5]), ("views", [2, 6])]
    for tp in (CLICKS, VIEWS):
        done(alignment, tp)
    learn(alignment, {VIEWS: 2}, {VIEWS: 2})
    assert taken(alignment) == [("clicks", [9])]


def test_a_merged_partition_waits_while_the_broker_has_records_of_the_other() -> None:
    alignment = together("clicks", "views")
    alignment.hold(batch(CLICKS, 1))
    learn(alignment, {VIEWS: 2}, {VIEWS: 0})
    assert taken(alignment) == []


def test_a_round_is_over_when_all_its_partitions_are_done() -> None:
    alignment = together("clicks", "views")
    alignment.hold(batch(CLICKS, 1, 5))
    alignment.hold(batch(VIEWS, 2, 6))
    assert taken(alignment) == [("clicks", [1, 5]), ("views", [2])]
    done(alignment, CLICKS)
    assert taken(alignment) == []


def test_agents_that_prefer_different_orders_at_equal_times_get_the_first_ones() -> None:
    joined = groups({"a": (), "b": (), "c": ()}, [("b", "a"), ("a", "b"), ("c", "b")])
    assert joined["a"] == joined["b"] == joined["c"] == ("c", "b", "a")


def by_heads(left: list[int], right: list[int]) -> list[tuple[int, int]]:
    """Merge two partitions record by record: the one with the smaller time at its head is next."""
    queues, merged = ([*left], [*right]), []
    while any(queues):
        side = min((queue[0], side) for side, queue in enumerate(queues) if queue)[1]
        merged.append((queues[side].pop(0), side))
    return merged


@given(
    st.lists(st.integers(0, 20), max_size=30),
    st.lists(st.integers(0, 20), max_size=30),
    st.lists(st.integers(1, 5), min_size=1, max_size=8),
)
def test_merged_rounds_are_in_the_order_of_the_heads_however_they_were_fetched(
    left: list[int], right: list[int], sizes: list[int]
) -> None:
    alignment = together("clicks", "views")
    times, ends = {CLICKS: left, VIEWS: right}, {CLICKS: len(left), VIEWS: len(right)}
    positions, merged, size = dict.fromkeys(times, 0), [], itertools.cycle(sizes)
    while positions != ends or alignment.full:
        for tp in times.keys() - alignment.full:
            start = positions[tp]
            if start < ends[tp]:
                positions[tp] = stop = min(start + next(size), ends[tp])
                alignment.hold(batch(tp, *times[tp][start:stop], offset=start))
        learn(alignment, ends, positions)
        round_ = alignment.take()
        assert round_
        assert {part.tp for part in round_} == round_[0].round
        joined = Merged.of([CLICKS, VIEWS], round_)
        merged += [(record.timestamp, side) for record, side in zip(joined, joined.sources, strict=True)]
        for part in round_:
            done(alignment, part.tp)
    assert merged == by_heads(left, right)


def test_the_partitions_of_a_topic_that_goes_as_a_whole_are_merged_by_time() -> None:
    one, other = TP("raw", 0), TP("raw", 1)
    alignment = Alignment({}, [one, other], merged={"raw"}, whole={"raw"})
    alignment.hold(batch(one, 1, 5, 9))
    assert taken(alignment) == []
    alignment.hold(batch(other, 2, 6, 7))
    assert taken(alignment) == [("raw", [1, 5]), ("raw", [2, 6, 7])]
    assert alignment.lane(one).working


#: A topic that goes as a whole, after one whose agent is another one.
PAID, RATES = [TP("paid", 0), TP("paid", 1)], [TP("rates", 0), TP("rates", 1)]
PAID_AFTER_RATES = groups({"paid": ("rates",), "rates": ()})


def test_a_whole_topic_goes_in_rounds_up_to_what_the_topics_before_it_have() -> None:
    alignment = Alignment(PAID_AFTER_RATES, [*PAID, *RATES], whole={"paid"})
    for tp, times in ((PAID[0], (1, 5, 9)), (PAID[1], (2, 6)), (RATES[0], (4, 8)), (RATES[1], (6,))):
        alignment.hold(batch(tp, *times))
    assert taken(alignment) == [("paid", [1]), ("paid", [2])]
    assert taken(alignment) == []
    for tp in PAID:
        done(alignment, tp)
    assert taken(alignment) == [("rates", [4])]
    done(alignment, RATES[0])
    assert taken(alignment) == [("paid", [5])]
    done(alignment, PAID[0])
    assert taken(alignment) == [("rates", [6])]


def test_a_whole_topic_waits_for_what_the_broker_was_known_to_have_of_it() -> None:
    alignment = Alignment(PAID_AFTER_RATES, [*PAID, *RATES], whole={"paid"})
    assert (alignment.others([PAID[0]]), alignment.beside(PAID[0])) == ({RATES[0]}, (PAID[1],))
    alignment.hold(batch(PAID[0], 5))
    alignment.learn({PAID[0]: {RATES[0]: 0, PAID[1]: 1}}, {PAID[0]: 1, PAID[1]: 0, RATES[0]: 0})
    assert taken(alignment) == []
    alignment.hold(batch(PAID[1], 2))
    alignment.learn({PAID[1]: {RATES[1]: 0, PAID[0]: 1}}, {PAID[0]: 1, PAID[1]: 1, RATES[1]: 0})
    assert taken(alignment) == [("paid", [5]), ("paid", [2])]


def test_a_topic_without_an_order_goes_first_up_to_what_the_broker_had() -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES], unordered={"profiles"})
    alignment.hold(batch(CLICKS, 10))
    alignment.hold(batch(PROFILES, 50, 60))
    assert taken(alignment) == [("profiles", [50, 60])]  # it is not known yet how far it goes
    done(alignment, PROFILES)
    learn(alignment, {PROFILES: 3}, {PROFILES: 2})
    assert taken(alignment) == []
    alignment.hold(batch(PROFILES, 5, offset=2))
    assert taken(alignment) == [("profiles", [5])]
    done(alignment, PROFILES)
    alignment.hold(batch(PROFILES, 70, offset=3))
    assert taken(alignment) == [("clicks", [10])]


def test_a_topic_without_an_order_that_goes_last_waits_like_any() -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES], unordered={"clicks"})
    alignment.hold(batch(CLICKS, 10))
    assert taken(alignment) == []


def test_what_others_wrote_of_a_topic_goes_first_and_what_follows_by_its_time() -> None:
    alignment = Alignment(JOINED, [CLICKS, PROFILES])
    alignment.mixed = {PROFILES: 2}
    alignment.hold(batch(CLICKS, 10, 90))
    learn(alignment, {PROFILES: 4}, {PROFILES: 0})
    alignment.hold(batch(PROFILES, 50, 60))
    assert taken(alignment) == [("profiles", [50, 60])]
    done(alignment, PROFILES)
    alignment.hold(batch(PROFILES, 5, 70, offset=2))
    assert taken(alignment) == [("profiles", [5])]
    done(alignment, PROFILES)
    assert taken(alignment) == [("clicks", [10])]
