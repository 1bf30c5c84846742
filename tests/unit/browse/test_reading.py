"""Records are chosen, and decoded as far as something is asked of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, cast

import pytest

from streamapp.browse.reading import Reading, Selection
from streamapp.browse.shown import Content, Decoding
from streamapp.conditions import condition
from streamapp.kafka.log_reader import Logged
from streamapp.kafka.partition import TP
from streamapp.kafka.record import Headers
from streamapp.reset.where import Kind, Where

TP0 = TP("orders", 0)


class Message:
    def headers(self) -> None:
        """It has none."""


class Log:
    """A partition with so many records."""

    def __init__(self, count: int) -> None:
        self.records = [
            Logged(TP0, number, number, b"k%d" % (number % 2), json.dumps({"n": number}).encode(), cast(Any, Message()))
            for number in range(count)
        ]

    def bounds(self, _: object) -> dict[TP, tuple[int, int]]:
        return {TP0: (0, len(self.records))}

    def between(self, ranges: Mapping[TP, tuple[int, int]]) -> Iterator[Logged]:
        yield from self.records[slice(*ranges[TP0])]


class Counted(Decoding):
    """Counts what is decoded."""

    def __init__(self) -> None:
        super().__init__()
        self.keys = self.values = 0

    def key(self, data: bytes | None, headers: Headers) -> Content:
        self.keys += 1
        return super().key(data, headers)

    def value(self, data: bytes | None, headers: Headers) -> Content:
        self.values += 1
        return super().value(data, headers)


@pytest.mark.parametrize(
    ("selection", "most", "count", "keys", "values"),
    [
        (Selection(), None, 10, 0, 0),
        (Selection(), 3, 3, 0, 0),
        (Selection(until=6), None, 6, 0, 0),
        (Selection(key="k1"), None, 5, 10, 5),
        (Selection(where=condition("n >= 7")), None, 3, 10, 10),
    ],
)
def test_records_are_counted_and_decoded_only_if_something_is_asked_of_them(
    selection: Selection, most: int | None, count: int, keys: int, values: int
) -> None:
    decoding = Counted()
    reading = Reading(cast(Any, Log(10)), [TP0], decoding, selection)
    assert reading.count(Where(Kind.BEGINNING), most) == count
    assert (decoding.keys, decoding.values) == (keys, values)
