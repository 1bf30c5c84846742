"""What waits is told with what it waits for."""

from __future__ import annotations

from faust.types import TP

from streamapp.joins import Event
from streamapp.runtime.alignment import Alignment
from streamapp.runtime.batch import Batch
from streamapp.runtime.waits import Wait, waits

CLICKS, PROFILES = TP("clicks", 0), TP("profiles", 0)


def alignment() -> Alignment:
    joined = dict.fromkeys(("clicks", "profiles"), ("profiles", "clicks"))
    return Alignment(joined, [CLICKS, PROFILES])


def hold(aligned: Alignment, tp: TP, *times: int, now: float = 0) -> None:
    records = [Event(b"ann", b"{}", time, offset) for offset, time in enumerate(times)]
    aligned.hold(Batch(tp, records), now)  # type: ignore[arg-type]


def test_a_wait_names_the_topic_that_has_nothing_at_hand() -> None:
    aligned = alignment()
    hold(aligned, CLICKS, 1, 2, 3)
    aligned.learn({CLICKS: {PROFILES: 5}}, {PROFILES: 4})
    assert aligned.take(2.5) == []
    assert list(waits(aligned, 2.5)) == [Wait("clicks", 0, 3, 2.5, ["profiles"])]


def test_what_an_agent_works_on_and_what_has_only_just_come_do_not_wait() -> None:
    aligned = alignment()
    hold(aligned, CLICKS, 1, 2, 3)
    assert list(waits(aligned, 0.1)) == []
    aligned.learn({CLICKS: {PROFILES: 5}}, {PROFILES: 5})
    assert len(aligned.take(2.5)) == 1
    assert list(waits(aligned, 2.5)) == []


def test_what_waits_for_its_turn_only_is_not_told() -> None:
    aligned = alignment()
    hold(aligned, CLICKS, 5)
    hold(aligned, PROFILES, 1)
    assert list(waits(aligned, 2.5)) == []
