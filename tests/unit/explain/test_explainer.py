"""What became of a record, of which the state of the join, its side outputs and the topics each know a part."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest
from fake_log import FakeLog
from faust.types import TP

from streamapp.explain.answer import Answer, NearRecord, Place
from streamapp.explain.evidence import EvidenceTopic, Match, dead_letters, side_output
from streamapp.explain.explainer import ExplainedJoin, Explainer
from streamapp.explain.lineage import Lineage
from streamapp.formats import Avro
from streamapp.formats.keys import Keys
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Driver, Event, Explanation, Joined, Reason, Record, Side, StreamStreamJoin, Verdict
from streamapp.kafka.log_reader import Logged, MissingError
from streamapp.kafka.partitioner import partition_of
from streamapp.kafka.partitioners import PARTITIONERS
from streamapp.runtime.inputs import Input

PURCHASES, VIEWS = "purchases", "views"
SIDES = {PURCHASES: Side.LEFT, VIEWS: Side.RIGHT}


class StateTable:
    name = "bought"


class Bought:
    """Purchases joined with the views of up to 300 ms before and 100 ms after them, in one process."""

    name = "bought"
    table = StateTable()
    inputs = (Input(PURCHASES, Side.LEFT), Input(VIEWS, Side.RIGHT))

    def __init__(self, evidence: Sequence[EvidenceTopic]) -> None:
        self.evidence = evidence
        self.driver = Driver(StreamStreamJoin(before=300, after=100, grace=200))
        self.positions = {TP(PURCHASES, 0): 0, TP(VIEWS, 0): 0}
        self.at_commit: Callable[[], object] = bool

    def take(self, record: Logged) -> Sequence[Joined]:
        event = Event(record.key, record.value, record.timestamp, record.offset)
        self.positions[record.tp] = record.offset + 1
        return self.driver.process([(SIDES[record.tp.topic], event)]).results

    def read(self, partition: int) -> dict[TP, int]:
        return {tp: offset for tp, offset in self.positions.items() if tp.partition == partition}

    async def commit(self, partition: int) -> None:
        assert partition == 0
        self.at_commit()

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        assert partition == 0
        return self.driver.operator.explain(source, record)


#: A side output for each reason that there can be.
SIDE_OUTPUTS = (
    dead_letters("dead"),
    side_output("unmatched", [Reason.UNMATCHED]),
    side_output("late", [Reason.LATE]),
)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog(purchases=2, views=2, unmatched=2, late=2, dead=2, results=2)


def explained(log: FakeLog, join: ExplainedJoin, record: Logged) -> Answer:
    (answer,) = asyncio.run(Explainer(lambda: log, join).explain(record.tp, record.offset))
    return answer


def test_a_record_that_waits_is_told_by_the_state_with_what_it_has_near(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    purchase, view = log.add(PURCHASES, "ann", 1_000), log.add(VIEWS, "ann", 1_250)
    join.take(purchase)
    join.take(view)
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.side, answer.until) == (Verdict.PENDING, "left", 1_301)
    assert answer.candidates == [NearRecord(Place(VIEWS, 0, 0), "ann", 1_250, outside_by_ms=150)]


def test_a_record_that_the_join_has_not_come_to_is_unread(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    join.take(log.add(PURCHASES, "ann", 1_000))
    log.add(PURCHASES, "bob", 1_000)
    answer = explained(log, join, log.add(PURCHASES, "ann", 1_000))
    assert (answer.verdict, answer.position) == (Verdict.UNREAD, 1)
    assert answer.because == "the join has not read it: 1 records of its partition are before it"


def test_a_record_that_is_in_no_side_output_is_matched(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    purchase, view = log.add(PURCHASES, "ann", 1_000), log.add(VIEWS, "ann", 900)
    for record in (purchase, view, log.add(VIEWS, "other", 9_000)):
        join.take(record)
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.because, answer.evidence) == (Verdict.MATCHED, "it joined", None)
    assert [near.place for near in answer.candidates] == [Place(VIEWS, 0, 0)]


def test_a_side_output_that_comes_with_the_commit_is_found(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    purchase = log.add(PURCHASES, "ann", 1_000)
    for record in (purchase, log.add(VIEWS, "other", 9_000)):
        join.take(record)
    join.at_commit = lambda: log.tell("unmatched", purchase, reason="unmatched")
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.evidence) == (Verdict.UNMATCHED, Place("unmatched", 0, 0))
    assert answer.because.endswith("nothing of its key was found near it")


def test_what_could_have_matched_is_told_with_what_became_of_it_itself(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    purchase = log.add(PURCHASES, "ann", 1_000)
    clock, late = log.add(VIEWS, "other", 9_000), log.add(VIEWS, "ann", 1_050)
    for record in (purchase, clock, late):
        join.take(record)
    log.tell("unmatched", purchase, reason="unmatched")
    log.tell("late", late, reason="late", late_by_ms="7750")
    assert explained(log, join, purchase).because.endswith("views[0]@1 is in the window, but itself late by 7,750 ms")
    answer = explained(log, join, late)
    assert (answer.verdict, answer.late_by_ms, answer.evidence) == (Verdict.LATE, 7_750, Place("late", 0, 0))


def test_what_is_in_another_partition_than_its_own_is_found_there(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    places = list(PARTITIONERS.values())
    key = next(key for key in map(str, range(99)) if {place(key.encode(), 2) for place in places} == {0, 1})
    purchase = log.add(PURCHASES, key, 1_000)
    log.add(VIEWS, key, 1_000, partition=1)
    for record in (purchase, log.add(VIEWS, "other", 9_000)):
        join.take(record)
    log.tell("unmatched", purchase, reason="unmatched")
    (near,) = explained(log, join, purchase).candidates
    assert (near.place, near.note) == (Place(VIEWS, 1, 0), "in another partition, where it is not looked for")


def test_a_dead_letter_tells_of_a_record_that_was_refused(log: FakeLog) -> None:
    join = Bought(SIDE_OUTPUTS)
    purchase = log.add(PURCHASES, "ann", 1_000)
    for record in (purchase, log.add(VIEWS, "other", 9_000)):
        join.take(record)
    letter = partition_of(b"ann", 2)
    log.tell("dead", purchase, partition=letter, reason="too_large", error="11 MB")
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.evidence) == (Verdict.REFUSED, Place("dead", letter, 0))
    assert answer.because == "it was refused; too_large: 11 MB"


def test_without_side_outputs_the_answer_says_what_to_name(log: FakeLog) -> None:
    join = Bought([])
    purchase = log.add(PURCHASES, "ann", 1_000)
    for record in (purchase, log.add(VIEWS, "other", 9_000)):
        join.take(record)
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.evidence) == (Verdict.OVER, None)
    assert answer.because.endswith("a side output would; name a topic for it (late=, unmatched=)")


def test_a_result_that_names_the_record_tells_what_it_joined(log: FakeLog) -> None:
    lineage = Lineage({Side.LEFT: PURCHASES, Side.RIGHT: VIEWS})
    join = Bought([EvidenceTopic("results", frozenset(), lineage.read)])
    purchase, view = log.add(PURCHASES, "ann", 1_000), log.add(VIEWS, "ann", 900)
    join.take(purchase)
    (result,) = join.take(view)
    headers = {name: value.decode() for name, value in lineage.headers(result, 0)}
    log.add("results", "ann", 1_000, headers=headers)
    join.take(log.add(VIEWS, "other", 9_000))
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.evidence) == (Verdict.MATCHED, Place("results", 0, 0))
    assert [near.place for near in answer.candidates] == [Place(VIEWS, 0, 0)]


def test_a_record_is_found_by_its_key_and_time_wherever_a_partitioner_put_it(log: FakeLog) -> None:
    explainer = Explainer(lambda: log, Bought([]))
    for partition in {place(b"ann", 2) for place in PARTITIONERS.values()}:
        log.records[TP(PURCHASES, partition)].clear()
        log.add(PURCHASES, "bob", 1_000, partition=partition)
        record = log.add(PURCHASES, "ann", 1_000, partition=partition)
        assert asyncio.run(explainer.find(PURCHASES, b"ann", 1_000)) == Place.of(record)
        log.records[record.tp].clear()


def test_a_record_that_there_is_not_is_told_with_its_key_and_time(log: FakeLog) -> None:
    explainer = Explainer(lambda: log, Bought([]))
    log.add(PURCHASES, "ann", 2_000)
    with pytest.raises(MissingError, match=r"no record of key 'ann' and 1970-01-01T00:00:01.000Z in purchases"):
        asyncio.run(explainer.find(PURCHASES, b"ann", 1_000))


class BoughtByNumber(Bought):
    """The same, of customers that are numbers in Avro."""

    keys = Keys(Avro("long"))
    inputs = (Input(PURCHASES, Side.LEFT, keys=keys), Input(VIEWS, Side.RIGHT, keys=keys))


def test_a_record_is_found_by_the_text_of_a_key_that_is_in_a_format(log: FakeLog) -> None:
    key = BoughtByNumber.keys.of(7)
    record = log.add(PURCHASES, key, 1_000, partition=partition_of(key, 2))
    explainer = Explainer(lambda: log, BoughtByNumber([]))
    assert asyncio.run(explainer.find(PURCHASES, b"7", 1_000)) == Place.of(record)
    with pytest.raises(Undecodable, match="whole number"):
        asyncio.run(explainer.find(PURCHASES, b"ann", 1_000))


def test_what_became_of_a_record_is_found_under_the_key_that_the_topic_has_of_it(log: FakeLog) -> None:
    keys = BoughtByNumber.keys
    number = next(number for number in range(100) if partition_of(b"%d" % number, 2) == 1)
    unmatched = side_output("unmatched", [Reason.UNMATCHED])._replace(written=keys.text)
    join = BoughtByNumber([dead_letters("dead"), unmatched, side_output("late", [Reason.LATE])])
    purchase = log.add(PURCHASES, keys.of(number), 1_000)
    for record in (purchase, log.add(VIEWS, keys.of(number + 1), 9_000)):
        join.take(record)
    place = {"topic": PURCHASES, "partition": "0", "offset": "0", "reason": "unmatched"}
    log.add("unmatched", f"{number}", 1_000, partition=1, headers=place)
    answer = explained(log, join, purchase)
    assert (answer.verdict, answer.evidence) == (Verdict.UNMATCHED, Place("unmatched", 1, 0))
    assert answer.record.key == f"{number}"


class Paid:
    """Payments that are decided on, of which the results alone tell."""

    name = "paid"
    table = StateTable()
    inputs = (Input(PURCHASES, Side.LEFT),)

    def __init__(self, decided: Logged | None) -> None:
        result = EvidenceTopic(
            "results", frozenset(), lambda found, _asked: Match(decision="declined") if found == decided else None
        )
        self.evidence = (dead_letters("dead"), result)

    def read(self, partition: int) -> dict[TP, int]:
        return {TP(PURCHASES, partition): 1}

    async def commit(self, partition: int) -> None:
        """There is nothing to commit."""

    def explain(self, partition: int, source: int, record: Record) -> Explanation:
        return Explanation(verdict=Verdict.OVER, clock=None)


def test_what_was_decided_on_a_record_is_told_as_its_result_says(log: FakeLog) -> None:
    payment, result = log.add(PURCHASES, "ann", 1_000), log.add("results", "ann", 1_000)
    answer = explained(log, Paid(result), payment)
    assert (answer.verdict, answer.because, answer.evidence) == (Verdict.DECIDED, "declined", Place("results", 0, 0))


def test_a_record_of_which_no_result_tells_yet_is_told_as_such(log: FakeLog) -> None:
    answer = explained(log, Paid(None), log.add(PURCHASES, "ann", 1_000))
    assert (answer.verdict, "no result has it so far" in answer.because) == (Verdict.OVER, True)
