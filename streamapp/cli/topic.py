"""``streamapp topic``: the records of a topic, decoded."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator
from typing import Final

import click
import msgspec

from streamapp.browse.reading import Chosen, Reading, Selection, partitions_of
from streamapp.browse.shown import Decoding
from streamapp.cli.conditions import ConditionType
from streamapp.cli.formats import BARE, FORMAT, by_itself, format_of, registry_of
from streamapp.cli.group import Command, current_settings
from streamapp.conditions import Condition
from streamapp.formats import Format
from streamapp.formats.named import FormatName
from streamapp.kafka.log_reader import Log
from streamapp.pipelines.clicks.keys import keys_of
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, PROFILES, UNMATCHED, ClickSettings
from streamapp.reset.where import Kind, Where, WhereType
from streamapp.settings import Settings

__all__ = ["of_clicks", "topic"]

#: Records that are shown if nothing else is said.
NEWEST: Final = 10
#: Seconds after which a broker that sends nothing more does not answer.
PATIENCE_S: Final = 10.0


@click.command(cls=Command)
@click.argument("topic")
@click.option(
    "-n", "count", type=click.IntRange(min=1), help="Records at most: the newest, or the first from there on."
)
@click.option(
    "--from", "where", type=WhereType(), help="beginning, now, 2026-01-31T12:00:00Z, 1767225600000 (ms), 2h (ago)."
)
@click.option("--offset", type=click.IntRange(0, 2**63 - 1), help="The offset to begin at, of each partition, instead.")
@click.option("--until", type=WhereType(), help="The time before which records are shown, as in --from.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on, until Ctrl-C.")
@click.option("-p", "--partition", "partitions", type=click.IntRange(min=0), multiple=True, help="Only of this one.")
@click.option("--key", help="Only records with this key, as it is shown.")
@click.option(
    "--where",
    "meant",
    type=ConditionType(),
    help="""Only values of which it holds: 'amount > 100 and user.id in ["a"]'.""",
)
@click.option("--count", "only_count", is_flag=True, help="Print how many there are, and no records.")
@click.option("--values", "only_values", is_flag=True, help="Print the values alone.")
@click.option("--format", "format_", type=FORMAT, help="What values are. [default: found by their content]")
@click.option("--key-format", type=FORMAT, help="What keys are. [default: text, or found by their content]")
@click.option("--schema", help="order.avsc, order.proto, order.proto:Order or module:Order, for --format.")
@click.option("--key-schema", help="The same for --key-format.")
@BARE
@click.option("--uncommitted", is_flag=True, help="Of transactions also what is not committed, or was aborted.")
def topic(
    topic: str,
    count: int | None,
    where: Where | None,
    offset: int | None,
    until: Where | None,
    follow: bool,
    partitions: tuple[int, ...],
    key: str | None,
    meant: Condition | None,
    only_count: bool,
    only_values: bool,
    format_: str | None,
    key_format: str | None,
    schema: str | None,
    key_schema: str | None,
    bare: bool,
    uncommitted: bool,
) -> None:
    """Show the records of TOPIC as JSON lines, decoded: the 10 newest, or those from a time or an offset on.

    Values are decoded by their content, if no --format is given: what has a schema of the registry that
    STREAMAPP_REGISTRY_URL names, JSON, MessagePack and text; those of the click app's topics as STREAMAPP_FORMAT has
    them. Anything else is shown as {"base64": …}, with what it looks like. Those of one partition are in the order of
    their offsets; the newest ones are in that of their times.
    TOPIC is the full name, or the one without STREAMAPP_TOPIC_PREFIX.
    """
    if where is not None and offset is not None:
        raise click.UsageError("--from and --offset exclude each other")
    if follow and only_count:
        raise click.UsageError("--follow and --count exclude each other: what is counted has to end")
    if until is not None and (follow or until.kind is not Kind.TIME):
        raise click.UsageError("--until is a time, and goes without --follow")
    if offset is not None:
        where = Where(Kind.OFFSET, offset)
    if where is None and until is not None:
        where = Where(Kind.BEGINNING)
    settings = current_settings()
    tps = partitions_of(settings, topic, partitions)
    name, registry = tps[0].topic, registry_of(settings, bare=bare)
    decoding = Decoding(
        format_of(format_, schema, name, registry) or (None if registry else of_clicks(settings, name)),
        format_of(key_format, key_schema, name, registry, key=True) or _keys_of_clicks(settings, name),
        None if registry is None else (by_itself(name, registry), by_itself(name, registry, key=True)),
    )
    isolation = "read_uncommitted" if uncommitted else "read_committed"
    selection = Selection(key, meant, until.value if until is not None else None)
    with Log(settings, PATIENCE_S, isolation_level=isolation, waits=follow) as log:
        reading = Reading(log, tps, decoding, selection)
        if only_count:
            click.echo(reading.count(where or Where(Kind.BEGINNING), count))
        else:
            _print(_chosen(reading, where, count, follow=follow), only_values=only_values)


def of_clicks(settings: Settings, topic: str) -> Format | None:
    """Return what the values of a topic of the click app are by its settings; None = it is another, or all are JSON."""
    if not isinstance(settings, ClickSettings):
        return None
    kinds = {settings.format, settings.click_format, settings.profile_format, settings.joined_format}
    if kinds <= {FormatName.JSON, None}:
        return None
    from streamapp.pipelines.clicks.formats import Sides  # with all that an app needs

    return {settings.topic(name): kind for name, kind in Sides.of(settings).formats().items()}.get(topic)


def _keys_of_clicks(settings: Settings, topic: str) -> Format | None:
    """Return what the keys of a topic of the click app are by its settings; None = it is another, or they are text."""
    if not isinstance(settings, ClickSettings) or (keys := keys_of(settings)) is None:
        return None
    names = (CLICKS, PROFILES, JOINED, UNMATCHED)
    return keys.format if topic in {settings.topic(name) for name in names} else None


def _chosen(reading: Reading, where: Where | None, count: int | None, *, follow: bool) -> Iterator[Chosen | None]:
    """Go through the records to be shown; None = those that come after are still to be written."""
    if where is None:
        yield from reading.newest(count or NEWEST)
        count = None
    left = -1 if count is None else count
    parts = [reading.since(where) if where is not None else iter(()), reading.following() if follow else iter(())]
    for one in itertools.chain.from_iterable(parts):
        yield one
        left -= one is not None
        if not left:
            return


def _print(chosen: Iterator[Chosen | None], *, only_values: bool) -> None:
    """Print records, until there are no more, Ctrl-C, or whoever reads them has seen enough."""
    out = sys.stdout.buffer
    try:
        for one in chosen:
            if one is None:
                out.flush()
            else:
                out.write((bytes(one.shown.value) if only_values else msgspec.json.encode(one.shown)) + b"\n")
        out.flush()
    except BrokenPipeError:
        # Python would flush once more at its end, and tell that it cannot.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        out.flush()
