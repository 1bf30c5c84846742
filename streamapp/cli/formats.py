"""What options and settings say of formats, for the commands that read or write topics."""

from __future__ import annotations

import click

from streamapp.formats import Avro, Format, Protobuf, Registered
from streamapp.formats.named import FormatName, named
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.settings import PREFIX, Settings

__all__ = ["FORMAT", "format_of", "registry_of"]

FORMAT = click.Choice([name.value for name in FormatName])


def registry_of(settings: Settings) -> Registry | None:
    """Return the registry that the settings name; None = they name none."""
    return Registry(settings) if settings.registry_url else None


def format_of(
    name: str | None, schema: str | None, topic: str, registry: Registry | None, *, key: bool = False
) -> Format | None:
    """Return the format of a topic by options; in a registry's wire format if there is a registry for it.

    Args:
        name: of the format; None = that of the schema, by its file's name, or none.
        schema: its file, or the class, as `named` takes it.
        topic: its full name.
        registry: where the schemas of values are looked up and registered; None = they are bare data.
        key: whether it is of the keys.

    Raises:
        StreamappError: if there is no such format.
    """
    if name is None and schema is None:
        return None
    kind = FormatName(name) if name else _kind(schema or "")
    if kind in {FormatName.AVRO, FormatName.PROTOBUF} and registry is not None:
        declared = named(kind, schema, "--schema") if schema else None
        if not isinstance(declared, Avro | Protobuf | None):
            raise click.UsageError(f"--format {kind} is in no registry")
        data: RegisteredData = Registered(declared).bound(topic, key=key)
        data.connect(registry, blocks=True)
        return data
    if kind in {FormatName.AVRO, FormatName.PROTOBUF} and not schema:
        raise click.UsageError(f"--format {kind} needs --schema FILE, or a registry ({PREFIX}REGISTRY_URL)")
    return named(kind, schema or "", "--schema").bound(topic, key=key)


def _kind(schema: str) -> FormatName:
    return FormatName.AVRO if ".avsc" in schema else FormatName.PROTOBUF
