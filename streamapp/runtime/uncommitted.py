"""Rows that are written and not committed: in memory, before the store, until their changelog has them."""

from __future__ import annotations

import contextlib
import heapq
import operator
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Final

from faust.types import TP

from streamapp.joins.ordered_changes import OrderedChanges
from streamapp.joins.rows import Row
from streamapp.kafka.record import Envelope, Result
from streamapp.kafka.refusals import RecordRefusedError
from streamapp.stores.errors import StoreUnreachableError
from streamapp.stores.partition import Changes, OrderedStore, PartitionStore, keep_in_step
from streamapp.stores.standing import UNKNOWN

__all__ = ["OrderedUncommitted", "Uncommitted", "in_range", "newest"]

Scan = Iterator[tuple[bytes, Row | None]]

#: Expired rows removed at a commit: bounds how long it takes.
EXPIRED_ROWS_PER_COMMIT: Final = 50_000


class Uncommitted:
    """One partition of a table, as the finished work left it: what is not committed, on top of its store."""

    def __init__(self, store: PartitionStore, changelog: TP) -> None:
        self.committed = store
        self.changelog = changelog
        #: Goes up whenever what is not committed is given up: what was read from these rows before is void then.
        self.epoch = 0
        #: Rows written since the last commit began; None deletes.
        self.fresh = self._none()
        #: Rows of the commit that is under way.
        self._frozen = self._none()
        self._offset = 0
        #: The offset that was stored last.
        self._stored = 0
        #: Rows of the commit that is under way which the changelog refuses, and what the broker says.
        self.refusals: list[tuple[Result, RecordRefusedError]] = []
        #: Rows older than this event time (ms) are to be deleted; and whether the store may have more of them.
        self._expire_before: int | None = None
        self._expiring = False

    def _none(self) -> MutableMapping[bytes, Row | None]:
        return {}

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""
        for changes in (self.fresh, self._frozen):
            if key in changes:
                return changes[key]
        return self.committed.get(key)

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""
        frozen = self._frozen  # taken first: while the store is read, a commit may put these rows into it
        rows = self.committed.get_many(keys)
        for changes in (frozen, self.fresh):
            if changes:
                rows = [changes.get(key, row) for key, row in zip(keys, rows, strict=True)]
        return rows

    def read_ahead(self, keys: Sequence[bytes]) -> None:
        """Begin to read what the next `get_many` of these keys will need, if that can be done besides."""
        self.committed.read_ahead(keys)

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows."""
        changes = {**self._frozen, **self.fresh}
        for key, row in self.committed.items():
            if key not in changes:
                yield key, row
        yield from ((key, row) for key, row in changes.items() if row is not None)

    def __len__(self) -> int:
        """Count the rows; an estimate where the store's is one."""
        changes = {**self._frozen, **self.fresh}
        stored = self.committed.get_many(list(changes)) if changes else []
        return len(self.committed) + sum(
            (row is not None) - (old is not None) for row, old in zip(changes.values(), stored, strict=True)
        )

    @property
    def uncommitted(self) -> int:
        """How many rows were written that are not in the store yet."""
        return len(self.fresh) + len(self._frozen)

    def is_committed(self, key: bytes) -> bool:
        """Return whether the row of a key is the one that is in the store."""
        return key not in self.fresh and key not in self._frozen

    def lag(self, offset: int) -> int:
        """Return how many records of the changelog the rows at an offset of it lack.

        After a recovery the store has all of it, and then nobody but this worker writes to it.
        """
        return max(0, max(self._offset, self._stored) - offset)

    def merge(self, changes: Changes) -> None:
        """Take in the rows that finished work wrote."""
        self.fresh.update(changes)

    def expire(self, before: int) -> None:
        """Have the rows that are older than an event time (ms) deleted by the next commits."""
        if self._expire_before is None or before > self._expire_before:
            self._expire_before, self._expiring = before, True

    def freeze(self) -> bool:
        """Take what was written and what expired for a commit; return whether there is anything."""
        if (before := self._expire_before) is not None:
            self.fresh.update(
                (key, None) for key, row in list(self.fresh.items()) if row is not None and row.timestamp < before
            )
            with contextlib.suppress(StoreUnreachableError):  # the next commits will ask again
                expired = self.committed.expired(before, EXPIRED_ROWS_PER_COMMIT) if self._expiring else []
                for key in expired:
                    self.fresh.setdefault(key, None)
                self._expiring = len(expired) == EXPIRED_ROWS_PER_COMMIT
        self._frozen, self.fresh = self.fresh, self._none()
        self._offset = 0
        return bool(self._frozen)

    def records(self) -> list[Result]:
        """Return what is frozen as changelog records: a row's value and event time, or a tombstone."""
        return _records(self._frozen)

    def undone(self) -> list[Result]:
        """Return changelog records that put what is frozen back to what is in the store."""
        return _records({key: self.committed.get(key) for key in sorted(self._frozen)})

    def delivered(self, results: Sequence[Result], offset: int) -> None:
        """Take note of how far the changelog is."""
        self._offset = max(self._offset, offset)

    async def refused(self, result: Result, error: RecordRefusedError) -> None:
        """Take note of a row that the changelog refuses: nothing is sent in its place, and the commit cannot go on."""
        self.refusals.append((result, error))

    def store(self) -> None:
        """Put what is frozen, and is in the changelog by now, into the store."""
        if self._offset < self._stored:
            # The changelog was made anew, or has lost its end: only the store has the older rows, which a recovery
            # writes to it.
            self.committed.stand(self.committed.standing.succeeded_by(UNKNOWN))
        self.committed.write(self._frozen, self._offset)
        self._stored = self._offset
        self._frozen = self._none()

    def in_step(self, at_ms: int, inputs: Mapping[str, str]) -> None:
        """Take note that the store had all of the changelog at a time (ms), made of topics with these ids."""
        keep_in_step(self.committed, at_ms, inputs=inputs)

    def forget(self) -> None:
        """Drop what is not committed."""
        self.fresh, self._frozen = self._none(), self._none()
        self._stored = 0
        self.refusals = []
        self.epoch += 1


