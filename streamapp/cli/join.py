"""``streamapp join``: joins two topics without a line of code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import click

from streamapp.application import App
from streamapp.cli.formats import BARE, KEY_FORMAT, KEY_SCHEMA, OBJECT_FORMAT
from streamapp.cli.group import Command
from streamapp.cli.join_options import JoinOptions, check_options
from streamapp.cli.ready_made import duration, made_for, run
from streamapp.formats.content import json_of
from streamapp.formats.fields import Field
from streamapp.formats.key_forms import key_form
from streamapp.formats.undecodable import Reason
from streamapp.joins import How, Record, Refused
from streamapp.reset.where import WhereType
from streamapp.topology import JoinDeclaration, JoinError, Topic

__all__ = ["declare", "join"]

SIDES: Final = ("left", "right")


@click.command(cls=Command)
@click.option("--left", required=True, help="Topic of the stream.")
@click.option("--right", required=True, help="Topic of the table, or of the other stream.")
@click.option("--on", "field", required=True, help="Field to join on.")
@click.option("--to", required=True, help="Topic of the results.")
@click.option("--how", type=click.Choice([how.value for how in How]), default=How.INNER.value, show_default=True)
@click.option("--before", type=duration, help="How much earlier a right record may be: 250ms, 10s, 10m, 1h, 7d.")
@click.option("--after", type=duration, help="How much later it may be.")
@click.option("--grace", type=duration, help="How late a record may be.")
@click.option("--idle-timeout", type=duration, help="After how long a silence what waits comes out.")
@click.option("--ttl", type=duration, default=0, help="How long a row of the table lives; default: for ever.")
@click.option("--history", type=duration, help="How far back past rows of the table are kept, and joined.")
@click.option("--repartition", multiple=True, type=click.Choice(SIDES), help="Side that is not keyed by the field.")
@click.option("--unmatched", help="Topic of the records that are not matched.")
@click.option("--late", help="Topic of the records that are late.")
@click.option("--rejected", help="Topic of those that cannot be joined; default: the dead letters.")
@click.option(
    "--format", "format_", type=OBJECT_FORMAT, help="What values are: of both sides and the results; default: json."
)
@click.option("--left-format", type=OBJECT_FORMAT, help="Of LEFT, instead.")
@click.option("--right-format", type=OBJECT_FORMAT, help="Of RIGHT, instead.")
@click.option("--to-format", type=OBJECT_FORMAT, help="Of the results, instead.")
@click.option("--left-schema", default="", help="Of LEFT: x.avsc, x.proto[:MESSAGE] or MODULE:CLASS.")
@click.option("--right-schema", default="", help="Of RIGHT.")
@click.option("--to-schema", default="", help="Of the results.")
@KEY_FORMAT
@KEY_SCHEMA
@BARE
@click.option("--create", is_flag=True, help="Make LEFT and RIGHT if they do not exist.")
@click.option(
    "--from",
    "where",
    type=WhereType(),
    help="Where a new join begins to read streams: beginning (default), now, 2026-01-31T12:00:00Z, 2h (ago). Tables "
    "are read from their beginning.",
)
def join(how: str, **given: Any) -> None:
    """Join two topics, in JSON or another format, by a field that both have.

    A worker that joins each record of LEFT with the row of RIGHT that has its key; with --before, --after and --grace,
    both are streams, and pairs within the window are joined. Results are {"left": ..., "right": ...}. Both topics must
    be keyed by the field; --repartition has one that is not keyed by it written once more.
    """
    options = JoinOptions(how=How(how), **given)
    check_options(options)
    app = made_for(options.to, create=options.create)
    results = app.sink(options.to, format=options.format_of("to", app.settings), key_format=options.key_format_of("to"))
    unmatched, late, rejected = (
        app.sink(name) if name else None for name in (options.unmatched, options.late, options.rejected)
    )
    declare(app, options).to(results, unmatched=unmatched, late=late, rejected=rejected, null_key=rejected)
    run(app, options.where)


def declare(app: App, options: JoinOptions) -> JoinDeclaration[Any]:
    """Declare the join of options on an app; a JoinError if they do not go together."""
    left, right = (_side(app, options, side) for side in SIDES)
    given = dataclasses.asdict(options)
    timing = {name: given[name] for name in ("how", "grace", "idle_timeout")}
    if not options.windowed:
        return left.join(right.table(ttl=options.ttl, history=options.history), **timing)
    if options.ttl or options.history is not None:
        raise JoinError("--ttl and --history are for a table, and with --before and --after both are streams")
    return left.join(right, before=given["before"], after=given["after"], **timing)


def _side(app: App, options: JoinOptions, side: str) -> Topic:
    field = Field(options.field, required=True)
    topic = app.topic(
        getattr(options, side),
        format=options.format_of(side, app.settings),
        key_format=options.key_format_of(side),
    )
    if side in options.repartition:
        tombstones = side == "right" and not options.windowed
        topic = topic.rekey(field, name=field.name, tombstones=tombstones)
    if options.keys_are_the_field:
        topic.check = _keyed_by(field, side)
    topic.keyed_by = field.name
    return topic


def _keyed_by(field: Field, side: str) -> Callable[[Record], None]:
    """Return what refuses records that have another key than the field's, and says what they have instead."""
    remedy = f"--repartition {side} goes by {field.name} of the value"

    def check(record: Record) -> None:
        if record.value is None or (expected := field(record)) == record.key:
            return
        if expected is None:
            raise Refused(f"the value has no {field.name} to join on (--on {field.name})")
        if record.key is None:
            raise Refused(f"the record has no key: {remedy}", Reason.NULL_KEY)
        form = key_form(record.key, json_of(record), field.name)
        raise Refused(f"the key {record.key!r} is {form.text}: {remedy}", Reason.KEY_MISMATCH)

    return check
