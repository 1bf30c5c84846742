"""Transactions, the profiles of their accounts, and the plain model of the features that they have to come out with."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from risk_models import write_model
from risky import DAY, HOUR, alike, expected, scores
from topics import Topics
from verification import Findings, added, compare
from workload import SLICE, Workload

from streamapp.kafka.partitioner import partition_of

__all__ = ["Risk", "RiskAtOnce"]

#: Accounts whose profiles are updated all the while, and such as never have one.
ACCOUNTS = [f"a{number}" for number in range(100)]
UNKNOWN = [f"n{number}" for number in range(10)]
#: Profiles that are updated with a slice, and slices of a burst.
UPDATES, BURST = 5, 20


class Risk(Workload):
    """The risk of transactions: two agents, with a hop between."""

    pipeline = "risk"
    inputs = ("accounts", "transactions")
    outputs = ("transaction_scores", "risk_alerts", "dead_letters")
    watched: ClassVar[tuple[str, Sequence[str]]] = ("transactions", ("risk_accounts", "risk_ips"))
    usual = 200
    #: IPs in each partition.
    ips = 10
    forms = (
        b"poison %d",
        b'{"transaction_id": "p%d", "account": "a1", "ip": "10.0.0.1"}',
        b'{"transaction_id": "p%d", "account": "a1", "ip": "10.0.0.256", "amount": 5}',
        b'{"transaction_id": "p%d", "account": "nobody", "ip": "10.0.0.1", "amount": 5}',
    )
    poisoned = ("transactions",)
    keys = ACCOUNTS

    def __init__(self, topics: Topics, chance: random.Random, records: int | None = None) -> None:
        super().__init__(topics, chance, records)
        #: By transaction, the limit of its account when it was sent, which a later one may have taken the place of.
        self._limits: dict[str, int | None] = {}
        self._known: dict[str, int] = {}
        self._version = 0

    def settings(self, directory: Path) -> Mapping[str, Any]:
        """Return the settings, with a model whose scores are known, and a grace with which nothing is late."""
        model = write_model(directory / "model.onnx", "faults")
        grace = HOUR // 1_000
        return {**super().settings(directory), "pipelines": "risk", "risk_model": model, "risk_grace": grace}

    def begin(self) -> None:
        self._profiles(ACCOUNTS)

    def slice(self) -> None:
        self._profiles(self._chance.sample(ACCOUNTS, UPDATES))
        self._pay(self._chance.choices([*ACCOUNTS, *UNKNOWN], k=self.records))
        self.poison()

    def burst(self) -> None:
        for _ in range(BURST):
            with self.turn:
                self.slice()

    def finish(self) -> None:
        with self.turn:
            self._profiles(ACCOUNTS)
            self._pay([*ACCOUNTS, *UNKNOWN])

    def done(self) -> bool:
        count = len(self._limits)
        return self._topics.end("transaction_scores") >= count and len(scores(self._topics)) >= count

    def verify(self) -> Findings:
        found, told = scores(self._topics), expected(self._topics, HOUR, unusable=self.dead)
        differing = outdated = 0
        for name, several in found.items():
            features = told[name].features | {"account_limit": None}
            for score in several:
                limit, before = score["features"]["account_limit"], self._limits[name]
                outdated += (limit is not None) if before is None else (limit or 0) < before
                differing += not (_judged(score) and alike(score["features"] | {"account_limit": None}, features))
        alarming = [name for name, several in found.items() if any(one["decision"] != "accept" for one in several)]
        alerts = [json.loads(message.value())["transaction_id"] for message in self._topics.read("risk_alerts")]
        return added(
            compare(self._limits, Counter({name: len(several) for name, several in found.items()})),
            compare(alarming, Counter(alerts)),
            compare(self.dead, self._dead_letters()),
            Findings(outdated=outdated, differing=differing, offsets=self._offsets()),
        )

    def _profiles(self, accounts: list[str]) -> None:
        self._version += 1
        for account in accounts:
            self._known[account] = self._version
            opened = self._topics.now - ACCOUNTS.index(account) * DAY
            value = {"account": account, "opened": opened, "limit": self._version}
            self._send("accounts", account, value, at=self._version * SLICE)
        self._topics.flush()

    def _pay(self, accounts: list[str]) -> None:
        """Send a transaction of each, all of an IP in one partition: how those of others come between is not known."""
        for number, account in enumerate(accounts):
            name = f"t{len(self._limits)}"
            self._limits[name] = self._known.get(account)
            partition = partition_of(account.encode(), self._topics.partitions)
            ip, amount = f"10.0.{partition}.{self._chance.randrange(self.ips)}", self._chance.randrange(1, 400) / 4
            value = {"transaction_id": name, "account": account, "ip": ip, "amount": amount}
            self._send("transactions", account, value, at=self._version * SLICE + number)
        self._topics.flush()


class RiskAtOnce(Risk):
    """The same in one step, for topics of one partition: the other worker stands by."""

    pipeline = "risk_at_once"
    partitions, ips = 1, 40
    watched = ("transactions", ("risk_accounts",))

    def settings(self, directory: Path) -> Mapping[str, Any]:
        return {**super().settings(directory), "risk_steps": "one"}


def _judged(score: dict[str, Any]) -> bool:
    """Tell whether a score is what the model says; it has none if that took too long."""
    if score["late"]:
        return False
    if score["score"] is None:
        return score["unscored"] == "budget"
    return score["score"] == pytest.approx(min(1.0, score["amount"] / 100), abs=1e-6)
