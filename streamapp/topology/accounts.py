"""The accounts of a join: for each partition, what became of each record that came in; checked after each batch."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Collection
from typing import Self, TypeVar

import msgspec

from streamapp.joins import Balance, Operator, Updates

__all__ = ["Account", "Accounts"]

logger = logging.getLogger(__name__)

R = TypeVar("R")


class Account(msgspec.Struct, frozen=True):
    """The balance, the updates and the event clock (ms) of a join's partition at one moment."""

    balance: Balance
    updates: Updates
    clock: int | None

    @classmethod
    def of(cls, operator: Operator[R]) -> Self:
        """Take down how an operator stands."""
        return cls(copy.copy(operator.balance), copy.copy(operator.updates), operator.clock.now)

    @property
    def received(self) -> int:
        """How many records came in."""
        return self.balance.received + self.updates.received


@dataclasses.dataclass
class Accounts:
    """What the partitions of a join came to, of this worker; the title is what messages call it."""

    title: str
    _last: dict[int, Account] = dataclasses.field(default_factory=dict)
    #: By partition, what is wrong with its balance.
    _wrong: dict[int, str] = dataclasses.field(default_factory=dict)

    def settle(self, partition: int, before: int, given: int, account: Account) -> None:
        """Take in how a partition stands after a batch of records, and check that each of them is accounted for."""
        self._last[partition] = account
        if account.received != before + given:
            wrong = f"of {given} records that were given it took {account.received - before} in"
        elif not (account.balance.holds and account.updates.holds):
            wrong = f"records are not accounted for: {account.balance}, {account.updates}"
        else:
            return
        if partition not in self._wrong:
            logger.error("The %s, partition %d: %s", self.title, partition, wrong)
        self._wrong[partition] = wrong

    def of(self, partitions: Collection[int]) -> dict[int, Account]:
        """Return the accounts of these partitions, as far as anything came in since the start."""
        return {partition: account for partition, account in sorted(self._last.items()) if partition in partitions}

    @property
    def wrong(self) -> int:
        """Of how many partitions the balance was wrong since the start."""
        return len(self._wrong)

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; a balance that was wrong once stays so until the worker starts again."""
        return [f"{self.title}, partition {number}: {wrong}" for number, wrong in sorted(self._wrong.items())]
