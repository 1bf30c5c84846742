"""What is joined: profiles of users, and clicks of theirs; the same numbers give the same records."""

from __future__ import annotations

import dataclasses
import functools
import random
import string
from collections.abc import Iterator
from typing import Final

__all__ = ["Record", "Workload"]

#: Event time (ms) that all profiles, and after them all clicks, cover together: less than the life of a profile
#: (300 s), so that every click has a profile to join, in apps that let profiles expire and in those that do not.
SPAN: Final = 200_000
#: Text that makes a click longer is cut from a random one of this size: it compresses as poorly as real text does.
TEXT: Final = 1 << 20

Record = tuple[bytes, bytes, int]
"""Key, value and event time (ms)."""


@dataclasses.dataclass(frozen=True)
class Workload:
    """A profile for each of `users`, and then `clicks` whose users are drawn at random.

    Args:
        users: rows of the table.
        clicks: records of the stream; each of them has a profile to join.
        partitions: of all topics.
        click_bytes: the least size of a click's value; 0 = about 110, as they are.
    """

    users: int
    clicks: int
    partitions: int = 4
    click_bytes: int = 0

    @property
    def name(self) -> str:
        """A name that no other workload has, for its topics."""
        return f"u{self.users}-c{self.clicks}-p{self.partitions}-b{self.click_bytes}"

    def profiles(self, start: int) -> Iterator[Record]:
        """Give the profiles in the order of their event times, from `start` (ms)."""
        step = SPAN / (self.users + self.clicks)
        for user in range(self.users):
            yield b"u%d" % user, self.profile(user), start + int(user * step)

    def stream(self, start: int) -> Iterator[Record]:
        """Give the clicks in the order of their event times, which are after those of the profiles."""
        step = SPAN / (self.users + self.clicks)
        for number, user in enumerate(self.users_of_clicks):
            yield b"u%d" % user, self.click(number), start + int((self.users + number) * step)

    def profile(self, user: int) -> bytes:
        """Give the value of a profile."""
        return b'{"user_id":"u%d","name":"User Number %d","country":"NZ","plan":"premium"}' % (user, user)

    def click(self, number: int) -> bytes:
        """Give the value of a click."""
        value = b'{"click_id":"c%d","user_id":"u%d","url":"https://shop.example.com/catalogue/items/%d"' % (
            number,
            self.users_of_clicks[number],
            number * 7919 % 100_000,
        )
        if (missing := self.click_bytes - len(value) - 10) > 0:
            at = number * 4099 % (TEXT - missing)
            value += b',"text":"%b"' % _text()[at : at + missing]
        return value + b"}"

    @functools.cached_property
    def users_of_clicks(self) -> list[int]:
        """The user of each click."""
        return random.Random(7).choices(range(self.users), k=self.clicks)


@functools.cache
def _text() -> bytes:
    words = [bytes(random.Random(n).choices(string.ascii_lowercase.encode(), k=2 + n % 9)) for n in range(5_000)]
    return b" ".join(random.Random(7).choices(words, k=TEXT // 5))[:TEXT]
