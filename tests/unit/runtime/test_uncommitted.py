"""Rows that are not committed, while a commit puts them into the store in a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence

from faust.types import TP

from streamapp.joins import Row
from streamapp.runtime.uncommitted import OrderedUncommitted, Uncommitted
from streamapp.stores.memory import MemoryPartition, OrderedMemoryPartition

CHANGELOG = TP("changelog", 0)


class Interrupted(MemoryPartition):
    """A store in which a commit ends just after rows were read, and before the reader has them."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = Uncommitted(self, CHANGELOG)

    def get_many(self, keys: Sequence[bytes]) -> list[Row | None]:
        """Read rows, and let the commit end."""
        found = super().get_many(keys)
        self.rows.store()
        return found


def test_a_row_is_found_while_a_commit_puts_it_into_the_store() -> None:
    rows = Interrupted().rows
    rows.merge({b"u1": Row(b"new", 1)})
    assert rows.freeze()
    assert rows.get_many([b"u1"]) == [Row(b"new", 1)]
    assert rows.committed.get(b"u1") == Row(b"new", 1)


def test_an_ordered_table_goes_to_its_changelog_in_the_order_of_its_keys() -> None:
    rows = OrderedUncommitted(OrderedMemoryPartition(), CHANGELOG)
    for key in (b"~ledger", b"records/2", b"records/1"):
        rows.merge({key: Row(b"", 1)})
    assert rows.freeze()
    assert [envelope.key for envelope, _ in rows.records()] == [b"records/1", b"records/2", b"~ledger"]
