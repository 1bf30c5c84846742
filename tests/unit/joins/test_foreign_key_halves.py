"""The halves of a foreign-key join, whose messages take their time: what is joined in the end, and what is told."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from join_models import LEFT, RIGHT, Arrival
from test_joins_models import TWO_WAYS, arrivals, shown

from streamapp.joins import Balance, Driver, Event, ForeignKeyJoin, How, Joined, Reason, Record, SideOutput, Verdict
from streamapp.joins.foreign_key import LeftHalf, RightHalf
from streamapp.joins.foreign_key_sides import Answer, Subscription

#: How many partitions the topics of each side have.
PARTITIONS = {LEFT: 2, RIGHT: 3}


def name(record: Record) -> bytes | None:
    return (record.value or b"|").split(b"|")[1] or None


def partition_of(key: bytes | None, side: int) -> int:
    return sum(key or b"") % PARTITIONS[side]


class Halves:
    """Both halves, in so many partitions, and the messages that are under way between any two of these."""

    def __init__(self, how: How, data: st.DataObject | None = None) -> None:
        left: Any = LeftHalf(foreign_key=name, how=how)
        right: Any = RightHalf()
        joins = {LEFT: left, RIGHT: right}
        self.drivers = {(s, n): Driver(joins[s]) for s, count in PARTITIONS.items() for n in range(count)}
        self.under_way: defaultdict[tuple[Any, Any], deque[Event]] = defaultdict(deque)
        self.results: list[Joined] = []
        self._offsets: Counter[Any] = Counter()
        self._data = data

    def send(self, record: Arrival, offset: int) -> None:
        """Have a half take a record of its table."""
        place = record.source, partition_of(record.key, record.source)
        self._process(place, record.source, [Event(record.key, record.value, record.timestamp, offset)])

    def deliver(self) -> None:
        """Have a half take some of the messages that are under way to it from one other partition."""
        ways = [way for way, messages in self.under_way.items() if messages]
        way = ways[0] if self._data is None else self._data.draw(st.sampled_from(ways), "way")
        messages = self.under_way[way]
        count = 1 if self._data is None else self._data.draw(st.integers(1, len(messages)), "messages")
        self._process(way[1], 1 - way[1][0], [messages.popleft() for _ in range(count)])

    @property
    def settled(self) -> bool:
        return not any(self.under_way.values())

    def _process(self, place: tuple[int, int], source: int, records: list[Event]) -> None:
        driver, batch = self.drivers[place], [(source, record) for record in records]
        if self._data is not None and self._data.draw(st.booleans(), "crash"):
            driver.operator.process(batch)
            driver.restart()
        for result in driver.process(batch).results:
            match result:
                case Subscription() | Answer():
                    side = 1 - place[0]
                    way = place, (side, partition_of(result.to, side))
                    self._offsets[way[1]] += 1
                    message = Event(result.to, result.encode(), result.timestamp, self._offsets[way[1]])
                    self.under_way[way].append(message)
                case Joined():
                    self.results.append(result)
        assert driver.operator.balance.holds
        assert driver.operator.updates.holds

    def told(self, side: int) -> list[SideOutput]:
        return [told for (s, _), driver in self.drivers.items() if s == side for told in driver.side_outputs]

    def balance(self, side: int) -> Counter[str]:
        found: Counter[str] = Counter()
        for (s, _), driver in self.drivers.items():
            if s == side:
                found.update({field: getattr(driver.operator.balance, field) for field in Balance.__struct_fields__})
        return found


def joined_table(records: list[Arrival], how: How) -> dict[bytes, tuple[bytes, bytes | None]]:
    """What the joined table has in the end: of each key the values of both sides."""
    sides: dict[int, dict[bytes, bytes | None]] = {LEFT: {}, RIGHT: {}}
    for record in records:
        if record.key is not None:
            sides[record.source][record.key] = record.value
    lefts = {key: value for key, value in sides[LEFT].items() if value is not None}
    found = {key: (value, sides[RIGHT].get(name(Event(key, value, 0)) or b"none")) for key, value in lefts.items()}
    return {key: pair for key, pair in found.items() if how is How.LEFT or pair[1] is not None}


def run(how: How, records: list[Arrival], data: st.DataObject) -> Halves:
    """Send records while messages are under way, and then have all of these come."""
    halves = Halves(how, data)
    for offset, record in enumerate(records):
        while not halves.settled and data.draw(st.booleans(), "first"):
            halves.deliver()
        halves.send(record, offset)
    while not halves.settled:
        halves.deliver()
    return halves


def reordered(how: How, records: list[Arrival], data: st.DataObject) -> None:
    halves = run(how, records, data)
    table: dict[bytes, tuple[bytes, bytes | None]] = {}
    newest: dict[bytes, int] = {}
    for result in halves.results:
        assert result.key is not None
        if result.left is None:
            del table[result.key]  # there is a row to be deleted
        else:
            assert result.left.offset >= newest.get(result.key, -1), "a row that is replaced does not come back"
            newest[result.key] = result.left.offset
            table[result.key] = result.left.value, result.right and result.right.value  # type: ignore[assignment]
    assert table == joined_table(records, how)


def accounted(how: How, records: list[Arrival], data: st.DataObject) -> None:
    halves = run(how, records, data)
    for side in (LEFT, RIGHT):
        came = {offset: record for offset, record in enumerate(records) if record.source == side}
        told, balance = halves.told(side), halves.balance(side)
        assert balance["received"] == len(came)
        assert balance["pending"] == 0
        places = [one.record.offset for one in told]
        assert len(places) == len(set(places)) == balance["unmatched"] + balance["rejected"]
        for one in told:
            record = came[one.record.offset]
            assert (one.record.key, one.record.value, one.record.timestamp) == (
                record.key,
                record.value,
                record.timestamp,
            )
            if one.reason is Reason.SUPERSEDED:
                assert one.rejected
                assert any(later.key == record.key for place, later in came.items() if place > one.record.offset)
    matched = {result.left.offset for result in halves.results if result.left and result.right}
    assert not matched & {one.record.offset for one in halves.told(LEFT) if one.reason is Reason.SUPERSEDED}


@pytest.mark.parametrize("check", [reordered, accounted])
def test_messages_that_overtake_each_other_change_neither_the_table_nor_the_balance(check: Any) -> None:
    limits = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
    limits(given(TWO_WAYS, arrivals(foreign=True), st.data())(check))()


@settings(deadline=None)
@given(TWO_WAYS, arrivals(foreign=True))
def test_messages_that_take_no_time_give_what_the_join_in_one_partition_gives(how: How, records: list[Arrival]) -> None:
    halves, whole = Halves(how), Driver(ForeignKeyJoin(foreign_key=name, how=how))
    for offset, record in enumerate(records):
        halves.send(record, offset)
        while not halves.settled:
            halves.deliver()
        whole.process([(record.source, Event(record.key, record.value, record.timestamp, offset))])
    key = {result.key: number for number, result in enumerate(whole.results)}
    assert sorted(map(shown, halves.results), key=str) == sorted(map(shown, whole.results), key=str)
    assert {result.key for result in halves.results} == key.keys()
    both = halves.balance(LEFT) + halves.balance(RIGHT)
    balance = whole.operator.balance
    assert both == +Counter({field: getattr(balance, field) for field in Balance.__struct_fields__})
    told = [(one.side, one.record.offset, one.reason) for side in (LEFT, RIGHT) for one in halves.told(side)]
    assert sorted(told) == sorted((one.side, one.record.offset, one.reason) for one in whole.side_outputs)


def replaced(how: How = How.INNER) -> Halves:
    """A left row that is replaced while its question is under way."""
    halves = Halves(how)
    halves.send(Arrival(RIGHT, b"r", b"1|", 5), 0)
    halves.send(Arrival(LEFT, b"k", b"2|r", 10), 0)
    halves.send(Arrival(LEFT, b"k", b"3|r", 20), 1)
    return halves


def test_a_left_row_that_is_replaced_before_its_answer_comes_out_as_superseded() -> None:
    halves = replaced()
    assert halves.balance(LEFT)["pending"] == 2
    while not halves.settled:
        halves.deliver()
    (told,) = halves.told(LEFT)
    assert (told.reason, told.record, told.rejected) == (Reason.SUPERSEDED, Event(b"k", b"2|r", 10, 0), True)
    assert +halves.balance(LEFT) == Counter(received=2, matched=1, rejected=1)
    assert [result.left.value for result in halves.results if result.left] == [b"3|r"]


def test_a_left_row_that_is_deleted_before_its_answer_comes_out_as_superseded() -> None:
    halves = Halves(How.LEFT)
    halves.send(Arrival(LEFT, b"k", b"2|r", 10), 0)
    halves.send(Arrival(LEFT, b"k", None, 20), 1)
    while not halves.settled:
        halves.deliver()
    assert [(told.reason, told.record.offset) for told in halves.told(LEFT)] == [
        (Reason.UNMATCHED, 1),
        (Reason.SUPERSEDED, 0),
    ]
    assert halves.results == []


def test_a_left_row_waits_for_its_answer_also_when_it_is_replaced_and_then_it_is_told_what_became_of_it() -> None:
    halves = replaced()
    left = halves.drivers[LEFT, partition_of(b"k", LEFT)].operator
    first, second = Event(b"k", b"2|r", 10, 0), Event(b"k", b"3|r", 20, 1)
    assert [left.explain(LEFT, record).verdict for record in (first, second)] == [Verdict.PENDING] * 2
    while not halves.settled:
        halves.deliver()
    (told,) = halves.told(LEFT)
    assert left.explain(LEFT, first).settled(told).verdict is Verdict.SUPERSEDED
    assert left.explain(LEFT, second).verdict is Verdict.MATCHED


def test_where_results_may_be_there_that_the_state_knows_nothing_of_a_missing_one_is_always_deleted() -> None:
    for exact in (True, False):
        driver: Driver[Any] = Driver(LeftHalf(foreign_key=name, exact=exact))
        driver.send(LEFT, b"k", None, 1)
        assert [result.tombstone for result in driver.results] == ([] if exact else [True])
