"""Two declarations over the same records, beside two drivers whose results are compared by hand."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamapp.advice.stretch import Asked, Came
from streamapp.advice.subject import Subject
from streamapp.advice.taking import Group, Taken, Taking
from streamapp.advice.trial import Trial
from streamapp.joins import Driver, Event, How, Join, Side, StreamStreamJoin, StreamTableJoin, Wall
from streamapp.kafka.partition import TP
from streamapp.measures.differences import Kind
from streamapp.measures.lateness import Place
from streamapp.runtime.inputs import Input

examples = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

TOPICS = ("lefts", "rights")
#: Side, key, time.
RECORDS = st.lists(
    st.tuples(st.sampled_from(Side), st.sampled_from([b"a", b"b", None]), st.integers(0, 60)), max_size=40
)
PAIRS = st.builds(
    StreamStreamJoin,
    before=st.integers(0, 30),
    after=st.integers(0, 30),
    grace=st.integers(0, 30),
    how=st.sampled_from(How),
)


@dataclasses.dataclass
class Given:
    """Records of one partition of each topic, in the order in which they are taken in."""

    subject: Subject
    records: list[tuple[Side, Event]]
    #: So many of each topic are from before the stretch.
    before: int = 0
    wall: Wall = dataclasses.field(default_factory=Wall)
    arrival: bool = False

    def groups(self) -> Iterator[Group]:
        yield Group(0, [])

    def take(self, _group: Group, _asked: Asked) -> Iterator[Taken]:
        for side, event in self.records:
            yield Taken(0, side, event, Came(TP(TOPICS[side], 0), event, None), event.offset >= self.before)

    def place(self, source: int, partition: int, offset: int) -> Place | None:
        return None if offset < 0 else Place(TOPICS[source], partition, offset)

    def in_stretch(self, place: Place) -> bool:
        return place.offset >= self.before


def events(records: list[tuple[Side, bytes | None, int]]) -> list[tuple[Side, Event]]:
    counts: Counter[Side] = Counter()
    found = []
    for side, key, time in records:
        found.append((side, Event(key, b"v%d" % counts[side], time, counts[side])))
        counts[side] += 1
    return found


def trial(given_: list[tuple[Side, Event]], a: Join[Any], b: Join[Any], before: int = 0) -> Trial:
    subject = Subject("j", a, [Input(topic, side) for side, topic in enumerate(TOPICS)])
    found = Trial(cast(Taking, Given(subject, given_, before)), Asked(), a, b)
    found.run()
    return found


def offset(side: Any) -> int | None:
    return None if side is None else cast(int, side.offset)


def driven(given_: list[tuple[Side, Event]], join: Join[Any]) -> Driver[Any]:
    driver: Driver[Any] = Driver(join)
    for record in given_:
        driver.process([record])
    return driver


def results(driver: Driver[Any]) -> Counter[tuple[int | None, int | None]]:
    return Counter((offset(result.left), offset(result.right)) for result in driver.results)


def fates(given_: list[tuple[Side, Event]], driver: Driver[Any]) -> dict[tuple[Side, int], str]:
    """Say what became of each record, by its driver."""
    told = {(side, event.offset): "pending" for side, event in given_}
    for result in driver.results:
        if result.left is not None and result.right is not None:
            told[Side.LEFT, result.left.offset] = told[Side.RIGHT, result.right.offset] = "matched"
    return told | {(Side(one.side), one.record.offset): one.reason.value for one in driver.side_outputs}


@examples
@given(RECORDS, PAIRS, PAIRS)
def test_results_differ_as_those_of_two_drivers_do(
    records: list[tuple[Side, bytes | None, int]], a: StreamStreamJoin, b: StreamStreamJoin
) -> None:
    given_ = events(records)
    found = trial(given_, a, b)
    first, second = (results(driven(given_, join)) for join in (a, b))
    counts = found.compared().counts
    assert counts[Kind.ONLY_A] == len(first - second)
    assert counts[Kind.ONLY_B] == len(second - first)
    assert counts[Kind.SAME] + counts[Kind.CHANGED] == len(first & second)
    assert [outcome.results for outcome in found.outcomes()] == [first.total(), second.total()]


@examples
@given(RECORDS, PAIRS, PAIRS)
def test_what_became_of_each_record_is_what_the_drivers_say(
    records: list[tuple[Side, bytes | None, int]], a: StreamStreamJoin, b: StreamStreamJoin
) -> None:
    given_ = events(records)
    found = trial(given_, a, b)
    first, second = (fates(given_, driven(given_, join)) for join in (a, b))
    assert [outcome.records for outcome in found.outcomes()] == [Counter(first.values()), Counter(second.values())]
    moved = Counter((first[one], second[one]) for one in first if first[one] != second[one])
    assert {(one.a, one.b): one.records for one in found.moved()} == moved


@examples
@given(RECORDS, PAIRS, st.integers(0, 10))
def test_what_was_before_the_stretch_can_be_met_and_is_not_counted(
    records: list[tuple[Side, bytes | None, int]], join: StreamStreamJoin, before: int
) -> None:
    given_ = events(records)
    found = trial(given_, join, join, before)
    told = fates(given_, driven(given_, join))
    inside = Counter(fate for (_, number), fate in told.items() if number >= before)
    assert [outcome.records for outcome in found.outcomes()] == [inside, inside]
    pairs = [
        pair for pair in results(driven(given_, join)).elements() if any(n is not None and n >= before for n in pair)
    ]
    assert found.outcomes()[0].results == len(pairs)
    assert not found.moved()


def test_an_expired_row_makes_a_result_less_and_another_row_makes_it_another_one() -> None:
    given_ = [
        (Side.RIGHT, Event(b"a", b"old", 0, 0)),
        (Side.LEFT, Event(b"a", b"x", 50, 0)),
        (Side.RIGHT, Event(b"a", b"new", 60, 1)),
        (Side.LEFT, Event(b"a", b"y", 55, 1)),
    ]
    shorter = trial(given_, StreamTableJoin(), StreamTableJoin(ttl=40))
    (only_a,) = shorter.compared().samples[Kind.ONLY_A]
    assert only_a.what.places == (Place("lefts", 0, 0),)
    assert [(one.a, one.b, one.records) for one in shorter.moved()] == [("matched", "expired", 1)]
    as_of = trial(given_, StreamTableJoin(), StreamTableJoin(history=1_000))
    (changed,) = as_of.compared().samples[Kind.CHANGED]
    assert changed.what.places == (Place("lefts", 0, 1),)
    assert changed.a == ((55, Place("rights", 0, 1), b"new"),)
    assert changed.b == ((55, Place("rights", 0, 0), b"old"),)


def test_a_longer_grace_holds_more_state() -> None:
    given_ = events([(Side.LEFT, b"k%d" % number, 10 * number) for number in range(5_000)])
    a, b = (StreamStreamJoin(before=0, after=0, grace=grace) for grace in (0, 40_000))
    first, second = trial(given_, a, b).outcomes()
    assert second.bytes > 5 * first.bytes > 0
