"""``streamapp lag``: how far the workers are behind."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from streamapp.cli.group import Command, current_settings
from streamapp.kafka.lag import GroupLag, PartitionLag, group_lag

__all__ = ["lag", "told"]

#: The exit code for a lag that is larger than it may be.
TOO_LARGE: Final = 3
HEADS: Final = ("TOPIC", "PARTITION", "COMMITTED", "END", "LAG", "BEHIND", "MEMBER")


@click.command(cls=Command)
@click.option("--group", help="Consumer group. [default: STREAMAPP_ID; of `streamapp join`, that and -TOPIC of --to]")
@click.option("--at-most", type=click.IntRange(min=0), help="Records: exit with 3 if the lag is larger.")
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def lag(group: str | None, at_most: int | None, as_json: bool) -> None:
    """Show how far the workers are behind: for each partition the records that are not read yet.

    What a worker with these settings would not read is no lag: markers of transactions and, exactly once, aborted
    records; of more than 1,000 records the rest is told by the offsets. BEHIND is event time, from the first of these
    records to the newest one. What is behind an open transaction, which exactly once waits for, is told apart.
    Nothing is asked of the workers: the broker knows what they have committed, and which of them has a partition. Exits
    with 1 if it cannot be told.
    """
    settings = current_settings()
    found = group_lag(settings, group or settings.id)
    click.echo(msgspec.json.encode(found) if as_json else told(found))
    if at_most is not None and found.lag > at_most:
        sys.exit(TOO_LARGE)


def told(found: GroupLag) -> str:
    """Return the lag of a group as a table, with the sum in the last line."""
    rows = [HEADS, *map(_row, found.partitions)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    members = len({one.member for one in found.partitions} - {None})
    last = f"{found.group}: {found.state}, members: {members}, lag: {found.lag:,}"
    if withheld := sum(one.withheld for one in found.partitions):
        topics = dict.fromkeys(one.topic for one in found.partitions if one.withheld)
        last += f", behind open transactions in {' and '.join(topics)}: {withheld:,}"
    return "\n".join([*(_line(row, widths) for row in rows), last])


def _row(one: PartitionLag) -> tuple[str, ...]:
    committed = "-" if one.committed is None else f"{one.committed:,}"
    behind = "?" if one.behind_ms is None else f"{one.behind_ms / 1000:,.1f} s"
    return one.topic, str(one.partition), committed, f"{one.end:,}", f"{one.lag:,}", behind, one.member or "-"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first, *numbers, last = zip(row, widths, strict=True)
    return "  ".join([first[0].ljust(first[1]), *(text.rjust(width) for text, width in numbers), last[0]])
