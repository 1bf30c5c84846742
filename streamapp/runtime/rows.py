"""The rows of a table, as the work on a batch sees and writes them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from streamapp.joins.ordered_changes import OrderedChanges
from streamapp.joins.rows import Row
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted, in_range, newest
from streamapp.runtime.work import Work
from streamapp.stores.partition import Changes

__all__ = ["Inspection", "Owner", "PartitionedRows", "RowTable", "Rows", "Tables"]


class Inspection(NamedTuple):
    """What the state of a join's partition says of itself."""

    #: What may be missing in the results, if it was written under another declaration.
    notes: Sequence[str]
    #: By topic, the offset after the last record that it has taken in; None = an older version wrote it, or nobody.
    taken: Mapping[str, int] | None
    #: Topics that were made anew since: their offsets begin anew, too.
    anew: Collection[str]
    #: Whether there is nothing in it.
    fresh: bool


class Owner(Protocol):
    """A join, as far as its state is asked for."""

    #: That it reads.
    topics: tuple[str, ...]

    @property
    def title(self) -> str:
        """What messages call it."""

    @property
    def tables(self) -> frozenset[str]:
        """The topics whose records are rows of a table in the state."""

    def inspect(self, partition: Uncommitted, partitions: int) -> Inspection:
        """Look at the state of one of so many partitions; a StateError if the join cannot go on with it."""


class PartitionedRows(Protocol):
    """The partitions of a table that this worker owns, by number."""

    @property
    def partitions(self) -> Mapping[int, Uncommitted]:
        """The partitions."""


class RowTable(Protocol):
    """A table of rows, one store a partition, with a changelog."""

    name: str
    #: Full name of the topic that it is made of; none = not said.
    source: str
    #: The join that it belongs to: its state, which is an ordered table, or a table that it joins with.
    owner: Owner | None
    ordered: bool
    #: Tells why the value of a row is not what the table has; empty = it is, None = it may be anything.
    misfit: Callable[[bytes], str] | None

    @property
    def data(self) -> PartitionedRows:
        """Its partitions."""

    @property
    def changelog_topic_name(self) -> str:
        """Full name of the changelog."""

    def partition(self, number: int) -> Uncommitted:
        """Return the rows of a partition that this worker owns; a KeyError if it does not own it."""


class Tables(Protocol):
    """The tables of rows of an app."""

    @property
    def of_rows(self) -> Sequence[RowTable]:
        """All of them: those that agents have, and the states of joins."""

    def partitions(self, *, active: bool = False) -> list[Uncommitted]:
        """Return the rows of the partitions that this worker has; without its standbys if only `active` ones."""


@dataclasses.dataclass(slots=True, eq=False)
class Rows:
    """One partition of a table as the work on a batch sees it: with what the work itself has written."""

    rows: Uncommitted
    work: Work

    @property
    def written(self) -> bool:
        """Whether the work has written any."""
        return bool(self.work.changes.get(self.rows))

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""
        written = self.work.changes.get(self.rows)
        if written and key in written:
            return written[key]
        return self.rows.get(key)

    def get_many(self, keys: Sequence[bytes], /) -> list[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""
        rows = self.rows.get_many(keys)
        if written := self.work.changes.get(self.rows):
            rows = [written.get(key, row) for key, row in zip(keys, rows, strict=True)]
        return rows

    def keys(self) -> Iterator[bytes]:
        """Go through the keys that finished work has left, before the next change."""
        return (key for key, _ in self.rows.items())

    def scan(self, start: bytes, stop: bytes | None) -> Iterator[tuple[bytes, Row]]:
        """Return the rows with ``start <= key < stop`` in order; None = no end; a TypeError if it is not ordered."""
        if not isinstance(self.rows, OrderedUncommitted):
            raise TypeError("only an ordered table is read in the order of its keys")
        written = OrderedChanges(self.work.changes.get(self.rows, {}))
        return newest(in_range(written, start, stop), self.rows.scan(start, stop))

    def write(self, changes: Changes, /) -> None:
        """Write rows; None deletes. Others see them once the agent is done with the batch."""
        if changes:
            self.work.changes.setdefault(self.rows, {}).update(changes)

    def expire(self, before: int | None, /) -> None:
        """Have the rows that are older than an event time (ms) deleted; None deletes none."""
        if before is not None:
            self.work.expiry[self.rows] = before
