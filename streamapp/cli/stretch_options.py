"""The options of the commands that look at a stretch of topics: which one, and where event times are."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from streamapp.advice.event_time import EventTime
from streamapp.advice.stretch import RECORDS, Asked
from streamapp.cli.formats import BARE, FORMAT, format_of, registry_of
from streamapp.formats.format import Format
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.produce.times import Unit
from streamapp.reset.where import Kind, Where, WhereType
from streamapp.settings import Settings
from streamapp.topology.app import App

__all__ = ["StretchOptions", "connect", "stretch"]

F = TypeVar("F", bound=Callable[..., object])

OFFSET: Final = click.IntRange(0, 2**63 - 1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StretchOptions:
    """What the command line says."""

    since: Where | None
    until: Where | None
    offset: int | None
    end_offset: int | None
    records: int
    partitions: tuple[int, ...]
    timestamp: str
    unit: str | None
    format_: str | None
    schema: str | None
    bare: bool

    @property
    def asked(self) -> Asked:
        """The stretch that is asked for; a click.UsageError if there is no such one."""
        if self.since is not None and self.offset is not None:
            raise click.UsageError("--from and --offset exclude each other")
        if self.until is not None and self.until.kind is not Kind.TIME:
            raise click.UsageError("--to is a time, such as 2026-01-31T12:00:00Z, or 10m (ago)")
        since = self.since if self.offset is None else Where(Kind.OFFSET, self.offset)
        until = None if self.until is None else self.until.value
        return Asked(since, until, self.end_offset, self.records, self.partitions)

    def event_time(self, settings: Settings, *, formatted: bool = False) -> EventTime:
        """Return where event times are; a click.UsageError for options that do not go together.

        `formatted`: whether the format is of what is joined, too.
        """
        if not self.timestamp and (self.unit or self.schema or (self.format_ and not formatted)):
            raise click.UsageError("--unit, --format and --schema are for --timestamp FIELD")
        registry = registry_of(settings, bare=self.bare)
        formats: dict[str, Format | None] = {}

        def of(topic: str) -> Format | None:
            if topic not in formats:
                formats[topic] = format_of(self.format_, self.schema, topic, registry)
            return formats[topic]

        return EventTime(self.timestamp, None if self.unit is None else Unit(self.unit), of)


def stretch(command: F) -> F:
    """Add these options."""
    options: list[Callable[[Any], Any]] = [
        click.option(
            "--from",
            "since",
            type=WhereType(),
            help="Where the stretch begins: beginning, 2026-01-31T12:00:00Z, 1767225600000 (ms), 2h (ago).",
        ),
        click.option("--to", "until", type=WhereType(), help="The time before which it ends. [default: now]"),
        click.option("--offset", type=OFFSET, help="The offset of each partition at which it begins, instead."),
        click.option("--end-offset", type=OFFSET, help="The offset before which it ends."),
        click.option(
            "-n",
            "--records",
            type=click.IntRange(min=1),
            default=RECORDS,
            show_default=True,
            help="Without --from and --offset: so many of each topic, the newest, from one time on.",
        ),
        click.option(
            "-p", "--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only of this."
        ),
        click.option(
            "--timestamp",
            default="",
            metavar="FIELD",
            help="Field of the values with the event time. [default: the records' timestamps]",
        ),
        click.option(
            "--unit", type=click.Choice([unit.value for unit in Unit]), help="Of its numbers. [default: by magnitude]"
        ),
        click.option("--format", "format_", type=FORMAT, help="What values are, for --timestamp. [default: json]"),
        click.option("--schema", help="order.avsc, order.proto, order.proto:Order or module:Order, for --format."),
        BARE,
    ]
    for option in reversed(options):
        command = option(command)
    return command


def connect(app: App) -> None:
    """Have what the app declares of topics in a registry's wire format find its schemas."""
    if not app.settings.registry_url:
        return
    registry, declared = Registry(app.settings), app.declared
    formats = [format_ for serde in declared.serdes.values() for format_ in (serde.value, serde.key)]
    for data in (*formats, *declared.registered):
        if isinstance(data, RegisteredData):
            data.connect(registry, blocks=True)
