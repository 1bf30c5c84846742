"""``streamapp schema``: the schemas of the click app's results, which are made of those of clicks and profiles."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from streamapp.cli.group import Command
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import plain
from streamapp.formats.protobuf import Protobuf
from streamapp.pipelines.clicks.settings import JOINED, UNMATCHED

if TYPE_CHECKING:
    from google.protobuf.descriptor import Descriptor, FieldDescriptor

__all__ = ["proto", "schema"]


@click.command(cls=Command)
@click.argument("topic", type=click.Choice([JOINED, UNMATCHED]))
def schema(topic: str) -> None:
    """Print the schema of TOPIC, which has results of the click app, as the settings have it.

    Of Avro it is a file .avsc, of Protobuf a .proto that imports those of clicks and profiles.
    """
    from streamapp.app import settings
    from streamapp.pipelines.clicks.formats import sides  # with all that an app needs

    match sides.formats()[topic]:
        case Avro() as found:
            click.echo(json.dumps(plain(found.parsed), indent=2))
        case Protobuf(source=str() | os.PathLike() as file):
            click.echo(Path(file).read_text("utf-8"), nl=False)
        case Protobuf() as found:
            click.echo(proto(cast("Descriptor", found.generated.DESCRIPTOR)))
        case found:
            raise click.UsageError(f"{settings.topic(topic)} is {found.name}, which has no schema")


def proto(message: Descriptor) -> str:
    """Return the ``.proto`` file of a message of which all that it is made of is in other files."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto

    def kind(field: FieldDescriptor) -> str:
        if field.message_type is not None:
            return f".{field.message_type.full_name}"
        return FieldDescriptorProto.Type.Name(cast(Any, field.type)).removeprefix("TYPE_").lower()

    imports = [f'import "{file.name}";' for file in message.file.dependencies]
    fields = [f"  {kind(field)} {field.name} = {field.number};" for field in message.fields]
    head = ['syntax = "proto3";', "", f"package {message.file.package};", "", *imports, ""]
    return "\n".join([*head, f"message {message.name} {{", *fields, "}"])
