"""What the state of a join has already is not joined again after a crash, unless it is read again on purpose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest
from faust.types import TP

from streamapp.joins import Event
from streamapp.runtime.batch import Batch, Merged
from streamapp.topology.provenance import Provenance, Redone

TPS = [TP("orders", 0), TP("payments", 0)]
MADE_OF = Provenance({0: "orders", 1: "payments"}, {}, ids={"orders": "A", "payments": "B"})


def batch(orders: range, payments: range) -> Merged:
    """Make a batch of records with these offsets, which are their times too."""
    batches = [
        Batch(tp, cast("Any", [Event(b"k", b"%d" % at, at, at) for at in offsets]))
        for tp, offsets in zip(TPS, (orders, payments), strict=True)
        if offsets
    ]
    return Merged.of(TPS, batches)


def offsets(batch: Merged) -> list[list[int]]:
    """Return the offsets in a batch, by topic."""
    return [[each.offset for n, each in zip(batch.sources, batch, strict=True) if n == source] for source in (0, 1)]


def test_records_that_are_in_the_state_are_left_out_topic_by_topic() -> None:
    redone = Redone({"orders": 4, "payments": 6}, {"orders": 2, "payments": 5})
    came = batch(range(2, 7), range(5, 7))
    rest, again = redone.divided(came)
    assert offsets(rest) == [[4, 5, 6], [6]]
    assert again is not None
    assert offsets(again) == [[2, 3], [5]]
    assert rest.work is again.work is came.work


def test_a_topic_whose_records_come_later_is_waited_for() -> None:
    redone = Redone({"orders": 4, "payments": 6}, {"orders": 2, "payments": 5})
    assert offsets(redone.divided(batch(range(2, 4), range(0)))[0]) == [[], []]
    assert offsets(redone.divided(batch(range(4, 6), range(5, 6)))[0]) == [[4, 5], []]
    assert offsets(redone.divided(batch(range(6, 8), range(6, 7)))[0]) == [[6, 7], [6]]


def test_once_all_is_new_batches_are_given_on_as_they_are() -> None:
    redone = Redone({"orders": 4}, {"orders": 2})
    redone.divided(batch(range(2, 5), range(0)))
    for came in (batch(range(5, 6), range(3)), Merged(TPS, [], [])):
        assert redone.divided(came) == (came, None)
    came = batch(range(4, 6), range(3))
    assert Redone({"orders": 4, "payments": 0}, {"orders": 4, "payments": 0}).divided(came) == (came, None)


@pytest.mark.parametrize(
    ("placements", "ids", "taken"),
    [
        ({"orders": "first", "payments": "first"}, {}, {"orders": 4, "payments": 6}),
        ({"orders": "second", "payments": "first"}, {}, {"payments": 6}),  # `streamapp reset`, or by hand
        ({"orders": "first", "payments": "first"}, {"orders": "C"}, {"payments": 6}),  # made anew
        ({}, {}, {"orders": 4, "payments": 6}),  # an older version has committed
    ],
)
def test_what_a_state_has_counts_as_long_as_the_topic_is_read_on_from_there(
    placements: Mapping[str, str], ids: Mapping[str, str], taken: Mapping[str, int]
) -> None:
    begun = MADE_OF.placed({"orders": "first", "payments": "first"}).with_taken({"orders": 4, "payments": 6})
    was = Provenance.decode(begun.encode())
    now = Provenance(MADE_OF.topics, {}, ids={**MADE_OF.ids, **ids}).placed(placements).after(was)
    assert now.taken == taken
    assert now.after(now).taken == taken
    assert {**now.placements} == {"orders": "first", "payments": "first", **placements}


def test_an_older_versions_state_is_read_on_only_after_its_own_commit() -> None:
    was = MADE_OF.with_taken({"orders": 4, "payments": 6})
    assert MADE_OF.placed({"orders": ""}).after(was).taken == was.taken
    assert MADE_OF.placed({"orders": "first"}).after(was).taken == {"payments": 6}
