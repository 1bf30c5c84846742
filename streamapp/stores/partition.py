"""What a store has to do for one partition of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from streamapp.joins.rows import Row
from streamapp.stores.snapshot import Measure, Snapshot
from streamapp.stores.standing import Standing

__all__ = ["Changes", "OrderedStore", "PartitionStore", "keep_in_step"]

#: Rows to be written by key; None deletes.
Changes = Mapping[bytes, Row | None]


class PartitionStore(Protocol):
    """The rows of one partition of a table.

    One thread may read while another one writes: what is read is then as before the write or as after it, key by key.
    """

    @property
    def offset(self) -> int | None:
        """The changelog offset up to which (exclusive) the rows are complete; None = nothing was stored."""

    @property
    def standing(self) -> Standing:
        """How it stands to its changelog."""

    def stand(self, standing: Standing) -> None:
        """Keep how it stands to its changelog, as long as the rows are there."""

    def get(self, key: bytes, /) -> Row | None:
        """Return the row of a key."""

    def get_many(self, keys: Sequence[bytes], /) -> list[Row | None]:
        """Return the rows of keys, in their order; a key may be there more than once."""

    def read_ahead(self, keys: Sequence[bytes], /) -> None:
        """Begin to read what the next `get_many` of these keys will need, if that can be done besides."""

    def write(self, changes: Changes, offset: int) -> None:
        """Write rows and the changelog offset after them, all or nothing."""

    def restore(self, changes: Changes, offset: int) -> None:
        """Write as `write` does, in bulk: for a recovery that began with an empty partition.

        A store may leave behind, for `expired` to find, what it would otherwise have to read each old row for.
        """

    def expired(self, before: int, limit: int) -> list[bytes]:
        """Return keys of rows whose event time (ms) is smaller than `before`, the oldest first."""

    def items(self) -> Iterator[tuple[bytes, Row]]:
        """Go through all rows."""

    def snapshot(self) -> Snapshot:
        """Return all rows as they are now, in any thread; a ClosedError if the partition is closed."""

    def __len__(self) -> int:
        """Return the number of rows; an estimate where they would have to be read for it."""

    def measure(self) -> Measure:
        """Return how much there is, in any thread; a ClosedError if it is closed."""

    def clear(self) -> None:
        """Remove all rows and the offset; after a crash in the midst of it the rows are there with it, or neither."""

    def close(self) -> None:
        """Close the partition; a later open finds what was written."""


class OrderedStore(PartitionStore, Protocol):
    """A store whose rows can be read in the order of their keys, which are compared as bytes are."""

    def scan(self, start: bytes, stop: bytes | None, /) -> Iterator[tuple[bytes, Row]]:
        """Go through the rows with ``start <= key < stop`` in order; None is without end."""


def keep_in_step(
    store: PartitionStore, at_ms: int, *, topic_id: str | None = None, inputs: Mapping[str, str] | None = None
) -> None:
    """Take note that a store was in step with its changelog.

    Args:
        at_ms: the wall clock at which it was, in ms.
        topic_id: of the changelog; None = as before.
        inputs: ids of the topics that are read; None = as before.
    """
    then = store.standing
    if (now := then.in_step(at_ms, topic_id, inputs)) is not then:
        store.stand(now)
