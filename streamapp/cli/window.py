"""``streamapp window``: windows of one topic without a line of code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from streamapp.cli.formats import BARE, KEY_FORMAT, KEY_SCHEMA, OBJECT_FORMAT, declared, declared_keys
from streamapp.cli.group import Command
from streamapp.cli.ready_made import check_field, check_topics, duration, made_for, run
from streamapp.formats import Format, FormatDeclaration
from streamapp.reset.where import Where, WhereType
from streamapp.settings import Settings
from streamapp.topology import Bounds, JoinError
from streamapp.windows import (
    Aggregate,
    Count,
    Distinct,
    Emission,
    Max,
    Mean,
    Min,
    Sum,
    Windows,
    each,
    hopping,
    last,
    look_back,
    session,
    tumbling,
)
from streamapp.windows.aggregate import Held

__all__ = ["window"]

F = TypeVar("F", bound=Callable[..., object])

#: The options that make an aggregate of a field, which results have under ``OPTION_FIELD``.
OF_FIELDS: Final[dict[str, tuple[Callable[[str], Aggregate[Held]], str]]] = {
    "sum": (Sum, "Sum of a field"),
    "mean": (Mean, "Mean of a field"),
    "min": (Min, "Smallest value of a field"),
    "max": (Max, "Largest value of a field"),
    "distinct": (Distinct, "How many different values a field has"),
}
#: The options that say which windows there are: one of them has to be given.
KINDS: Final = ("size", "session", "last", "each")


@dataclasses.dataclass(frozen=True, kw_only=True)
class WindowOptions:
    """What the command line says; durations are in ms."""

    topic: str
    to: str
    count: bool
    by: str | None = None
    size: int | None = None
    advance: int | None = None
    session: int | None = None
    #: So long (ms), or so many records, in digits.
    last: str | None = None
    each: int | None = None
    grace: int = 0
    emission: str = Emission.FINAL
    every: int | None = None
    idle_timeout: int | None = None
    bounds: str = Bounds.VALUE
    late: str | None = None
    partly_late: str | None = None
    rejected: str | None = None
    create: bool = False
    where: Where | None = None
    format_: str | None = None
    schema: str = ""
    to_format: str | None = None
    to_schema: str = ""
    key_format: str | None = None
    key_schema: str = ""
    bare: bool = False

    def format_of_topic(self, settings: Settings) -> FormatDeclaration | None:
        """Return what the values of the topic are; None = JSON, unless it is declared otherwise.

        Avro and Protobuf are in the wire format of a schema registry, if the settings have one.

        Raises:
            StreamappError: if the schema is missing, or of no use.
        """
        return declared(self.format_, self.schema, "--schema", settings, bare=self.bare)

    def format_of_results(self, settings: Settings) -> FormatDeclaration | None:
        """Return what the values of the results are, likewise."""
        name = self.to_format or self.format_
        return declared(name, self.to_schema, "--to-schema", settings, bare=self.bare, written=True)

    @property
    def keys(self) -> Format | None:
        """What the keys of the topic are; None = text."""
        return declared_keys(self.key_format, self.key_schema)

    def check(self, fields: dict[str, tuple[str, ...]]) -> None:
        """Check that topics and fields can be, and that something is counted.

        Raises:
            JoinError: if not; names the options.
        """
        sent_to = {"to": self.to, "late": self.late, "partly-late": self.partly_late, "rejected": self.rejected}
        check_topics({"topic": self.topic}, sent_to, "window")
        if self.by is not None:
            check_field("by", self.by, "it is one that the values have, such as ip; without --by keys count")
        for option, names in fields.items():
            for name in names:
                check_field(option, name, "it is one that the values have, such as amount")
        if not self.count and not any(fields.values()):
            raise JoinError(f"what is to be made of the windows? --count, or {_listed(OF_FIELDS)} of a field")

    @property
    def windows(self) -> Windows:
        """The windows that there are.

        Raises:
            JoinError: if not one kind of them is asked for.
        """
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise JoinError("which windows? Give --size (and --advance, if they overlap), --session, --last or --each")
        if self.advance is not None and self.size is None:
            raise JoinError("--advance is from the start of one window of a --size to that of the next")
        try:
            if self.session is not None:
                return session(self.session)
            if self.each is not None:
                return each(self.each)
            if self.last is not None:
                return last(int(self.last)) if self.last.isdecimal() else look_back(self.last)
            size = self.size or 0
            return tumbling(size) if self.advance is None else hopping(size, self.advance)
        except ValueError as exc:
            raise JoinError(str(exc)) from None


def of_fields(command: F) -> F:
    """Add the options that make an aggregate of a field."""
    for name, (_, text) in reversed(OF_FIELDS.items()):
        told = f"{text}: {name}_FIELD in the results."
        command = click.option(f"--{name}", f"{name}_of", metavar="FIELD", multiple=True, help=told)(command)
    return command


@click.command(cls=Command)
@click.option("--topic", required=True, help="Topic of the stream.")
@click.option("--by", help="Field to count by; default: the records' keys.")
@click.option("--size", type=duration, help="Length of the windows: 10s, 1m, 1h, 1d.")
@click.option("--advance", type=duration, help="From the start of one to that of the next; default: its size.")
@click.option("--session", type=duration, help="Instead: sessions, which end after so long without a record.")
@click.option("--last", help="Instead: for each record those of so long (1m), or so many (100), before and with it.")
@click.option("--each", type=int, help="Instead: windows of so many records.")
@click.option("--grace", type=duration, default=0, show_default=True, help="How late a record may be.")
@click.option("--count", is_flag=True, help="How many records there are: count in the results.")
@of_fields
@click.option("--to", required=True, help="Topic of the results.")
@click.option(
    "--emission",
    type=click.Choice([emission.value for emission in Emission]),
    default=Emission.FINAL.value,
    show_default=True,
    help="One result when a window is over, one at each change, or both, which are told apart by final.",
)
@click.option("--every", type=duration, help="How often, in event time, a window gives an update at most.")
@click.option(
    "--bounds",
    type=click.Choice([bounds.value for bounds in Bounds]),
    default=Bounds.VALUE.value,
    show_default=True,
    help="Where results have the start and the end of their window.",
)
@click.option("--idle-timeout", type=duration, help="After how long a silence windows go on with the wall clock.")
@click.option("--late", help="Topic of the records that are late.")
@click.option("--partly-late", help="Topic of those that are late in some of their windows.")
@click.option("--rejected", help="Topic of those that cannot be counted; default: the dead letters.")
@click.option(
    "--format", "format_", type=OBJECT_FORMAT, help="What values are: of TOPIC and the results; default: json."
)
@click.option("--schema", default="", help="Of TOPIC: x.avsc, x.proto[:MESSAGE] or MODULE:CLASS.")
@click.option("--to-format", type=OBJECT_FORMAT, help="Of the results, instead.")
@click.option("--to-schema", default="", help="Of the results.")
@KEY_FORMAT
@KEY_SCHEMA
@BARE
@click.option("--create", is_flag=True, help="Make TOPIC if it does not exist.")
@click.option(
    "--from",
    "where",
    type=WhereType(),
    help="Where new windows begin to read: beginning (default), now, 2026-01-31T12:00:00Z, 2h (ago).",
)
def window(**given: Any) -> None:
    """Count, sum, … the records of a topic, in JSON or another format, by key and window.

    A worker that gives, for each key and window, {"key": ..., "start": ..., "end": ..., "count": ...} with the start
    and the end in ms. By default a result comes once, when the window and the grace are over. Without --by the
    records' keys count; with it the topic is written once more, keyed by the field.
    """
    fields = {name: given.pop(f"{name}_of") for name in OF_FIELDS}
    options = WindowOptions(**given)
    options.check(fields)
    aggregates: dict[str, Aggregate[Held]] = {"count": Count()} if options.count else {}
    for name, (make, _) in OF_FIELDS.items():
        aggregates |= {f"{name}_{field}": make(field) for field in fields[name]}
    app = made_for(options.to, create=options.create)
    late, partly_late, rejected = (
        app.sink(name) if name else None for name in (options.late, options.partly_late, options.rejected)
    )
    topic = app.topic(options.topic, format=options.format_of_topic(app.settings), key_format=options.keys)
    windowed = topic.window(
        options.windows,
        by=options.by,
        grace=options.grace,
        emission=options.emission,
        every=options.every,
        idle_timeout=options.idle_timeout,
    )
    windowed.agg(**aggregates).to(
        app.sink(options.to),
        format=options.format_of_results(app.settings),
        # What is counted by a field is written once more, with text for keys.
        key_format=None if options.by else options.keys,
        bounds=options.bounds,
        late=late,
        partly_late=partly_late,
        null_key=rejected,
        rejected=rejected,
    )
    run(app, options.where)


def _listed(names: Iterable[str]) -> str:
    *some, last = (f"--{name}" for name in names)
    return f"{', '.join(some)} or {last}"
