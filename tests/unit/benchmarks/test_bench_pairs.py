"""The purchases and views of the benchmarks, and the check of their pairs."""

from __future__ import annotations

import itertools
import json
from typing import Any

import orjson
import pytest

from benchmarks.check import check
from benchmarks.pairs import DISORDER, GRACE, WINDOW, Pairs
from benchmarks.workload import Record
from streamapp.joins import Driver, Event, MemoryStore, Side, StreamStreamJoin

LOAD = Pairs(users=20, each=400)
PURCHASES, VIEWS = (list(one.records) for one in LOAD.inputs(0).values())


def pair(purchase: Record, view: Record) -> tuple[bytes, bytes]:
    return purchase[0], b'{"left":%b,"right":%b}' % (purchase[1], view[1])


PAIRS = [
    pair(purchase, view)
    for purchase, view in itertools.product(PURCHASES, VIEWS)
    if purchase[0] == view[0] and abs(purchase[2] - view[2]) <= WINDOW
]


def test_the_same_numbers_give_the_same_records() -> None:
    again = Pairs(users=20, each=400).inputs(0)
    assert [list(one.records) for one in again.values()] == [PURCHASES, VIEWS]


def test_each_record_names_the_user_that_is_its_key() -> None:
    assert all(json.loads(value)["user_id"] == key.decode() for key, value, _ in PURCHASES + VIEWS)


def test_there_are_about_as_many_pairs_as_were_asked_for() -> None:
    assert LOAD.results == len(PAIRS) == pytest.approx(400 * LOAD.partners, rel=0.2)


def test_records_come_out_of_order_but_none_is_late() -> None:
    for records in (PURCHASES, VIEWS):
        times = [timestamp for _, _, timestamp in records]
        behind = [latest - time for latest, time in zip(itertools.accumulate(times, max), times, strict=True)]
        assert 0 < max(behind) <= DISORDER < GRACE


def test_the_library_finds_all_of_them() -> None:
    join = StreamStreamJoin(before=WINDOW, after=WINDOW, grace=GRACE)
    sides = [
        (side, Event(*record)) for side, records in zip(Side, (PURCHASES, VIEWS), strict=True) for record in records
    ]
    sides.sort(key=lambda one: one[1].timestamp)
    found: Any = Driver(join, MemoryStore()).process(sides).results
    values = [(one.key, b'{"left":%b,"right":%b}' % (one.left.value, one.right.value)) for one in found]
    assert check(LOAD, values).ok


def test_an_output_with_each_pair_once_is_right() -> None:
    assert check(LOAD, reversed(PAIRS)).ok


def test_a_pair_that_is_not_there_is_missing_and_one_there_twice_is_repeated() -> None:
    found = check(LOAD, [*PAIRS[1:], PAIRS[3]])
    assert (found.right, found.missing, found.repeated, found.wrong) == (len(PAIRS) - 1, 1, 1, 0)


def far_apart() -> tuple[bytes, bytes]:
    return next(
        pair(purchase, view)
        for purchase, view in itertools.product(PURCHASES, VIEWS)
        if purchase[0] == view[0] and abs(purchase[2] - view[2]) > WINDOW
    )


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param((PAIRS[0][0], b"{"), id="not JSON"),
        pytest.param((PAIRS[0][0], None), id="a tombstone"),
        pytest.param((b"other", PAIRS[0][1]), id="another key"),
        pytest.param((PAIRS[0][0], PAIRS[0][1].replace(b'"right"', b'"view"')), id="no view"),
        pytest.param((PAIRS[0][0], orjson.dumps({**orjson.loads(PAIRS[0][1]), "right": {"view_id": "v1"}})), id="part"),
        pytest.param(far_apart(), id="outside the window"),
    ],
)
def test_any_other_record_is_wrong(wrong: tuple[bytes | None, bytes | None]) -> None:
    found = check(LOAD, [*PAIRS, wrong])
    assert (found.right, found.missing, found.repeated, found.wrong) == (len(PAIRS), 0, 0, 1)


def test_loads_have_topics_of_their_own() -> None:
    loads = [LOAD, Pairs(21, 400), Pairs(20, 401), Pairs(20, 400, 8), Pairs(20, 400, partners=3.0)]
    assert len({load.prefix for load in loads}) == len(loads)
