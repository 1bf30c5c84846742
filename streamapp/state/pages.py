"""Answers about the rows of a table, as JSON has them."""

from __future__ import annotations

import enum

import msgspec

from streamapp.state.rows import ShownRow
from streamapp.state.tables import At

__all__ = ["CountPage", "PageOf", "RowFound", "RowsPage", "Stopped"]


class Stopped(enum.StrEnum):
    """Why a page ends before the rows do."""

    #: It has as many rows as it may have.
    LIMIT = "limit"
    #: The time was up.
    TIME = "time"
    #: The worker that has the next partition cannot answer for now: the next page tells why.
    UNAVAILABLE = "unavailable"


class PageOf(msgspec.Struct, frozen=True, kw_only=True):
    """What all pages have."""

    table: str
    #: How many rows were looked at.
    seen: int
    #: By which the next page begins; null = that was all.
    cursor: str | None
    stopped: Stopped | None
    #: Where it was read: of each partition its snapshot, as it was when the scan came to it.
    at: list[At]


class RowsPage(PageOf, frozen=True, kw_only=True):
    """Rows of a table."""

    rows: list[ShownRow]


class CountPage(PageOf, frozen=True, kw_only=True):
    """How many rows there are on this page; to be added up."""

    count: int


class RowFound(ShownRow, frozen=True, kw_only=True, omit_defaults=False):
    """The row of a key."""

    table: str
    #: Whether it is in the store; else it is in the changelog soon.
    committed: bool
    at: At
