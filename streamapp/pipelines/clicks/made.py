"""What the click join writes, in the format of the results; a click that has no place in it is a dead letter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from faust.types import TP

from streamapp.formats.undecodable import Reason as Letter
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Reason, Row
from streamapp.kafka.record import Result
from streamapp.pipelines.clicks import registered
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.registered import framed
from streamapp.pipelines.clicks.splicing import JsonSplicing
from streamapp.runtime.decoding import Keyed
from streamapp.runtime.work import Rejected

__all__ = ["joined", "splicing", "unmatched"]

M = TypeVar("M")

splicing = sides.splicing(bare=registered.joined is not None)


def joined(
    tp: TP, matched: Iterable[tuple[Keyed, Row | None]], now: float
) -> tuple[Sequence[Result], Sequence[Rejected]]:
    """Return the results of clicks of a partition, and the clicks of which there can be none.

    Args:
        tp: the partition.
        matched: clicks, each with the row of its profile, or None.
        now: the time of the join (s since 1970).
    """
    if isinstance(splicing, JsonSplicing):
        return splicing.joined(matched, now), ()  # bytes that are put together have a place in any case
    pairs = list(matched)
    try:
        made, unwritten = splicing.joined(pairs, now), list[Rejected]()
    except Undecodable:  # of one of them
        made, unwritten = _one_by_one(tp, pairs, lambda pair: splicing.joined([pair], now)[0], lambda pair: pair[0])
    return framed(registered.joined, made), unwritten


def unmatched(tp: TP, missed: Sequence[tuple[Keyed, Reason]]) -> tuple[Sequence[Result], Sequence[Rejected]]:
    """Return what is written of clicks that are not matched, and the clicks of which nothing can be."""
    made, unwritten = _one_by_one(tp, missed, lambda one: (one[0], splicing.unmatched(*one)), lambda one: one[0])
    return framed(registered.unmatched, made), unwritten


def _one_by_one(
    tp: TP, some: Sequence[M], make: Callable[[M], Result], click: Callable[[M], Keyed]
) -> tuple[list[Result], list[Rejected]]:
    made: list[Result] = []
    rejected: list[Rejected] = []
    for one in some:
        try:
            made.append(make(one))
        except Undecodable as exc:
            reason = Letter.NOT_OF_SCHEMA if exc.reason is not Letter.UNKNOWN_SCHEMA else exc.reason
            rejected.append(Rejected(tp, click(one), reason, str(exc)))
    return made, rejected
