"""``streamapp schema``: the schemas of the click app's results, which are made of those of clicks and profiles."""

from __future__ import annotations

import json

import click

from streamapp.cli.group import Command
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import plain
from streamapp.formats.protobuf import Protobuf
from streamapp.pipelines.clicks.settings import JOINED, UNMATCHED

__all__ = ["schema"]


@click.command(cls=Command)
@click.argument("topic", type=click.Choice([JOINED, UNMATCHED]))
def schema(topic: str) -> None:
    """Print the schema of TOPIC, which has results of the click app, as the settings have it.

    Of Avro it is a file .avsc, of Protobuf a .proto that imports those of clicks and profiles.
    """
    from streamapp.app import settings
    from streamapp.pipelines.clicks.formats import sides  # with all that an app needs
    from streamapp.pipelines.clicks.protobuf_results import text

    match sides.formats()[topic]:
        case Avro() as found:
            click.echo(json.dumps(plain(found.parsed), indent=2))
        case Protobuf() as found:
            click.echo(text(found))
        case found:
            raise click.UsageError(f"{settings.topic(topic)} is {found.name}, which has no schema")
