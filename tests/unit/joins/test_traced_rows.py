"""Rows that are kept elsewhere without the offsets of their updates get them back from the state of a join."""

from __future__ import annotations

from streamapp.joins import MemoryStore, Row, State
from streamapp.joins.table import StateRows, TracedRows

ROW = Row(b"row", 5, offset=7)


class Elsewhere(StateRows):
    """A table that does not keep offsets."""

    def get(self, key: bytes, /) -> Row | None:
        row = super().get(key)
        return row and Row(row.value, row.timestamp)


def traced() -> tuple[TracedRows, Elsewhere]:
    rows = Elsewhere(State(MemoryStore()), aging=True)
    return TracedRows(rows, State(MemoryStore())), rows


def test_a_row_has_the_offset_of_its_update() -> None:
    rows, elsewhere = traced()
    rows.write({b"k": ROW})
    assert elsewhere.get(b"k") == Row(b"row", 5)
    assert (rows.get(b"k"), rows.get_many([b"k", b"none"])) == (ROW, [ROW, None])


def test_a_row_of_another_time_than_its_update_is_of_an_unknown_one() -> None:
    rows, elsewhere = traced()
    rows.write({b"k": ROW})
    elsewhere.write({b"k": Row(b"other", 6)})
    assert rows.get(b"k") == Row(b"other", 6)


def test_what_is_deleted_or_expired_is_forgotten() -> None:
    rows, elsewhere = traced()
    rows.write({b"k": ROW, b"old": ROW})
    rows.write({b"k": None})
    rows.expire(6)
    elsewhere.write({b"k": Row(b"row", 5), b"old": Row(b"row", 5)})
    assert rows.get_many([b"k", b"old"]) == [Row(b"row", 5)] * 2
