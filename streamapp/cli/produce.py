"""``streamapp produce``: fill the topics."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable
from typing import Final

import click
import msgspec
from click.core import ParameterSource

from streamapp.cli.formats import BARE, FORMAT, format_of, registered, registry_of, traffic_serdes
from streamapp.cli.group import Command, current_settings
from streamapp.extras import Extra, require
from streamapp.formats.serde import Serde
from streamapp.pipelines.settings import PIPELINES, AppSettings
from streamapp.produce.delivery import Options, produce_lines, produce_traffic
from streamapp.produce.lines import JsonLines
from streamapp.produce.times import Unit

__all__ = ["produce"]

#: What each pipeline generates.
TRAFFIC: Final = {name: importlib.import_module(pipeline.traffic) for name, pipeline in PIPELINES.items()}
#: The names of its options.
OWN: Final = {name: [option.name for option in traffic.OPTIONS] for name, traffic in TRAFFIC.items()}
#: Options that are of a TOPIC's lines.
OF_LINES: Final = ("file", "key", "timestamp", "unit", "raw", "schema", "key_format", "key_schema", "create")


@click.command(cls=Command)
@click.argument("topic", required=False)
@click.option("--pipeline", type=click.Choice([*PIPELINES]), help="Whose traffic. [default: by STREAMAPP_PIPELINES]")
@click.option("--file", type=click.File("rb"), default="-", help="JSON lines, also compressed or UTF-16; -: stdin.")
@click.option("--key", help="Field of a line that is the key, or a.b of an object in it; without it there is none.")
@click.option("--timestamp", help="Field of a line that is the event time; without it, it is now.")
@click.option(
    "--unit",
    type=click.Choice([unit.value for unit in Unit]),
    help="Of numbers in --timestamp; date: 20231114 and the like. [default: s to ns, by their magnitude]",
)
@click.option("--raw", is_flag=True, help="Send lines unchecked, whatever they are.")
@click.option(
    "--format", "format_", type=FORMAT, help="What values are written as. [default: JSON; of clicks STREAMAPP_FORMAT …]"
)
@click.option("--schema", help="order.avsc, order.proto, order.proto:Order or module:Order, for --format.")
@click.option("--key-format", type=FORMAT, help="What keys are written as. [default: text]")
@click.option("--key-schema", help="As --schema, for --key-format.")
@BARE
@click.option("--create", is_flag=True, help="Create TOPIC if it does not exist.")
@click.option("--rate", type=click.FloatRange(min=0), default=0.0, help="Records a second; 0 (default): all it can.")
@click.option("--timeout", type=click.FloatRange(min=0.1), default=30.0, help="Seconds until a record has failed.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.option("--json", "as_json", is_flag=True, help="Report as a JSON line.")
@click.pass_context
def produce(
    ctx: click.Context,
    /,
    topic: str | None,
    pipeline: str | None,
    file: io.BufferedReader,
    key: str | None,
    timestamp: str | None,
    unit: str | None,
    raw: bool,
    format_: str | None,
    schema: str | None,
    key_format: str | None,
    key_schema: str | None,
    bare: bool,
    create: bool,
    rate: float,
    timeout: float,
    quiet: bool,
    as_json: bool,
    **generated: object,
) -> None:
    """Produce records: the generated traffic of a pipeline, or the lines of a file.

    Without TOPIC, what a pipeline generates goes to its topics; that of clicks is one profile for each user, then
    clicks. An option that only one pipeline has, such as --transactions, says which one is meant. With TOPIC (its full
    name), each line of --file, a JSON object, is sent to it as it is, or in --format. If STREAMAPP_REGISTRY_URL is set,
    Avro and Protobuf have the id of their schema before them, which is registered first.
    """
    require(Extra.PRODUCE)
    settings = current_settings()
    options = Options(rate=rate, timeout=timeout, progress=not quiet)
    if topic:
        _refuse(ctx, ("pipeline", *generated), "is for generated traffic, without a TOPIC")
        if unit and not timestamp:
            raise click.UsageError("--unit needs a --timestamp")
        registry = registry_of(settings, bare=bare)
        values = format_of(format_, schema, topic, registry)
        keys = format_of(key_format, key_schema, topic, registry, key=True)
        if raw and (values or keys):
            raise click.UsageError("--raw sends lines as they are, and goes without --format")
        serde = Serde.of(topic, values, keys)
        for each in (values, keys):
            registered(each, settings)
        lines = JsonLines(key=key, timestamp=timestamp, unit=Unit(unit) if unit else None, raw=raw, serde=serde)
        report = produce_lines(settings, topic, file, lines, options, create=create)
    else:
        _refuse(ctx, OF_LINES, "needs a TOPIC")
        run = settings.pipelines if isinstance(settings, AppSettings) else ()
        meant = [pipeline] if pipeline else _meant(ctx) or run
        if len(meant) != 1:
            raise click.UsageError(f"say what to produce: a TOPIC, or --pipeline {' or '.join(meant or PIPELINES)}")
        traffic = TRAFFIC[meant[0]]
        own = OWN[meant[0]]
        _refuse(ctx, generated.keys() - {*own}, "is for another pipeline")
        try:
            made = traffic.Traffic(**{name: generated[name] for name in own})
        except ValueError as exc:
            raise click.UsageError(str(exc)) from None
        serdes = {}
        if isinstance(settings, AppSettings):
            serdes = traffic_serdes(settings, made.topics, format_, registry_of(settings, bare=bare))
        elif format_:
            raise click.UsageError("--format of generated traffic is for the app of this repository, without -A")
        report = produce_traffic(settings, made, options, serdes)
    click.echo(msgspec.json.encode(report) if as_json else report)
    for told in filter(None, (report.note, report.warning, report.error)):
        click.echo(f"streamapp produce: {told}", err=True)
    ctx.exit(1 if report.error else 0)


produce.params += {option.name: option for traffic in TRAFFIC.values() for option in traffic.OPTIONS}.values()


def _meant(ctx: click.Context) -> list[str]:
    """Return the pipelines of which there are options that no other one has."""
    given = [name for name in ctx.params if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE]
    owners = [[pipeline for pipeline, own in OWN.items() if name in own] for name in given]
    return sorted({those[0] for those in owners if len(those) == 1})


def _refuse(ctx: click.Context, names: Iterable[str], why: str) -> None:
    for name in names:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"--{name.replace('_', '-')} {why}")
