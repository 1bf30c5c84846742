"""Generated traffic, of whatever pipeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Protocol, runtime_checkable

import click
import msgspec

__all__ = ["BAD_SHARE", "ENDLESS", "LATENESS_MS", "LATE_SHARE", "SEED", "Bursting", "Record", "Traffic", "share"]

#: How far a late record is behind its neighbours: the least and the most.
LATENESS_MS: Final = (60_000, 600_000)


def share(name: str, text: str, default: float = 0.0) -> click.Option:
    """Return an option of `streamapp produce` that is a part of the records, 0 to 1."""
    return click.Option([name], type=click.FloatRange(0, 1), default=default, help=text)


#: The options that all traffic has.
ENDLESS: Final = click.Option(["--endless"], is_flag=True, help="Records until Ctrl-C; needs --rate.")
SEED: Final = click.Option(["--seed"], type=int, default=0, help="The same seed gives the same records.")
LATE_SHARE: Final = share("--late-share", "Part of the records that is 1 to 10 minutes late.")
BAD_SHARE: Final = share("--bad-share", "Part of the records that cannot be used.")


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


@runtime_checkable
class Bursting(Protocol):
    """Traffic whose rate is not the same all the time."""

    def due(self, number: int, rate: float) -> float:
        """Return when a record is due, in seconds after the first, if it is sent at a rate (a second) as a rule."""
        ...
