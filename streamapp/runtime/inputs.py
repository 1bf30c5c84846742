"""What a join reads."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from streamapp.formats.keys import Keys
from streamapp.joins import Record

__all__ = ["Input"]


class Input(NamedTuple):
    """A topic, by its full name, and the number of the source (a `Side`, or a table) that a join takes it for."""

    topic: str
    source: int
    #: Raises `Refused` for a record that cannot be used; None = all can.
    check: Callable[[Record], None] | None = None
    #: Makes of a record of the topic the one that is joined; None = it is that itself.
    convert: Callable[[Record], Record] | None = None
    #: Makes of a record of the topic those that are taken in; raises `Refused` for one that cannot be used. None = it
    #: is that itself.
    steps: Callable[[Record], Sequence[Record]] | None = None
    #: The field of the values that its keys are, as far as that is known.
    key: str = ""
    #: What the table that its rows are in is to be named; none = as the topic.
    table: str = ""
    #: What the keys are written as, for who asks for one; None = text.
    keys: Keys | None = None
    #: Tells of many records which ones `check` has to look at, sooner than it does one by one; None = at all.
    doubtful: Callable[[Sequence[Record]], Collection[int]] | None = None
