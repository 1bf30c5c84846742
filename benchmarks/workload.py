"""What is joined: profiles of users, and clicks of theirs; the same numbers give the same records."""

from __future__ import annotations

import dataclasses
import functools
import random
import string
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["SPAN", "Record", "Workload"]

#: Event time (ms) that all profiles cover, and after them all clicks: together less than the life of a profile (300 s),
#: so that every click has a profile to join, in apps that let profiles expire and in those that do not.
SPAN: Final = 100_000
#: Text that makes a click longer is cut from a random one of this size (bytes): it compresses as real text does.
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
        click_bytes: the size of a click's value, if that is more than it has anyway, which is about 100.
    """

    users: int
    clicks: int
    partitions: int = 4
    click_bytes: int = 0

    @property
    def prefix(self) -> str:
        """A prefix for its topics, which no other workload has."""
        return f"u{self.users}-c{self.clicks}-p{self.partitions}-b{self.click_bytes}."

    @property
    def bytes_of_a_click(self) -> int:
        """The size of the first click, which is that of all but for the digits of their numbers."""
        return len(self.click(0))

    def profiles(self, start: int) -> Iterator[Record]:
        """Give the profiles in the order of their event times, from `start` (ms)."""
        for user in range(self.users):
            yield b"u%d" % user, self.profile(user), start + user * SPAN // self.users

    def stream(self, start: int) -> Iterator[Record]:
        """Give the clicks in the order of their event times, which are after those of the profiles."""
        for number, user in enumerate(_users(self.users, self.clicks)):
            yield b"u%d" % user, self.click(number), start + SPAN + number * SPAN // self.clicks

    def profile(self, user: int) -> bytes:
        """Give the value of a profile."""
        return b'{"user_id":"u%d","name":"User Number %d","country":"NZ","plan":"premium"}' % (user, user)

    def click(self, number: int) -> bytes:
        """Give the value of a click."""
        value = b'{"click_id":"c%d","user_id":"u%d","url":"https://shop.example.com/catalogue/items/%d"' % (
            number,
            self.user(number),
            number * 7919 % 100_000,
        )
        missing = self.click_bytes - len(value) - len(b',"text":""}')
        if missing > 0:
            at = number * 4099 % (TEXT - missing)
            value += b',"text":"%b"' % _text()[at : at + missing]
        return value + b"}"

    def user(self, click: int) -> int:
        """Give the user of a click."""
        return _users(self.users, self.clicks)[click]


@functools.lru_cache(maxsize=4)
def _users(users: int, clicks: int) -> Sequence[int]:
    return random.Random(7).choices(range(users), k=clicks)


@functools.cache
def _text() -> bytes:
    rng = random.Random(7)
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 10))) for _ in range(5_000)]
    return " ".join(rng.choices(words, k=TEXT)).encode()[:TEXT]
