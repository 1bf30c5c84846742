"""The Avro schemas of what the click join writes, made of those of both sides: by their fingerprints results are read.

A schema defines each name once. A type of profiles that is the same one in clicks is named by it there; one that has
the name of another one gets the namespace ``profile``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import named, plain

__all__ = ["joined", "unmatched"]

Schema: TypeAlias = Any

NAMESPACE: Final = "streamapp.clicks"
#: Of types of profiles whose names clicks have for others.
PROFILE: Final = "profile"


def joined(click: Avro, profile: Avro) -> Avro:
    """Return the format of joined clicks, by those of clicks and profiles."""
    first = plain(click.parsed)
    second = _Apart(named(first)).schema(plain(profile.parsed))
    return _record("Joined", {"click": first, "profile": ["null", second], "join_timestamp": "double"})


def unmatched(click: Avro) -> Avro:
    """Return the format of clicks that are not matched."""
    return _record("Unmatched", {"click": plain(click.parsed), "reason": "string"})


def _record(name: str, types: Mapping[str, Schema]) -> Avro:
    fields = [{"name": field, "type": type_} for field, type_ in types.items()]
    made = {"type": "record", "name": name, "namespace": NAMESPACE, "fields": fields}
    return Avro(made, single_object=True)


class _Apart:
    """Makes of a schema one that may stand behind another."""

    def __init__(self, before: Mapping[str, Schema]) -> None:
        self._before = before
        #: What types are called that had another name.
        self._names: dict[str, str] = {}

    def schema(self, schema: Schema) -> Schema:
        """Return it."""
        if isinstance(schema, str):
            return self._names.get(schema, schema)
        if isinstance(schema, list):
            return [self.schema(one) for one in schema]
        made = {**schema}
        if (name := schema.get("name")) is not None and name in self._before:
            if self._before[name] == schema and not self._names:  # else it may be made of one that has another name
                return name
            made["name"] = self._names[name] = f"{PROFILE}.{name.rpartition('.')[2]}"
        for part in ("items", "values", "type"):
            if part in schema and (part != "type" or not isinstance(schema["type"], str)):
                made[part] = self.schema(schema[part])
        if "fields" in schema:
            made["fields"] = [{**field, "type": self.schema(field["type"])} for field in schema["fields"]]
        return made
