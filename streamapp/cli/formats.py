"""What options and settings say of formats, for the commands that read or write topics."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click

from streamapp.formats import Avro, Format, FormatDeclaration, Json, Protobuf, Registered
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
    "by_itself",
    "declared",
    "declared_keys",
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


def by_itself(topic: str, registry: Registry, *, key: bool = False) -> RegisteredData:
    """Return what reads data by the schema that they name."""
    data = Registered().bound(topic, key=key)
    data.connect(registry, blocks=True)
    return data


def declared(
    name: str | None, schema: str, option: str, settings: Settings, *, bare: bool, written: bool = False
) -> FormatDeclaration | None:
    """Return the format of a topic that a worker reads or writes; in a registry's wire format if there is one for it.

    Args:
        name: of the format; None = that of the schema, by its file's name, or JSON.
        schema: its file, or the class, as `named` takes it; of what is read with a registry there need be none.
        option: what messages call the schema.
        settings: which say whether there is a registry.
        bare: whether Avro and Protobuf are bare data although there is one.
        written: whether it is written.

    Raises:
        StreamappError: if there is no such format.
    """
    kind = FormatName(name) if name else _kind(schema) if schema else FormatName.JSON
    if kind is FormatName.JSON and not schema:
        return None
    if kind not in WITH_SCHEMA or bare or not settings.registry_url:
        return named(kind, schema, option)
    if not schema and not written:
        return Registered()
    found = named(kind, schema, option)
    assert isinstance(found, Avro | Protobuf)  # noqa: S101 - those have schemas
    return Registered(found)


def declared_keys(name: str | None, schema: str) -> Format | None:
    """Return what the keys are of what a worker reads; None = text.

    They are bare data in any case: in a registry's wire format a key has other bytes for each version of its schema.

    Raises:
        StreamappError: if there is no such format.
    """
    if not (name or schema):
        return None
    return named(FormatName(name) if name else _kind(schema), schema, "--key-schema")


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
        if not (name or schema):
            return None
        kind = FormatName(name) if name else _kind(schema or "")
        return named(kind, schema or "", f"--{option}schema").bound(topic, key=key)
    if not (name or schema):
        return None
    kind = FormatName(name) if name else _kind(schema or "")
    found = named(kind, schema, f"--{option}schema") if schema else None
    assert isinstance(found, Avro | Protobuf | None)  # noqa: S101 - those have schemas
    data: RegisteredData = Registered(found).bound(topic, key=key)
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
            known = None if topic in settings.bare else registry
            format_ = format_of(kind, demo_schema(kind, topic) or None, settings.topic(topic), known)
            registered(format_, settings)
            serdes[topic] = Serde(format_ or Json(), None if keys is None else keys.format)
    return serdes


def _kind(schema: str) -> FormatName:
    return FormatName.AVRO if ".avsc" in schema else FormatName.PROTOBUF
