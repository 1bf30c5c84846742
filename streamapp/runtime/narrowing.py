"""Narrowing: which records of a record batch that the broker refuses are at fault, and what is sent again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from streamapp.kafka.refusals import RecordRefusedError

__all__ = ["narrowed"]

R = TypeVar("R")

#: Results that one record batch takes, each with the number of the list that they are of.
Part = list[tuple[int, Sequence[R]]]


def narrowed(
    contents: Sequence[Sequence[R]], error: RecordRefusedError
) -> tuple[list[tuple[int, R, RecordRefusedError]], list[Part[R]]]:
    """Return what is at fault, and what is to be sent again, each part as a record batch of its own, in this order.

    If the broker does not say which records it refuses, each of the lists is tried alone, and then the halves of one,
    down to a single record.

    Args:
        contents: the lists of results that are in the record batch.
        error: what the broker says.
    """
    if error.records:
        return _told(contents, error)
    if len(contents) > 1:
        return [], [[(number, results)] for number, results in enumerate(contents)]
    (results,) = contents
    if len(results) == 1:
        return [(0, results[0], error)], []
    middle = len(results) // 2
    return [], [[(0, results[:middle])], [(0, results[middle:])]]


def _told(
    contents: Sequence[Sequence[R]], error: RecordRefusedError
) -> tuple[list[tuple[int, R, RecordRefusedError]], list[Part[R]]]:
    refused: list[tuple[int, R, RecordRefusedError]] = []
    good: Part[R] = []
    begin = 0
    for number, results in enumerate(contents):
        places = range(begin, begin + len(results))
        refused += [
            (number, results[place - places.start], error.of(place)) for place in places if place in error.records
        ]
        if left := [result for place, result in zip(places, results, strict=True) if place not in error.records]:
            good.append((number, left))
        begin = places.stop
    return refused, [good] if good else []
