"""Copies of records: each is taken in once, whatever its writers do."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.runtime.copies import Copies, Copy, mark, without_mark

OTHER = ("trace", b"1")


def copy(partition: int, offset: int, topic_id: bytes = b"a") -> Any:
    return SimpleNamespace(headers=[OTHER, mark(partition, offset, topic_id)])


def test_a_copy_that_is_there_once_more_is_told() -> None:
    copies = Copies({})
    assert copies.again([copy(0, 3), copy(1, 2), copy(0, 5)]) == []
    assert copies.again([copy(0, 3), copy(0, 5), copy(0, 6), copy(1, 2)]) == [0, 1, 3]


def test_what_was_taken_in_before_a_restart_is_told_after_it() -> None:
    assert Copies({0: Copy(5, b"a")}).again([copy(0, 5), copy(0, 6)]) == [0]


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    assert Copies({0: Copy(5, b"a")}).again([copy(0, 0, b"b"), copy(0, 0, b"b")]) == [1]


def test_records_that_say_nothing_are_all_new() -> None:
    plain = SimpleNamespace(headers=[OTHER])
    assert Copies({0: Copy(5, b"a")}).again([plain, plain, SimpleNamespace(headers=[])]) == []


def test_the_header_of_a_copy_is_none_of_the_records_own() -> None:
    assert without_mark(copy(0, 3).headers) == [OTHER]
    assert without_mark([OTHER]) == [OTHER]


@st.composite
def logs(draw: st.DrawFn) -> tuple[int, Sequence[int]]:
    """How many records a partition has, and their copies, by several writers.

    Each begins where the group had committed, which is not further than what is there, and writes on in order; what
    several write at a time is mixed.
    """
    count = draw(st.integers(0, 12))
    log = list(range(draw(st.integers(0, count))))
    committed = draw(st.integers(0, len(log)))
    writers = [
        list(range(draw(st.integers(0, committed)), draw(st.integers(committed, count)))),
        list(range(committed, count)),
    ]
    while any(writers):
        log.append(draw(st.sampled_from([one for one in writers if one])).pop(0))
    return count, log


@given(logs())
@settings(max_examples=200)
def test_each_record_is_taken_in_once_and_in_order_whoever_writes_its_copies(case: tuple[int, Sequence[int]]) -> None:
    count, log = case
    copies = Copies({})
    taken = [offset for offset in log if not copies.again([copy(0, offset)])]
    assert taken == list(range(count))
