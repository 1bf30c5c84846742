"""``streamapp join``: joins two topics without a line of code."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click
from faust.cli.base import AppCommand, option

from streamapp.app import App
from streamapp.batching.content import json_of
from streamapp.batching.dead_letters import Reason
from streamapp.batching.key_forms import key_form
from streamapp.cli.join_options import check_options, part_of_name
from streamapp.cluster import ClusterError
from streamapp.joins import How, Record, Refused
from streamapp.replay.values import Field, duration
from streamapp.reset.beginning import begin
from streamapp.reset.errors import ResetError
from streamapp.reset.where import WhereType
from streamapp.settings import Create
from streamapp.topology import JoinDeclaration, JoinError, Topic
from streamapp.worker import Worker

__all__ = ["Join"]

SIDES: Final = ("left", "right")


class Duration(click.ParamType):
    """A duration on the command line, in ms."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read it."""
        if isinstance(value, int):
            return value
        try:
            return int(value) if value.lstrip("-").isdecimal() else duration(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)


class Join(AppCommand):
    """Join two topics of JSON objects, by a field that both have.

    A worker that joins each record of LEFT with the row of RIGHT that has its key; with --before, --after and --grace,
    both are streams, and pairs within the window are joined. Results are {"left": ..., "right": ...}. Both topics must
    be keyed by the field; --repartition has one that is not keyed by it written once more.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option("--left", required=True, help="Topic of the stream."),
        option("--right", required=True, help="Topic of the table, or of the other stream."),
        option("--on", "field", required=True, help="Field to join on."),
        option("--to", required=True, help="Topic of the results."),
        option("--how", type=click.Choice([how.value for how in How]), default=How.INNER.value, help="Default: inner."),
        option("--before", type=Duration(), help="How much earlier a right record may be: 250ms, 10s, 10m, 1h, 7d."),
        option("--after", type=Duration(), help="How much later it may be."),
        option("--grace", type=Duration(), help="How late a record may be."),
        option("--idle-timeout", type=Duration(), help="After how long a silence what waits comes out."),
        option("--ttl", type=Duration(), default=0, help="How long a row of the table lives; default: for ever."),
        option("--history", type=Duration(), help="How far back past rows of the table are kept, and joined."),
        option("--repartition", multiple=True, type=click.Choice(SIDES), help="Side that is not keyed by the field."),
        option("--unmatched", help="Topic of the records that are not matched."),
        option("--late", help="Topic of the records that are late."),
        option("--rejected", help="Topic of those that cannot be joined; default: the dead letters."),
        option("--create", is_flag=True, help="Make LEFT and RIGHT if they do not exist."),
        option(
            "--from",
            "where",
            type=WhereType(),
            help="Where a new join begins to read streams: beginning (default), now, 2026-01-31T12:00:00Z, 2h (ago). "
            "Tables are read from their beginning.",
        ),
    ]

    def __init__(self, ctx: click.Context, **given: Any) -> None:
        super().__init__(ctx)
        self.given = given

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Run the worker until it is stopped.

        Raises:
            SystemExit: always; with one line if the join cannot be.
        """
        given = self.given
        # A group and tables of its own, beside those of the app that this command is a part of, and of other joins.
        group = f"{self.app.settings.id}-{given['to']}"
        settings = dataclasses.replace(
            self.app.settings,
            id=group,
            datadir=self.app.settings.datadir / group,
            create=Create.MISSING if given["create"] else self.app.settings.create,
        )
        app = App(settings, autodiscover=False)
        app.reset_command = f"streamapp reset --group {settings.id}"
        try:
            check_options(given)
            declaration = self._declare(app)
            unmatched, late, rejected = (
                app.output(name) if (name := given[side]) else None for side in ("unmatched", "late", "rejected")
            )
            declaration.to(
                app.output(given["to"]), unmatched=unmatched, late=late, rejected=rejected, null_key=rejected
            )
        except JoinError as exc:
            raise SystemExit(f"streamapp join: {exc}") from None
        app.finalize()
        if given["where"] is not None:
            try:
                begin(app, given["where"])
            except (ResetError, ClusterError) as exc:
                raise SystemExit(f"streamapp join: {exc}") from None
        Worker(app, loglevel="info").execute_from_commandline()

    def _declare(self, app: App) -> JoinDeclaration[Any]:
        given, field = self.given, Field(self.given["field"], required=True)
        left, right = (self._side(app, side, field) for side in SIDES)
        how, window = How(given["how"]), {name: given[name] for name in ("before", "after")}
        options = {"how": how, "grace": given["grace"], "idle_timeout": given["idle_timeout"]}
        if any(size is not None for size in window.values()):
            if given["ttl"] or given["history"] is not None:
                raise JoinError("--ttl and --history are for a table, and with --before and --after both are streams")
            return left.join(right, **options, **window)
        return left.join(right.table(ttl=given["ttl"], history=given["history"]), **options)

    def _side(self, app: App, side: str, field: Field) -> Topic:
        topic = app.batches(self.given[side])
        if side in self.given["repartition"]:
            tombstones = side == "right" and self.given["before"] is None and self.given["after"] is None
            topic = topic.rekey(field, name=part_of_name(field.name), tombstones=tombstones)
        topic.check = _keyed_by(field, side)
        topic.keyed_by = field.name
        return topic


def _keyed_by(field: Field, side: str) -> Callable[[Record], None]:
    """Make what refuses records that have another key than the field's, and says what they have instead."""

    def check(record: Record) -> None:
        if record.value is None or (expected := field(record)) == record.key:
            return
        if expected is None:
            raise Refused(f"the value has no {field.name} to join on (--on {field.name})")
        if record.key is None:
            raise Refused(
                f"the record has no key: --repartition {side} goes by {field.name} of the value", Reason.NULL_KEY
            )
        form = key_form(record.key, json_of(record), field.name)
        raise Refused(
            f"the key {record.key!r} is {form.text}: --repartition {side} goes by {field.name} of the value",
            Reason.KEY_MISMATCH,
        )

    return check
