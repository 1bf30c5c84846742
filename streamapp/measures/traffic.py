"""Traffic: how many records and bytes there are in a span of event time, on average and when there is most."""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

__all__ = ["SLOTS", "Amount", "Traffic"]

#: Slots at most, unless it is said; when there are more, two become one.
SLOTS: Final = 1 << 16


class Amount(NamedTuple):
    """So many records, of so many bytes."""

    records: int
    bytes: int

    def __add__(self, other: object) -> Amount:
        """Return both together."""
        if not isinstance(other, Amount):
            return NotImplemented
        return Amount(self.records + other.records, self.bytes + other.bytes)


class Traffic:
    """Records and bytes by slots of event time, whose length (a power of two of ms) is doubled when there are too many.

    A record with a time far from all others takes a slot, and makes those of the others no longer by itself.

    Args:
        slots: how many there are at most.
    """

    __slots__ = ("_bytes", "_records", "_shift", "_slots", "bytes", "records")

    def __init__(self, slots: int = SLOTS) -> None:
        self._slots = slots
        self._shift = 0
        self._records: defaultdict[int, int] = defaultdict(int)
        self._bytes: defaultdict[int, int] = defaultdict(int)
        self.records = self.bytes = 0

    @property
    def slot(self) -> int:
        """The length of a slot (ms)."""
        return 1 << self._shift

    def add(self, timestamp: int, size: int) -> None:
        """Take in a record of an event time (ms) and of so many bytes."""
        slot = timestamp >> self._shift
        self._records[slot] += 1
        self._bytes[slot] += size
        self.records += 1
        self.bytes += size
        while len(self._records) > self._slots:
            self._widen(self._shift + 1)

    def merge(self, other: Traffic) -> None:
        """Take in what another one has."""
        if other._shift > self._shift:
            self._widen(other._shift)
        by = self._shift - other._shift
        for slot, count in other._records.items():
            self._records[slot >> by] += count
            self._bytes[slot >> by] += other._bytes[slot]
        self.records += other.records
        self.bytes += other.bytes
        while len(self._records) > self._slots:
            self._widen(self._shift + 1)

    def most(self, span: int) -> Amount:
        """Return the most that lies within a span (ms), both ends included; of two slots more, at most.

        In a span of less than nothing there is nothing.
        """
        if span < 0:
            return Amount(0, 0)
        reach = span + self.slot - 1 >> self._shift
        most, start, records, size = Amount(0, 0), 0, 0, 0
        slots = sorted(self._records)
        for slot in slots:
            records += self._records[slot]
            size += self._bytes[slot]
            while slot - slots[start] > reach:
                records -= self._records[slots[start]]
                size -= self._bytes[slots[start]]
                start += 1
            most = Amount(max(most.records, records), max(most.bytes, size))
        return most

    def _widen(self, shift: int) -> None:
        by, self._shift = shift - self._shift, shift
        for name in ("_records", "_bytes"):
            wider: defaultdict[int, int] = defaultdict(int)
            for slot, count in getattr(self, name).items():
                wider[slot >> by] += count
            setattr(self, name, wider)
