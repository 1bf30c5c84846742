"""What is joined: profiles of users, and clicks of theirs; the same numbers give the same records."""

from __future__ import annotations

import dataclasses
import functools
import random
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import orjson

__all__ = ["SPAN", "Input", "Load", "Output", "Record", "Workload"]

#: Event time (ms) that all profiles cover, and after them all clicks: together less than the life of a profile (300 s),
#: so that every click has a profile to join, in apps that let profiles expire and in those that do not.
SPAN: Final = 100_000
#: Text that makes a click longer is cut from a random one of this size (bytes): it compresses as real text does.
TEXT: Final = 1 << 20

Record = tuple[bytes, bytes, int]
"""Key, value and event time (ms)."""

Output = tuple[bytes | None, bytes | None]
"""Key and value of a record of the output."""


class Input(NamedTuple):
    """The records of a topic, and how many they are."""

    number: int
    records: Iterable[Record]


class Load(Protocol):
    """Topics to be joined, and what has to come of it."""

    @property
    def prefix(self) -> str:
        """A prefix for its topics, which no other load has."""

    @property
    def partitions(self) -> int:
        """How many each topic has."""

    @property
    def span(self) -> int:
        """Event time (ms) that it covers."""

    @property
    def records(self) -> int:
        """How many records are to be read."""

    @property
    def results(self) -> int:
        """How many results there are."""

    def inputs(self, start: int) -> Mapping[str, Input]:
        """Give the topics, by their names without the prefix; their first event time is `start` (ms)."""

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Tell which of the results a record of the output is, if it is a right one; None = it is none of them."""

    def settled(self, output: Iterable[Output]) -> Iterable[Output]:
        """Return what counts at the end of an output that has results of the same thing again and again."""


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
    def span(self) -> int:
        """Event time (ms) of profiles and clicks together."""
        return 2 * SPAN

    @property
    def records(self) -> int:
        """Profiles and clicks."""
        return self.users + self.clicks

    @property
    def results(self) -> int:
        """Each click has one."""
        return self.clicks

    def inputs(self, start: int) -> Mapping[str, Input]:
        """Give the profiles, and then the clicks."""
        return {
            "user_profiles": Input(self.users, self.profiles(start)),
            "user_clicks": Input(self.clicks, self.stream(start)),
        }

    def result(self, key: bytes | None, value: bytes | None) -> int | None:
        """Give the number of the click, if it is as it was produced, with its user's profile, under the user's key."""
        try:
            result = orjson.loads(value or b"")
            number = int(result["click"]["click_id"].removeprefix("c"))
            user = self.user(number)
            joined_at = float(result["join_timestamp"])
        except (ValueError, TypeError, KeyError, IndexError, AttributeError):
            return None
        right = (
            key == b"u%d" % user
            and joined_at > 0
            and number >= 0
            and result["click"] == orjson.loads(self.click(number))
            and result["profile"] == orjson.loads(self.profile(user))
            # Pathway says by this field whether a row came (1) or went (-1).
            and result.get("diff", 1) == 1
        )
        return number if right else None

    def settled(self, output: Iterable[Output]) -> Iterable[Output]:
        """Return all: a click is joined once."""
        return output

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
