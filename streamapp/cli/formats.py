"""What options and settings say of formats, for the commands that read or write topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast

import click

from streamapp.formats import Avro, Format, Json, Protobuf, Registered
from streamapp.formats.named import FormatName, named
from streamapp.formats.registered import RegisteredData
from streamapp.formats.registry import Registry
from streamapp.formats.serde import Serde
from streamapp.pipelines.clicks.keys import keys_of
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES
from streamapp.pipelines.demo_schemas import demo_schema
from streamapp.pipelines.settings import AppSettings
from streamapp.settings import PREFIX, Settings

__all__ = [
    "BARE",
    "FORMAT",
    "KEY_FORMAT",
    "KEY_SCHEMA",
    "OBJECT_FORMAT",
    "declared",
    "format_of",
    "registered",
    "registry_of",
    "traffic_serdes",
]

#: Those that have schemas, which a registry may have.
WITH_SCHEMA: Final = frozenset({FormatName.AVRO, FormatName.PROTOBUF})
FORMAT: Final = click.Choice([name.value for name in FormatName])
#: Those whose values have fields.
OBJECT_FORMAT: Final = click.Choice([name.value for name in FormatName if name is not FormatName.RAW])
BARE: Final = click.option(
    "--bare", is_flag=True, help="Avro and Protobuf without a schema's id, although STREAMAPP_REGISTRY_URL is set."
)
#: What workers without code take, of what they read.
KEY_FORMAT: Final = click.option("--key-format", type=FORMAT, help="What keys are, of what is read. [default: text]")
KEY_SCHEMA: Final = click.option(
    "--key-schema", default="", help="Of the keys: x.avsc, x.proto[:MESSAGE] or MODULE:CLASS."
)


def registry_of(settings: Settings, *, bare: bool) -> Registry | None:
    """Return the registry that the settings name; None = they name none, or data are bare."""
    return Registry(settings) if settings.registry_url and not bare else None


def declared(name: str | None, schema: str | None, option: str = "") -> Format | None:
    """Return the format that options name, which knows of no topic and no registry; None = they name none.

    Args:
        name: of the format; None = that of the schema, by its file's name.
        schema: its file, or the class, as `named` takes it.
        option: what is before ``schema`` in the name of its option, such as ``key-``.

    Raises:
        StreamappError: if the schema is missing, or of no use.
    """
    if not (name or schema):
        return None
    return named(FormatName(name) if name else _kind(schema or ""), schema or "", f"--{option}schema")


def format_of(
    name: str | None, schema: str | None, topic: str, registry: Registry | None, *, key: bool = False
) -> Format | None:
    """Return the format of a topic by options; in a registry's wire format if there is a registry for it.

    Args:
        name: of the format; None = that of the schema, by its file's name, or none.
        schema: its file, or the class, as `named` takes it.
        topic: its full name.
        registry: where the schemas of values are looked up and registered; None = they are bare data.
        key: whether it is of the keys, whose options are ``--key-format`` and ``--key-schema``.

    Raises:
        StreamappError: if there is no such format.
    """
    option = "key-" if key else ""
    if registry is None or (name and name not in WITH_SCHEMA):
        if name in WITH_SCHEMA and not schema:
            raise click.UsageError(
                f"--{option}format {name} needs --{option}schema FILE, or a registry ({PREFIX}REGISTRY_URL)"
            )
        found = declared(name, schema, option)
        return None if found is None else found.bound(topic, key=key)
    if not (name or schema):
        return None
    found = declared(name, schema, option) if schema else None
    data: RegisteredData = Registered(cast(Avro | Protobuf | None, found)).bound(topic, key=key)
    data.connect(registry, blocks=True)
    return data


def registered(format_: Format | None, settings: Settings) -> None:
    """Have the schema of a format registered, or looked up, if it is in a registry's wire format.

    Raises:
        StreamappError: if it cannot be.
    """
    if isinstance(format_, RegisteredData):
        format_.register(settings)


def traffic_serdes(
    settings: AppSettings, topics: Iterable[str], name: str | None, registry: Registry | None
) -> dict[str, Serde]:
    """Return what generated records are written as, by topic: by an option, clicks and profiles also by the settings.

    Raises:
        StreamappError: if their schemas cannot be registered.
    """
    by_settings = {
        CLICKS: settings.click_format or settings.format,
        PROFILES: settings.profile_format or settings.format,
    }
    serdes = {}
    for topic in topics:
        kind = FormatName(name) if name else by_settings.get(topic, FormatName.JSON)
        keys = keys_of(settings) if topic in by_settings else None
        if kind is not FormatName.JSON or keys is not None:
            format_ = format_of(kind, demo_schema(kind, topic) or None, settings.topic(topic), registry)
            registered(format_, settings)
            serdes[topic] = Serde(format_ or Json(), None if keys is None else keys.format)
    return serdes


def _kind(schema: str) -> FormatName:
    return FormatName.AVRO if ".avsc" in schema else FormatName.PROTOBUF
