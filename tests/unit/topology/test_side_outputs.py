"""What cannot be joined goes to the dead letters, if no topic is named for it; what is late or unmatched is counted."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import pytest
from faust.types import TP

from streamapp.formats.undecodable import Reason as Letter
from streamapp.joins import Event, How, Reason, SideOutput, StreamStreamJoin
from streamapp.runtime.batch import Batch
from streamapp.runtime.output import DeadLetters, Output
from streamapp.runtime.problems import Problems
from streamapp.runtime.watch import Watch
from streamapp.runtime.work import Rejected
from streamapp.topology.join_watch import JoinWatch
from streamapp.topology.side_outputs import SideCount, SideOutputs

TOPICS = {0: "orders", 1: "payments"}
JOIN = StreamStreamJoin(before=0, after=0, grace=0, how=How.LEFT)


class App:
    def __init__(self) -> None:
        self.dead_letters = DeadLetters(self, "dead_letters")
        self.watch = Watch(Problems(), {}, share=1)


def sent(sides: list[SideOutput], outputs: Mapping[Reason, Output] | None = None) -> tuple[Batch, SideOutputs]:
    outputs = outputs or {}
    side_outputs = SideOutputs(App().dead_letters, "join paid", TOPICS, outputs, JoinWatch("join paid", JOIN, TOPICS))
    batch = Batch(TP("orders", 3), [Event(b"k", b"v", 0, 7)])  # type: ignore[list-item]
    side_outputs.send(batch, sides)
    for effect in batch.work.effects:
        effect()
    return batch, side_outputs


def side(reason: Reason, *, source: int = 0, offset: int = 7, **more: Any) -> SideOutput:
    return SideOutput(reason, source, Event(b"k", b"v", 0, offset), **more)


@pytest.mark.parametrize(
    ("one", "reason", "error"),
    [
        (side(Reason.NULL_KEY, rejected=True), Letter.NULL_KEY, "has no key"),
        (side(Reason.NULL_VALUE, rejected=True), Letter.TOMBSTONE, "has no value"),
        (side(Reason.EXPIRED, rejected=True), Letter.EXPIRED, "older than the history"),
        (side(Reason.REFUSED, detail="no", rejected=True), Letter.REFUSED, "no"),
        (side(Reason.REFUSED, detail="no", cause="missing_field", rejected=True), Letter.MISSING_FIELD, "no"),
        (side(Reason.REFUSED, detail="no", cause="a word of one's own", rejected=True), Letter.REFUSED, "no"),
    ],
)
def test_what_cannot_be_joined_is_a_dead_letter_with_its_reason(one: SideOutput, reason: Letter, error: str) -> None:
    batch, _ = sent([one])
    (letter,) = batch.work.rejected
    assert (letter.tp, letter.record, letter.reason, letter.join) == (TP("orders", 3), one.record, reason, "join paid")
    assert error in letter.error


def test_if_a_topic_is_named_it_goes_there_instead() -> None:
    output = Output(App(), "refused")
    batch, _ = sent([side(Reason.REFUSED, rejected=True)], {Reason.REFUSED: output})
    assert not batch.work.rejected
    assert [results.output for results in batch.work.results] == [output]


@pytest.mark.parametrize(
    "one",
    [
        side(Reason.UNMATCHED),
        side(Reason.LATE, late_by=5),
        side(Reason.EXPIRED),
        side(Reason.NULL_KEY),  # of a side that is kept: there is a result
        side(Reason.SUPERSEDED, rejected=True),  # it is in the history of its table
    ],
)
def test_what_is_late_unmatched_or_only_superseded_is_counted(one: SideOutput) -> None:
    batch, side_outputs = sent([one])
    assert not batch.work.rejected
    assert side_outputs.counts == {SideCount("orders", one.reason): 1}


def test_a_record_that_cannot_be_joined_as_either_side_is_one_dead_letter() -> None:
    batch, _ = sent([side(Reason.NULL_KEY, rejected=True), side(Reason.NULL_KEY, rejected=True)])
    assert len(batch.work.rejected) == 1


def test_late_records_that_are_in_no_topic_are_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    sent([side(Reason.LATE, late_by=5), side(Reason.LATE, late_by=70)])
    (line,) = caplog.messages
    assert line.startswith("The join paid: 2 records of orders were late so far, the last one by 70 ms")
    sent([side(Reason.LATE, late_by=5)], {Reason.LATE: Output(App(), "late")})
    assert len(caplog.messages) == 1


def test_a_dead_letter_that_is_rejected_itself_is_not_sent_again() -> None:
    letters = App().dead_letters
    assert letters.letters([Rejected(TP("dead_letters", 0), Event(b"k", b"v", 0), Letter.NOT_JSON, "no JSON")]) == []  # type: ignore[arg-type]
    assert letters.counts["dead_letters", Letter.NOT_JSON] == 1
