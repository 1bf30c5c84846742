"""Generated traffic, of whatever pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

__all__ = ["Record", "Traffic"]


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record to produce; its topic is without the prefix, its event time in ms since 1970."""

    topic: str
    #: What it is counted as.
    kind: str
    key: bytes | None
    value: bytes | None
    timestamp: int


class Traffic(Protocol):
    """What a pipeline generates."""

    @property
    def topics(self) -> Sequence[str]:
        """The topics that it goes to, without the prefix."""

    @property
    def total(self) -> int | None:
        """How many records there are; None = it is without end."""

    def records(self, rate: float, now: int) -> Iterator[Record]:
        """Generate the records: from `now` (ms) on at a rate (a second), or with 0 as a backlog up to `now`.

        Raises:
            ProduceError: if it is without end, and there is no rate.
        """

    def summary(self, kinds: Mapping[str, int]) -> msgspec.Struct:
        """Sum up for the report what was sent, by the kinds of the records."""
