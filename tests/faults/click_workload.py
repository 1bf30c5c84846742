"""Profiles, clicks that need them, orders, payments and increments, and the set model of what has to come of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import random
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from topics import Topics
from verification import Findings, added, compare
from workload import SLICE, Workload

__all__ = ["Clicks"]

#: Users whose profiles are updated all the while; such as never have one; such as lose theirs in the end.
USERS = [f"u{number}" for number in range(200)]
NEVER = [f"n{number}" for number in range(10)]
GONE = [f"g{number}" for number in range(10)]
#: What is in a slice of the workload beside the clicks: profiles that are updated, increments, and orders.
UPDATES, INCREMENTS, ORDERS = 20, 200, 100
#: Event time (ms) from an order to its payment, at most.
PAID_WITHIN = 500
#: Clicks of a burst, of 1 KB each.
BURST = 15_000


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
    orders: set[Order] = dataclasses.field(default_factory=set)
    #: Clicks whose results may have been deleted.
    excused: set[str] = dataclasses.field(default_factory=set)
    #: The version of each user's profile.
    profiles: dict[str, int] = dataclasses.field(default_factory=dict)
    counts: Counter[str] = dataclasses.field(default_factory=Counter)

    def excuse_joined(self) -> None:
        """Take note that the results of all clicks so far may have been deleted."""
        self.excused |= self.joined.keys()
        self.joined.clear()


class Clicks(Workload):
    """The click join, beside a join of orders with their payments, and counts of increments."""

    pipeline = "clicks"
    app = "counted_joins"
    inputs = ("user_profiles", "user_clicks", "increments", "orders", "payments")
    outputs = ("joined_data", "unmatched_clicks", "dead_letters", "paid_orders")
    watched = ("increments", ("counts",))
    usual = 800
    forms = (b"poison %d", b'{"user_id": "\xff%d"}', b'{"poison": %d}', b'{"user_id": %d}')
    poisoned = ("user_clicks", "user_profiles")
    keys = USERS

    def __init__(self, topics: Topics, chance: random.Random, records: int | None = None) -> None:
        super().__init__(topics, chance, records)
        self.model = Model()
        self._version = 0
        self._orders = itertools.count()

    def settings(self, directory: Path) -> Mapping[str, Any]:
        return {**super().settings(directory), "profile_ttl": 0}

    def begin(self) -> None:
        """Produce a profile of each user but `NEVER`."""
        self._profiles([*USERS, *GONE])

    def slice(self) -> None:
        self._profiles(self._chance.sample(USERS, UPDATES))
        self._click(self._chance.choices([*USERS, *NEVER], k=self.records))
        self._order(self._chance.sample(USERS, ORDERS))
        self._increment(self._chance.choices(USERS, k=INCREMENTS))
        self.poison()

    def burst(self) -> None:
        with self.turn:
            self._click(self._chance.choices(USERS, k=BURST), url="/" * 1_000)

    def slow(self, how: str, seconds: float) -> None:
        """Produce an increment that takes the worker so long: it awaits (`await`) or holds all up (`block`)."""
        with self.turn:
            self._increment([self._chance.choice(USERS)], f"{how} {seconds:.3f}".encode())

    def renew(self) -> None:
        """Produce all profiles again, in new versions."""
        self._profiles([*USERS, *GONE])

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

    def done(self) -> bool:
        return True

    def verify(self) -> Findings:
        model, topics = self.model, self._topics
        results = [json.loads(message.value()) for message in topics.read("joined_data")]
        joined = [result for result in results if result["click"]["click_id"] not in model.excused]
        unmatched = [json.loads(message.value())["click"]["click_id"] for message in topics.read("unmatched_clicks")]
        orders = [_order(json.loads(message.value())) for message in topics.read("paid_orders")]
        outdated = [result for result in joined if not _current(result, model.joined.get(result["click"]["click_id"]))]
        profiles = {key.decode(): int(json.loads(row)["name"]) for key, row in topics.table("user_profiles").items()}
        counts = {key.decode(): int(row) for key, row in topics.table("counts").items()}
        short = {user: model.counts[user] - counts.get(user, 0) for user in model.counts.keys() | counts.keys()}
        return added(
            compare(model.joined, Counter(result["click"]["click_id"] for result in joined)),
            compare(model.unmatched, Counter(unmatched)),
            compare(self.dead, self._dead_letters()),
            compare(model.orders, Counter(orders)),
            Findings(
                outdated=len(outdated),
                offsets=self._offsets(),
                rows=len(dict(profiles.items() ^ model.profiles.items())),
                uncounted=sum(max(0, missing) for missing in short.values()),
                counted_twice=sum(max(0, -missing) for missing in short.values()),
            ),
        )

    def _profiles(self, users: list[str]) -> None:
        self._version += 1
        for user in users:
            self.model.profiles[user] = self._version
            self._send("user_profiles", user, {"user_id": user, "name": str(self._version)})
        self._topics.flush()

    def _click(self, users: list[str], url: str = "/") -> None:
        for user in users:
            name = f"c{self.sent['user_clicks']}"
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
        value: Mapping[str, Any] | bytes | None,
        at: int = 0,
        partition: int | None = None,
    ) -> None:
        super()._send(topic, key, value, at=self._version * SLICE + at, partition=partition)


def _current(result: dict, click: Click | None) -> bool:
    profile = result["profile"]
    return click is None or (profile["user_id"] == click.user and int(profile["name"]) >= click.version)


def _order(result: dict) -> Order | None:
    order, payment = result["left"], result["right"]
    return Order(order["order"], payment is not None) if payment in (None, order) else None
