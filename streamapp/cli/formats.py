"""What options and settings say of formats, for the commands that read or write topics."""

from __future__ import annotations

from typing import Final

import click

from streamapp.formats import Avro, Format, FormatDeclaration, Json, Protobuf, Registered
from streamapp.formats.named import FormatName, named
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.formats.serde import Serde
from streamapp.pipelines.clicks.demo_schemas import demo_schema
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.settings import AppSettings
from streamapp.settings import PREFIX, Settings

__all__ = ["BARE", "FORMAT", "by_itself", "declared", "format_of", "registered", "registry_of", "traffic_serdes"]

#: Formats whose values are of a registry's schemas, where there is a registry.
WITH_SCHEMAS: Final = {FormatName.AVRO, FormatName.PROTOBUF}

FORMAT: Final = click.Choice([name.value for name in FormatName])
BARE: Final = click.option(
    "--bare", is_flag=True, help="Avro and Protobuf without a schema's id, although STREAMAPP_REGISTRY_URL is set."
)


def registry_of(settings: Settings, *, bare: bool) -> Registry | None:
    """Return the registry that the settings name; None = they name none, or data are bare."""
    return Registry(settings) if settings.registry_url and not bare else None


def by_itself(topic: str, registry: Registry, *, key: bool = False) -> RegisteredData:
    """Return what reads data by the schema that they name."""
    data = Registered().bound(topic, key=key)
    data.connect(registry, blocks=True)
    return data


def declared(
    name: FormatName, schema: str, option: str, settings: Settings, *, bare: bool, written: bool = False
) -> FormatDeclaration:
    """Return the format of a topic that a worker reads or writes; in a registry's wire format if there is one for it.

    Args:
        name: of the format.
        schema: its file, or the class, as `named` takes it; of what is read with a registry there need be none.
        option: what messages call the schema.
        settings: which say whether there is a registry.
        bare: whether Avro and Protobuf are bare data although there is one.
        written: whether it is written.

    Raises:
        StreamappError: if there is no such format.
    """
    if name not in WITH_SCHEMAS or bare or not settings.registry_url:
        return named(name, schema, option)
    if not schema and not written:
        return Registered()
    found = named(name, schema, option)
    assert isinstance(found, Avro | Protobuf)  # noqa: S101 - those have schemas
    return Registered(found)


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
    if kind in WITH_SCHEMAS and registry is not None:
        found = named(kind, schema, "--schema") if schema else None
        assert isinstance(found, Avro | Protobuf | None)  # noqa: S101 - those have schemas
        data: RegisteredData = Registered(found).bound(topic, key=key)
        data.connect(registry, blocks=True)
        return data
    if kind in WITH_SCHEMAS and not schema:
        raise click.UsageError(f"--format {kind} needs --schema FILE, or a registry ({PREFIX}REGISTRY_URL)")
    return named(kind, schema or "", "--schema").bound(topic, key=key)


def registered(format_: Format | None, settings: Settings) -> None:
    """Have the schema of a format registered, or looked up, if it is in a registry's wire format.

    Raises:
        StreamappError: if it cannot be.
    """
    if isinstance(format_, RegisteredData):
        format_.register(settings)


def traffic_serdes(settings: AppSettings, name: str | None, registry: Registry | None) -> dict[str, Serde]:
    """Return what the generated clicks and profiles are written as: by an option, or by the settings of the pipeline.

    Raises:
        StreamappError: if their schemas cannot be registered.
    """
    kinds = {CLICKS: settings.click_format, PROFILES: settings.profile_format}
    serdes = {}
    for topic, kind in kinds.items():
        kind = FormatName(name) if name else kind or settings.format
        if kind is not FormatName.JSON:
            known = None if settings.is_bare(topic) else registry
            format_ = format_of(kind, demo_schema(kind, topic) or None, settings.topic(topic), known)
            registered(format_, settings)
            serdes[topic] = Serde(format_ or Json())
    return serdes


def _kind(schema: str) -> FormatName:
    return FormatName.AVRO if ".avsc" in schema else FormatName.PROTOBUF
