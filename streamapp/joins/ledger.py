"""The ledger of a join's partition: how far it has come, and what became of each record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from streamapp.joins.balance import Balance, Updates
from streamapp.joins.clock import BEGINNING, Clock
from streamapp.joins.held import Held
from streamapp.joins.output import Output, Reason, SideOutput
from streamapp.joins.records import Record
from streamapp.joins.state import State

__all__ = ["LEDGER", "Accounting", "Ledger", "Refused"]

R = TypeVar("R")

#: Behind all other rows, in the changelog too: after a crash amid a commit the clock is not ahead of them, which would
#: make the same records late.
LEDGER: Final = b"~ledger"


class Refused(Exception):
    """To be raised by a function that is given to a join, for a record that it cannot use; says why in one line.

    Args:
        error: why.
        cause: of what kind that is, in a word such as ``missing_field``: records are counted by it.
    """

    def __init__(self, error: object = "", cause: str = "") -> None:
        super().__init__(error)
        self.cause = cause
        #: Of an error in the function itself.
        self.traceback = ""


class Updated(Protocol):
    """A table, as far as it takes updates."""

    def update(self, records: Iterable[tuple[bytes, Record]], /) -> Sequence[Record]:
        """Apply updates by their keys; returns those that are too old for it."""


class _Row(msgspec.Struct, array_like=True):
    clock: int | None
    balance: Balance
    updates: Updates


_decode: Final = msgspec.msgpack.Decoder(_Row).decode


class Ledger(Generic[R]):
    """The clock and the balance, which are kept in the join's state, and the output of the batch that is under way."""

    def __init__(self, state: State, updates_from: int | None = None) -> None:
        self._state = state
        self._updates_from = updates_from
        self.clock = Clock(state.wall)
        #: How far (ms) the clock had come when this was stored; what was over by then is so for good.
        self.reached = BEGINNING
        self.balance = Balance()
        self.updates = Updates()
        self.results: list[R] = []
        self._side: list[SideOutput] = []
        row = state.get(LEDGER)
        if row is not None:
            stored = _decode(row)
            self.balance, self.updates = stored.balance, stored.updates
            self.clock.restore(stored.clock)
            self.reached = BEGINNING if stored.clock is None else stored.clock

    @property
    def set_back(self) -> bool:
        """Whether the clock is not where it was when this was stored."""
        return self.clock.time < self.reached

    def unmatched(self, side: int, record: Record, reason: Reason = Reason.UNMATCHED) -> None:
        """Account for a record that has no partner and will have none."""
        self.balance.unmatched += 1
        self._side.append(SideOutput(reason, side, record))

    def late(self, account: Balance | Updates, side: int, record: Record, late_by: int) -> None:
        """Account for a record that came ``late_by`` ms after the grace."""
        account.late += 1
        self._side.append(SideOutput(Reason.LATE, side, record, late_by))

    def partly_late(self, side: int, record: Record, late_by: int) -> None:
        """Tell of a record that came ``late_by`` ms after the grace, and still counts in a window that is open."""
        self._side.append(SideOutput(Reason.PARTLY_LATE, side, record, late_by))

    def rejected(
        self, account: Balance | Updates, side: int, record: Record, reason: Reason, detail: object = ""
    ) -> None:
        """Account for a record that cannot be joined."""
        account.rejected += 1
        cause, traceback = (detail.cause, detail.traceback) if isinstance(detail, Refused) else ("", "")
        told = SideOutput(reason, side, record, detail=str(detail), cause=cause, rejected=True, traceback=traceback)
        self._side.append(told)

    def tell(self, side_output: SideOutput) -> None:
        """Put something out at the side that is no record which came in, and is in no account."""
        self._side.append(side_output)

    def apply(self, table: Updated, source: int, records: Iterable[Record]) -> None:
        """Apply updates to a table that others are joined with, and account for them."""
        keyed = []
        for record in records:
            self.updates.received += 1
            if record.key is None:
                self.rejected(self.updates, source, record, Reason.NULL_KEY)
            else:
                keyed.append((record.key, record))
        outdated = table.update(keyed)
        for record in outdated:
            self.rejected(self.updates, source, record, Reason.EXPIRED)
        self.updates.applied += len(keyed) - len(outdated)

    def refused(self, source: int, record: Record, detail: object) -> None:
        """Account for a record that the join is not to see at all."""
        updates = self._updates_from is not None and source >= self._updates_from
        account = self.updates if updates else self.balance
        account.received += 1
        self.rejected(account, source, record, Reason.REFUSED, detail)

    def close(self) -> Output[R]:
        """End the batch: write clock and balance to the state, and give what came out."""
        row = _Row(self.clock.now, self.balance, self.updates)
        self._state.put(LEDGER, msgspec.msgpack.encode(row))
        output = Output(self.results, self._side)
        self.results, self._side = [], []
        return output


class Accounting(Generic[R]):
    """An operator, as far as it keeps accounts; from a source on, records may be updates without a result."""

    def __init__(self, state: State, *, updates_from: int | None = None) -> None:
        self._ledger: Ledger[R] = Ledger(state, updates_from)
        self.clock, self.balance, self.updates = self._ledger.clock, self._ledger.balance, self._ledger.updates

    @property
    def waits(self) -> bool:
        """Whether something waits for the event clock."""
        return self.balance.pending > 0

    @property
    def due(self) -> bool:
        """Whether something is due by the wall clock, without a record."""
        return False

    def held(self, key: bytes) -> Sequence[Held] | None:
        """Return what is held for a key, by source and time; None = what it holds is not told by key."""
        return None

    def refuse(self, source: int, record: Record, detail: object) -> None:
        """Reject a record of an input, which does not move the clock; it comes out at the side with the next batch."""
        self._ledger.refused(source, record, detail)
