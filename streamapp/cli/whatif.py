"""``streamapp whatif``: a join with other settings, tried on what is in its topics."""

from __future__ import annotations

import dataclasses
import time
from typing import Any, Final

import click
import msgspec

from streamapp.advice.comparison import tried
from streamapp.advice.measuring import wall_at
from streamapp.advice.stretch import Reader
from streamapp.advice.subject import Subject, subjects
from streamapp.advice.variants import Settings, with_settings
from streamapp.application import App
from streamapp.cli.comparison_report import told
from streamapp.cli.group import Command, current_app, current_settings
from streamapp.cli.join import SIDES, declare
from streamapp.cli.join_options import JoinOptions, check_options
from streamapp.cli.ready_made import duration
from streamapp.cli.stretch_options import StretchOptions, connect, stretch
from streamapp.joins import How

__all__ = ["whatif"]

#: The settings of `streamapp join` that may be present ones.
PRESENT: Final = ("before", "after", "grace", "idle_timeout", "ttl", "history")


class PresentType(click.ParamType):
    """Settings of a join on the command line."""

    name = "settings"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        """Read them."""
        if isinstance(value, dict):
            return value
        found: dict[str, Any] = {}
        for part in filter(None, str(value).replace(",", " ").split()):
            name, given, text = part.partition("=")
            name = name.lstrip("-").replace("-", "_")
            if not given or name not in {"how", *PRESENT}:
                names = ", ".join(("how", *PRESENT)).replace("_", "-")
                self.fail(f"{part!r} is no setting: write before=10m,after=0,grace=1m, of {names}", param, ctx)
            try:
                found[name] = How(text) if name == "how" else duration(text)
            except ValueError as exc:
                self.fail(str(exc), param, ctx)
        return found


@click.command(cls=Command)
@click.argument("join", required=False)
@click.option("--left", help="Instead of JOIN, as in `streamapp join`: topic of the stream.")
@click.option("--right", help="Topic of the table, or of the other stream.")
@click.option("--on", "field", help="Field to join on.")
@click.option("--repartition", multiple=True, type=click.Choice(SIDES), help="Side that is not keyed by the field.")
@click.option("--present", type=PresentType(), default="", help="What it is now: before=10m,after=0,grace=1m,how=left.")
@click.option("--grace", type=duration, help="What if the grace was this?")
@click.option("--before", type=duration, help="If a right record could be so much earlier? Of two streams.")
@click.option("--after", type=duration, help="If it could be so much later?")
@click.option("--within", type=duration, help="Both: so much earlier or later; of an as-of join its tolerance.")
@click.option("--how", type=click.Choice([how.value for how in How]), help="Which unmatched records give a result.")
@click.option("--ttl", type=duration, help="How long a row of the table lives.")
@click.option("--history", type=duration, help="How far back past rows of the table are joined.")
@click.option("--size", type=duration, help="Length of windows.")
@click.option("--advance", type=duration, help="From the start of one to that of the next.")
@click.option("--session", type=duration, help="Of sessions: after how long without a record they end.")
@stretch
@click.option("--json", "as_json", is_flag=True, help="Print a line of JSON.")
def whatif(
    join: str | None,
    left: str | None,
    right: str | None,
    field: str | None,
    repartition: tuple[str, ...],
    present: dict[str, Any],
    within: int | None,
    how: str | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Try JOIN, a join or window of the app, with other settings on a stretch of its topics, beside those that it has.

    Both run here, in memory, on the same records in the same order, and what they give is compared: what became of
    records, and which results there are. JOIN may be left out if the app has one alone; topics that `streamapp join`
    joins are given as it takes them, with what is declared now as --present. The app's group, state and topics are only
    read, not changed.
    """
    names = [each.name for each in dataclasses.fields(Settings) if each.name in given]
    changed = {name: given.pop(name) for name in names}
    options = StretchOptions(**given)
    settings = current_settings()
    subject = _subject(join, left, right, field, repartition, present, options.format_)
    a = subject.join
    assert a is not None  # noqa: S101 - a join is what was asked for
    if within is not None:
        changed |= {"tolerance": within} if hasattr(a, "tolerance") else {"before": within, "after": within}
    other = Settings(**{**changed, "how": None if how is None else How(how)})
    if not other.given:
        raise click.UsageError("what is to be another one? --grace, --before, --after, --within, --how, --ttl, …")
    b = with_settings(subject.name, a, other)
    arrival = bool(options.timestamp)
    wall = wall_at(0 if arrival else time.time_ns() // 1_000_000, settings.max_ahead)
    with Reader(settings, options.event_time(settings, formatted=left is not None)) as reader:
        comparison = tried(subject, b, reader, options.asked, wall, arrival=arrival)
    click.echo(msgspec.json.encode(comparison) if as_json else told(comparison))


def _subject(
    join: str | None,
    left: str | None,
    right: str | None,
    field: str | None,
    repartition: tuple[str, ...],
    present: dict[str, Any],
    format_: str | None,
) -> Subject:
    if left is None and right is None and field is None:
        if present or repartition:
            raise click.UsageError("--present and --repartition are for --left, --right and --on")
        app = current_app()
        connect(app)
        found = subjects(app, join)
        if len(found) > 1:
            raise click.UsageError(f"which JOIN? There are {', '.join(one.name for one in found)}")
        return found[0]
    if join is not None or left is None or right is None or field is None:
        raise click.UsageError("give either JOIN, or --left, --right and --on")
    options = JoinOptions(left=left, right=right, field=field, to=f"{left}-{right}", repartition=repartition, **present)
    check_options(options)
    base = current_settings()
    app = App(settings=dataclasses.replace(base, id=f"{base.id}-whatif"), autodiscover=False)
    declaration = declare(app, dataclasses.replace(options, format_=format_))
    rekeyed = app.declared.rekeyed
    return Subject(declaration.name, declaration.join, declaration.inputs, declaration.idle_timeout, dict(rekeyed))
