"""What is joined in pairs: purchases with the views of the same user at about the same time."""

from __future__ import annotations

import dataclasses
import functools
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import orjson

from benchmarks.workload import Input, Output, Record

__all__ = ["DISORDER", "GRACE", "WINDOW", "Pairs"]

#: How far apart (ms) a purchase and a view may be, either way, and how late a record may be.
WINDOW: Final = 5_000
GRACE: Final = 5_000
#: How far (ms) records are behind those before them, at most: none is late.
DISORDER: Final = 1_000


@dataclasses.dataclass(frozen=True)
class Pairs:
    """Purchases and views whose users and event times are drawn at random.

    Args:
        users: keys.
        each: how many purchases, and how many views.
        partitions: of all topics.
        partners: views that a purchase has in its window, on average; and purchases a view.
    """

    users: int
    each: int
    partitions: int = 4
    partners: float = 2.0

    @property
    def prefix(self) -> str:
        """A prefix for its topics, which no other load has."""
        return f"pairs-u{self.users}-e{self.each}-p{self.partitions}-n{self.partners:g}."

    @property
    def span(self) -> int:
        """Event time (ms) of each of the topics."""
        return int(2 * WINDOW * self.each / self.users / self.partners)

    @property
    def records(self) -> int:
        """Purchases and views."""
        return 2 * self.each

    @property
    def results(self) -> int:
        """How many pairs there are."""
        return len(_numbers(self))

    def inputs(self, start: int) -> Mapping[str, Input]:
        """Give purchases and views in the order in which they arrive."""
        return {
            "purchases": Input(self.each, self._stream(start, self.purchase, 0)),
            "views": Input(self.each, self._stream(start, self.view, 1)),
        }

    def _stream(self, start: int, value: Callable[[int], bytes], side: int) -> Iterator[Record]:
        users, times = _drawn(self)[side]
        for number in range(self.each):
            yield b"u%d" % users[number], value(number), start + times[number]

    def purchase(self, number: int) -> bytes:
        """Give the value of a purchase."""
        return b'{"purchase_id":"p%d","user_id":"u%d","item":"item %d","price":%d.99,"currency":"NZD"}' % (
            number,
            _drawn(self)[0][0][number],
            number * 7919 % 100_000,
            number % 300,
        )

    def view(self, number: int) -> bytes:
        """Give the value of a view."""
        return b'{"view_id":"v%d","user_id":"u%d","url":"https://shop.example.com/catalogue/items/%d"}' % (
            number,
            _drawn(self)[1][0][number],
            number * 7919 % 100_000,
        )

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Give the number of the pair, if both its records are as they were produced, under the user's key."""
        try:
            result = orjson.loads(value or b"")
            left = int(result["left"]["purchase_id"].removeprefix("p"))
            right = int(result["right"]["view_id"].removeprefix("v"))
            number = _numbers(self)[left, right]
        except (ValueError, TypeError, KeyError, AttributeError):
            return None
        same = (
            key == b"u%d" % _drawn(self)[0][0][left]
            and result["left"] == orjson.loads(self.purchase(left))
            and result["right"] == orjson.loads(self.view(right))
        )
        return number if same else None

    def settled(self, output: Iterable[Output]) -> Iterable[Output]:
        """Return all: a pair is joined once."""
        return output


Side = tuple[Sequence[int], Sequence[int]]


@functools.lru_cache(maxsize=2)
def _drawn(load: Pairs) -> tuple[Side, Side]:
    """Draw the users and the times of purchases and views."""
    rng = random.Random(7)

    def side() -> Side:
        users = rng.choices(range(load.users), k=load.each)
        times = [number * load.span // load.each - rng.randrange(DISORDER + 1) for number in range(load.each)]
        return users, times

    return side(), side()


@functools.lru_cache(maxsize=2)
def _numbers(load: Pairs) -> Mapping[tuple[int, int], int]:
    """Number all pairs, which are found by comparing each purchase of a user with each view of the same user."""
    (buyers, bought), (viewers, viewed) = _drawn(load)
    views: defaultdict[int, list[int]] = defaultdict(list)
    for view, user in enumerate(viewers):
        views[user].append(view)
    pairs = (
        (purchase, view)
        for purchase, user in enumerate(buyers)
        for view in views[user]
        if abs(bought[purchase] - viewed[view]) <= WINDOW
    )
    return {pair: number for number, pair in enumerate(pairs)}
