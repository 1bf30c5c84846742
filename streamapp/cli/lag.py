"""``streamapp lag``: how far the workers are behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final, NoReturn

import click
import msgspec
from faust.cli.base import AppCommand, option

from streamapp.kafka.admin import ClusterError
from streamapp.kafka.lag import GroupLag, PartitionLag, group_lag
from streamapp.worker.app import App

__all__ = ["Lag", "told"]

#: The exit code for a lag that is larger than it may be.
TOO_LARGE: Final = 3
HEADS: Final = ("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BEHIND", "MEMBER")


class Lag(AppCommand):
    """Show how far the workers are behind: for each partition the records that are not read yet.

    What a worker with these settings would not read is no lag: markers of transactions and, exactly once, aborted
    records; of more than 1,000 records the rest is told by the offsets. BEHIND is event time, from the first of these
    records to the newest one. Nothing is asked of the workers: the broker
    knows what they have committed, and which of them has a partition. Exits with 1 if it cannot be told.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option("--group", help="Consumer group. [default: STREAMAPP_ID; of `streamapp join`, that and -TOPIC of --to]"),
        option("--at-most", type=click.IntRange(min=0), help="Records: exit with 3 if the lag is larger."),
        option("--json", "as_json", is_flag=True, help="Print a line of JSON."),
    ]

    def __init__(self, ctx: click.Context, *, group: str | None, at_most: int | None, as_json: bool) -> None:
        super().__init__(ctx)
        self.group = group or self.app.settings.id
        self.at_most = at_most
        self.json = self.json or as_json

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Ask the broker; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if the lag cannot be told, 3 if it is larger than it may be.
        """
        settings = self.app.settings
        try:
            found = group_lag(settings, self.group, self.app.declared.inputs if self.group == settings.id else ())
        except ClusterError as exc:
            print(f"streamapp lag: {exc}", file=sys.stderr)
            sys.exit(1)
        print(msgspec.json.encode(found).decode() if self.json else told(found))
        sys.exit(TOO_LARGE if self.at_most is not None and found.lag > self.at_most else 0)


def told(found: GroupLag) -> str:
    """Give the lag of a group as a table, with the sum in the last line."""
    rows = [HEADS, *map(_row, found.partitions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(row, widths) for row in rows]
    members = len({one.member for one in found.partitions} - {None})
    return "\n".join([*lines, f"{found.group}: {found.state}, members: {members}, lag: {found.lag:,}"])


def _row(one: PartitionLag) -> tuple[str, ...]:
    committed = "-" if one.committed is None else f"{one.committed:,}"
    behind = "-" if one.behind_ms is None else f"{one.behind_ms / 1000:,.1f} s"
    return one.topic, str(one.partition), committed, f"{one.end:,}", f"{one.lag:,}", behind, one.member or "-"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = zip(row, widths, strict=True)
    cells = [first[0].ljust(first[1]), *(text.rjust(width) for text, width in numbers), last[0]]
    return "  ".join(cells)
