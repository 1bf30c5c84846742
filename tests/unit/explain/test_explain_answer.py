"""Answers about records in words: one clear reason, and what was near."""

from __future__ import annotations

from typing import Any

import pytest

from streamapp.explain.answer import Answer, AskedRecord, NearRecord, Place, because
from streamapp.joins import Explanation, Reason, Verdict

RECORD = AskedRecord(Place("views", 3, 17), "ann", 10_000)


def near(timestamp: int, outside_by: int = 0, note: str = "") -> NearRecord:
    return NearRecord(Place("purchases", 3, 40), "ann", timestamp, outside_by, note)


def said(verdict: Verdict, *found: NearRecord, behind: int = 0, gap: str = "", **explained: Any) -> str:
    explanation = Explanation(verdict=verdict, clock=explained.pop("clock", 20_000), **explained)
    return because(explanation, RECORD.timestamp, found, behind, gap)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (said(Verdict.MATCHED, near(9_000)), "it joined"),
        (said(Verdict.MATCHED), "it joined something that is no longer there"),
        (
            said(Verdict.PENDING, until=25_000),
            "nothing matches it so far; something can until the event clock, 1970-01-01T00:00:20.000Z, is "
            "1970-01-01T00:00:25.000Z",
        ),
        (said(Verdict.UNREAD, behind=1_200), "the join has not read it: 1,200 records of its partition are before it"),
        (
            said(Verdict.LATE, grace=200, late_by=1_500),
            "it came 1,500 ms after the grace of 200 ms: the event clock was 1970-01-01T00:00:11.700Z",
        ),
        (
            said(Verdict.LATE, grace=200, late_by=1_500, reasons=frozenset({Reason.LATE})),
            "it came after the grace of 200 ms, by 1,500 ms at most: the event clock is 1970-01-01T00:00:20.000Z now",
        ),
        (
            said(Verdict.UNMATCHED, window=(0, 5)),
            "nothing matched it while something could: nothing of its key was found near it",
        ),
        (
            said(Verdict.UNMATCHED, near(20_250, 3_250), window=(0, 17_000)),
            "nothing matched it while something could: the closest of its key is 3,250 ms after the window",
        ),
        (
            said(Verdict.UNMATCHED, near(20_000), window=(0, None)),
            "nothing matched it while something could: what there is of its key is newer, and came after it",
        ),
        (
            said(Verdict.UNMATCHED, near(12_000, note="itself late by 5 ms"), window=(0, 17_000)),
            "nothing matched it while something could: purchases[3]@40 is in the window, but itself late by 5 ms",
        ),
        (
            said(Verdict.UNMATCHED, near(9_000), window=(0, 17_000)),
            "nothing matched it while something could: what there is in the window was not there to be joined",
        ),
        (said(Verdict.UNMATCHED), "nothing matched it while something could: the other table has no row for it"),
        (said(Verdict.EXPIRED, window=(0, None)), "the row of its key had expired"),
        (said(Verdict.EXPIRED), "it is older than the history of its table"),
        (said(Verdict.REFUSED, detail="Expected `int`"), "it was refused; Expected `int`"),
        (
            said(Verdict.OVER, gap="a side output would"),
            "the join is done with it, and nothing tells how that ended: a side output would",
        ),
    ],
)
def test_the_reason_is_told_in_words(words: str, expected: str) -> None:
    assert words == expected


def test_an_answer_names_record_reason_window_what_was_near_and_who_says_so() -> None:
    answer = Answer(
        join="bought",
        side="right",
        record=RECORD,
        verdict=Verdict.NULL_KEY,
        because="of this",
        clock=20_000,
        position=18,
        window=(9_000, 12_000),
        until=None,
        grace_ms=None,
        late_by_ms=0,
        candidates=[near(12_250, 250), NearRecord(None, "bob", 9_000, note="it has no value")],
        evidence=Place("late", 3, 2),
    )
    assert answer.text.splitlines() == [
        "bought: views[3]@17, key 'ann', 1970-01-01T00:00:10.000Z",
        "  null key: of this",
        "  the window of times that match it: 1970-01-01T00:00:09.000Z to 1970-01-01T00:00:12.000Z",
        "  purchases[3]@40, 1970-01-01T00:00:12.250Z, 2,250 ms newer, 250 ms after the window",
        "  a row, key 'bob', 1970-01-01T00:00:09.000Z, 1,000 ms older, it has no value",
        "  as late[3]@2 says",
    ]
