"""An agent that fails gets the same batch again, then its halves, down to the record at fault."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from faust.types import TP

from streamapp.formats.undecodable import Reason
from streamapp.kafka.refusals import Cause
from streamapp.kafka.unreadable import Unreadable
from streamapp.runtime.batch import Batch
from streamapp.runtime.changelog_limits import RowRefusedError
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Work
from streamapp.stores.memory import MemoryPartition
from streamapp.worker.turn import Author, Turn, readable

CLICKS = TP("clicks", 0)
BUG = ValueError("no such field")
BY = Author("join pairs", "streamapp.joins.pairs")


def batch(*offsets: int) -> Batch:
    return Batch(CLICKS, [SimpleNamespace(offset=offset, timestamp=offset, key=b"k") for offset in offsets])


def turn(*offsets: int) -> Turn:
    return Turn([], [batch(*offsets)], generation=1)


def fail(turn: Turn, error: Exception = BUG, *, stop: bool = False) -> None:
    """Have an agent fail on what it is to be given now."""
    turn.begin()
    turn.failures += 1
    turn.failed(error, BY, stop=stop)


def waiting(turn: Turn) -> list[list[int]]:
    return [[record.offset for record in part] for part in turn.parts]


def rejected(work: Work) -> list[tuple[int, Reason]]:
    return [(one.record.offset, one.reason) for one in work.rejected]


def play(turn: Turn, bad: set[int]) -> list[int]:
    """Have an agent work that fails on some records; return those that it got done with."""
    done: list[int] = []
    while turn.parts:
        part = turn.begin()
        if any(record.offset in bad for record in part):
            turn.failures += 1
            turn.failed(BUG, BY, stop=False)
        else:
            done += [record.offset for record in part]
            turn.done()
    return done


def test_a_batch_that_fails_comes_again_in_halves() -> None:
    failing = turn(0, 1, 2, 3)
    fail(failing)
    assert waiting(failing) == [[0, 1], [2, 3]]


def test_only_the_records_at_fault_are_rejected_and_all_others_are_done_in_order() -> None:
    failing = turn(*range(100))
    assert play(failing, bad={3, 4, 99}) == [offset for offset in range(100) if offset not in {3, 4, 99}]
    assert rejected(failing.work) == [(offset, Reason.AGENT_FAILED) for offset in (3, 4, 99)]


def test_a_single_record_is_tried_twice_and_its_dead_letter_has_the_traceback() -> None:
    failing = turn(7)
    fail(failing)
    assert waiting(failing) == [[7]]
    fail(failing)
    assert waiting(failing) == []
    (letter,) = failing.work.rejected
    assert "ValueError: no such field" in letter.traceback
    assert (letter.join, letter.agent) == BY


def test_the_worker_stops_for_a_record_at_fault_if_it_is_told_to() -> None:
    failing = turn(7)
    fail(failing, stop=True)
    with pytest.raises(ValueError, match="no such field"):
        fail(failing, stop=True)
    assert waiting(failing) == [[7]]


def test_a_try_that_failed_leaves_nothing_of_its_work_behind() -> None:
    rows, failing = Uncommitted(MemoryPartition(), TP("changelog", 0)), turn(0, 1)
    failing.begin().work.changes[rows] = {b"half": None}
    failing.failures += 1
    failing.failed(BUG, BY, stop=False)
    failing.begin().work.changes[rows] = {b"whole": None}
    failing.done()
    failing.begin()
    failing.done()
    assert failing.work.changes == {rows: {b"whole": None}}


def test_a_row_that_the_changelog_refuses_rejects_its_record_without_a_second_try() -> None:
    refusing = turn(0, 1)
    error = RowRefusedError(Cause.TOO_LARGE, "larger than max.message.bytes")
    for _ in range(2):
        refusing.begin()
        refusing.refused(error, BY)
    assert waiting(refusing) == [[1]]
    assert rejected(refusing.work) == [(0, Reason.TOO_LARGE)]


def test_a_tick_that_fails_is_left_to_the_next_tick() -> None:
    tick = Turn([], [batch()], generation=1)
    fail(tick)
    assert (waiting(tick), rejected(tick.work)) == ([], [])


def test_records_that_cannot_be_read_are_left_out_and_the_others_keep_their_places() -> None:
    one = batch(0, 1, 2)
    one.records = [one.records[0], Unreadable(1, 1, 0, b"k", b"v", [], error="a header is not UTF-8"), one.records[2]]
    one.places = [10, 11, 12]
    good, bad = readable(one)
    assert ([record.offset for record in good], good.places) == ([0, 2], [10, 12])
    assert [(each.record.offset, each.reason) for each in bad] == [(1, Reason.HEADER_NOT_UTF8)]


def test_each_agent_gets_work_of_its_own_on_the_same_records() -> None:
    one = batch(0)
    (mine, _), (theirs, _) = readable(one), readable(one)
    assert mine.work is not theirs.work
    assert mine.records is theirs.records
