"""The accounts of a join: for each partition, what became of each record that came in; checked after each batch."""

from __future__ import annotations

import copy
import dataclasses
import logging
from collections.abc import Mapping
from typing import Self, TypeVar

import msgspec

from streamapp.joins import Balance, Operator, State, Updates
from streamapp.joins.ledger import LEDGER, Ledger
from streamapp.runtime.rows import Rows
from streamapp.runtime.uncommitted import Uncommitted
from streamapp.runtime.work import Work
from streamapp.stores.errors import StoreBehindError, StoreUnreachableError
from streamapp.topology.task import RowStore

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

    @classmethod
    def stored(cls, rows: Uncommitted) -> Self | None:
        """Take down how a partition stands by the rows of its state; None = no record came in so far.

        Raises:
            StoreUnreachableError: if the store is away.
            StoreBehindError: if its rows are not those that this worker left.
        """
        state = State(RowStore(Rows(rows, Work())))
        if state.get(LEDGER) is None:
            return None
        ledger = Ledger[object](state)
        return cls(ledger.balance, ledger.updates, ledger.clock.now)

    @property
    def received(self) -> int:
        """How many records came in."""
        return self.balance.received + self.updates.received


@dataclasses.dataclass(frozen=True)
class _Kept:
    """How a partition stood, by the rows of its state as they were then."""

    rows: Uncommitted
    epoch: int
    account: Account | None

    def holds(self, rows: Uncommitted) -> bool:
        """Return whether nothing but this worker's own work has changed the rows since."""
        return self.rows is rows and self.epoch == rows.epoch


@dataclasses.dataclass
class Accounts:
    """What the partitions of a join came to, of this worker; the title is what messages call it."""

    title: str
    _last: dict[int, _Kept] = dataclasses.field(default_factory=dict)
    #: By partition, what is wrong with its balance.
    _wrong: dict[int, str] = dataclasses.field(default_factory=dict)

    def settle(self, partition: int, rows: Uncommitted, before: int, given: int, account: Account) -> None:
        """Take in how a partition stands after a batch of records, and check that each of them is accounted for.

        Args:
            partition: its number.
            rows: of the state.
            before: how many records had come in before the batch.
            given: how many records were given.
            account: how it stands now.
        """
        self._last[partition] = _Kept(rows, rows.epoch, account)
        if account.received != before + given:
            wrong = f"of {given} records that were given it took {account.received - before} in"
        elif not (account.balance.holds and account.updates.holds):
            wrong = f"records are not accounted for: {account.balance}, {account.updates}"
        else:
            return
        if partition not in self._wrong:
            logger.error("The %s, partition %d: %s", self.title, partition, wrong)
        self._wrong[partition] = wrong

    def of(self, owned: Mapping[int, Uncommitted]) -> dict[int, Account]:
        """Return the accounts of partitions, given with the rows of their states, as far as records came in.

        One that another worker may have had meanwhile is read from its state.
        """
        found = {}
        for number, rows in sorted(owned.items()):
            kept = self._last.get(number)
            if kept is None or not kept.holds(rows):
                try:
                    kept = self._last[number] = _Kept(rows, rows.epoch, Account.stored(rows))
                except (StoreUnreachableError, StoreBehindError):  # told elsewhere; the next look asks again
                    continue
            if kept.account is not None:
                found[number] = kept.account
        self._last = {number: kept for number, kept in self._last.items() if number in owned}
        return found

    @property
    def wrong(self) -> int:
        """Of how many partitions the balance was wrong since the start."""
        return len(self._wrong)

    @property
    def problems(self) -> list[str]:
        """What is wrong, in words; a balance that was wrong once stays so until the worker starts again."""
        return [f"{self.title}, partition {number}: {wrong}" for number, wrong in sorted(self._wrong.items())]
