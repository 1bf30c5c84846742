"""What a join holds for a key at the moment: records that wait or may still match, and rows of its tables.

An operator looks at its state only when it is asked, so holding costs nothing more while it joins.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator

import msgspec

from streamapp.joins.records import Buffered

__all__ = ["Held", "Holding", "buffered", "version_at"]


class Holding(enum.StrEnum):
    """Why a record or a row is held."""

    #: It found no partner so far, and can still find one.
    PENDING = "pending"
    #: It has matched, or is looked up, and can match more.
    BUFFERED = "buffered"
    #: It is the row that a table has for the key now.
    ROW = "row"
    #: It is what a versioned table had for the key before; a value of None was a deletion.
    VERSION = "version"
    #: It is the state that a function has for the key.
    STATE = "state"
    #: It is a timer of the key, by event time or by the wall clock, with the time for which it is set; the value is its
    #: name.
    TIMER = "timer"
    WALL_TIMER = "wall_timer"


class Held(msgspec.Struct, frozen=True):
    """A record or a row that is held."""

    #: The number of the input that it is from.
    source: int
    holding: Holding
    #: The event time (ms); of rows the time from which on they are so; -1 = not known.
    timestamp: int
    #: None = it was deleted then, or it is elsewhere: that of a left row which `names` a right one is with that one.
    value: bytes | None
    #: The place in the input partition; -1 = not known.
    offset: int = -1
    #: The event time (ms) at which the clock ends that; None = nothing ends it but an update.
    until: int | None = None
    #: The key of the right row that a left row of a foreign-key join names.
    names: bytes | None = None
    #: The key of a left row that is held for the right one which it names.
    key: bytes | None = None


def buffered(source: int, records: Iterable[Buffered], reach: int, *, pending: bool | None = None) -> Iterator[Held]:
    """Go through records that are over once the clock is more than `reach` ms past them."""
    for record in records:
        waits = not record.matched if pending is None else pending
        holding = Holding.PENDING if waits else Holding.BUFFERED
        yield Held(source, holding, record.timestamp, record.value, record.offset, record.timestamp + reach + 1)


def version_at(held: Iterable[Held], time: int) -> list[Held]:
    """Return of each source the row or version that a record of an event time (ms) would have joined."""
    latest: dict[int, Held] = {}
    for one in held:
        if one.holding in {Holding.ROW, Holding.VERSION} and one.timestamp <= time:
            before = latest.get(one.source)
            if before is None or before.timestamp < one.timestamp:
                latest[one.source] = one
    return [one for _, one in sorted(latest.items()) if one.value is not None]