class OrderedUncommitted(Uncommitted):
    """The same for a table whose rows are read in the order of their keys."""

    committed: OrderedStore
    fresh: OrderedChanges[Row | None]
    _frozen: OrderedChanges[Row | None]

    def _none(self) -> MutableMapping[bytes, Row | None]:
        return OrderedChanges()

    def records(self) -> list[Result]:
        """Return what is frozen as changelog records, in the order of their keys: a ledger is behind all others."""
        return _records({key: self._frozen[key] for key in sorted(self._frozen)})

    def scan(self, start: bytes, stop: bytes | None) -> Iterator[tuple[bytes, Row]]:
        """Return the rows with ``start <= key < stop`` in order; None is without end."""
        yield from newest(
            in_range(self.fresh, start, stop), in_range(self._frozen, start, stop), self.committed.scan(start, stop)
        )


def _records(changes: Changes) -> list[Result]:
    return [
        (Envelope(key, None), None) if row is None else (Envelope(key, row.timestamp), row.value)
        for key, row in changes.items()
    ]


def in_range(changes: OrderedChanges[Row | None], start: bytes, stop: bytes | None) -> Scan:
    """Go through changes with ``start <= key < stop`` in order; None is without end."""
    return ((key, changes[key]) for key in changes.between(start, stop))


def newest(*sources: Iterable[tuple[bytes, Row | None]]) -> Iterator[tuple[bytes, Row]]:
    """Merge rows that are in order; of one key that of the first source counts, and None is no row."""
    last = None
    for key, row in heapq.merge(*sources, key=operator.itemgetter(0)):  # stable: of equal keys the first source's first
        if key != last and row is not None:
            yield key, row
        last = key
