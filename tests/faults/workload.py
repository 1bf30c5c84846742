"""What a round produces, and the set model: what has to come of it, whatever happens meanwhile."""

from __future__ import annotations

import dataclasses
import itertools
import random
import threading
import time
from collections import Counter

from topics import Topics

__all__ = ["INPUTS", "Click", "Model", "Order", "Workload"]

INPUTS = ("user_profiles", "user_clicks", "increments", "orders", "payments")
#: Users whose profiles are updated all the while; such as never have one; such as lose theirs in the end.
USERS = [f"u{number}" for number in range(200)]
NEVER = [f"n{number}" for number in range(10)]
GONE = [f"g{number}" for number in range(10)]
#: What is in a slice of the workload beside the clicks: profiles that are updated, increments, orders, and records
#: that cannot be used.
UPDATES, INCREMENTS, ORDERS, POISON = 20, 200, 100, 2
#: Forms of these: no JSON, no UTF-8, no user, a user of the wrong type.
FORMS = (b"poison %d", b'{"user_id": "\xff%d"}', b'{"poison": %d}', b'{"user_id": %d}')
#: Seconds from a slice to the next one, and event time between them (ms).
EVERY, SLICE = 0.2, 1_000
#: Event time (ms) from an order to its payment, at most.
PAID_WITHIN = 500


@dataclasses.dataclass(frozen=True)
class Click:
    """A click that must join the profile that was there before it, or a later one."""

    user: str
    version: int


@dataclasses.dataclass(frozen=True)
class Order:
    """An order that must be joined with its payment, or without any."""

    number: int
    is_paid: bool


@dataclasses.dataclass
class Model:
    """What the inputs make of themselves, by sets and counts alone."""

    joined: dict[str, Click] = dataclasses.field(default_factory=dict)
    unmatched: set[str] = dataclasses.field(default_factory=set)
    dead: set[bytes] = dataclasses.field(default_factory=set)
    orders: set[Order] = dataclasses.field(default_factory=set)
    #: Clicks whose results may have been deleted.
    excused: set[str] = dataclasses.field(default_factory=set)
    #: The version of each user's profile.
    profiles: dict[str, int] = dataclasses.field(default_factory=dict)
    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    #: Records produced, by topic.
    sent: Counter[str] = dataclasses.field(default_factory=Counter)

    def excuse_joined(self) -> None:
        """Take note that the results of all clicks so far may have been deleted."""
        self.excused |= self.joined.keys()
        self.joined.clear()


class Workload:
    """Profiles, clicks that need them, orders, payments, increments, and records that cannot be used, slice by slice.

    Args:
        topics: to produce to.
        chance: decides which.
        clicks: in each slice.
    """

    def __init__(self, topics: Topics, chance: random.Random, clicks: int) -> None:
        self.model = Model()
        self._topics, self._chance, self._clicks = topics, chance, clicks
        self._version = 0
        self._orders = itertools.count()
        #: Held while a slice is produced.
        self.turn = threading.Lock()

    def begin(self) -> None:
        """Give each user but `NEVER` a profile."""
        self._profiles([*USERS, *GONE])

    def produce(self, slices: int, enough: threading.Event) -> None:
        """Produce so many slices, one after the other, and more of them until it is `enough`."""
        begun = time.monotonic()
        for number in itertools.count():
            if number >= slices and enough.is_set():
                return
            time.sleep(max(0.0, begun + EVERY * number - time.monotonic()))
            with self.turn:
                self.slice()

    def slice(self) -> None:
        """Produce one more slice; to be called in one's `turn`."""
        self._profiles(self._chance.sample(USERS, UPDATES))
        self._click(self._chance.choices([*USERS, *NEVER], k=self._clicks))
        self._order(self._chance.sample(USERS, ORDERS))
        self._increment(self._chance.choices(USERS, k=INCREMENTS))
        self.poison(POISON)

    def burst(self, clicks: int) -> None:
        """Produce so many clicks of 1 KB at once."""
        with self.turn:
            self._click(self._chance.choices(USERS, k=clicks), url="/" * 1_000)

    def slow(self, how: str, seconds: float) -> None:
        """Produce an increment that takes the worker so long: it awaits (`await`) or holds all up (`block`)."""
        with self.turn:
            self._increment([self._chance.choice(USERS)], f"{how} {seconds:.3f}".encode())

    def renew(self) -> None:
        """Produce all profiles again, in new versions."""
        self._profiles([*USERS, *GONE])

    def poison(self, count: int) -> None:
        """Produce records that cannot be used."""
        for _ in range(count):
            value = self._chance.choice(FORMS) % len(self.model.dead)
            self.model.dead.add(value)
            self._send(self._chance.choice(["user_clicks", "user_profiles"]), self._chance.choice(USERS), value)
        self._topics.flush()

    def finish(self) -> None:
        """Delete the profiles of some users; then what comes for each user tells which rows the tables have.

        An order that is never done ends the time in which others may be paid.
        """
        with self.turn:
            self._version += 1
            for user in GONE:
                self.model.profiles.pop(user)
                self._send("user_profiles", user, None)
            self._topics.flush()
            self._click([*USERS, *NEVER, *GONE])
            self._increment(USERS)
            for partition in range(self._topics.partitions):
                self._send("orders", "last", {"order": -1}, at=5 * SLICE, partition=partition)
            self._topics.flush()

    def _profiles(self, users: list[str]) -> None:
        self._version += 1
        for user in users:
            self.model.profiles[user] = self._version
            self._send("user_profiles", user, {"user_id": user, "name": str(self._version)})
        self._topics.flush()

    def _click(self, users: list[str], url: str = "/") -> None:
        for user in users:
            name = f"c{self.model.sent['user_clicks']}"
            if user in self.model.profiles:
                self.model.joined[name] = Click(user, self.model.profiles[user])
            else:
                self.model.unmatched.add(name)
            self._send("user_clicks", user, {"click_id": name, "user_id": user, "url": url}, at=1)
        self._topics.flush()

    def _order(self, users: list[str]) -> None:
        orders = {user: Order(next(self._orders), self._chance.random() < 0.9) for user in users}
        self.model.orders.update(orders.values())
        for user, order in orders.items():
            self._send("orders", user, {"order": order.number})
        self._topics.flush()
        for user, order in orders.items():
            if order.is_paid:
                self._send("payments", user, {"order": order.number}, at=self._chance.randrange(PAID_WITHIN + 1))
        self._topics.flush()

    def _increment(self, users: list[str], value: bytes = b"") -> None:
        for user in users:
            self.model.counts[user] += 1
            self._send("increments", user, value)
        self._topics.flush()

    def _send(
        self,
        topic: str,
        key: str,
        value: dict[str, str] | dict[str, int] | bytes | None,
        at: int = 0,
        partition: int | None = None,
    ) -> None:
        self.model.sent[topic] += 1
        self._topics.send(topic, key, value, at=self._version * SLICE + at, partition=partition)
