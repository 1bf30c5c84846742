"""Features of records as they are declared: what they take of a record, and what a result is with them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, cast

import msgspec

from streamapp.formats.content import json_of
from streamapp.formats.fields import Field
from streamapp.joins import Record, Refused
from streamapp.topology.declaration import milliseconds
from streamapp.topology.processor import JoinError
from streamapp.windows.aggregate import ANYTHING, Aggregate, Held, Value
from streamapp.windows.enrichment import Feature
from streamapp.windows.fields import JsonFields
from streamapp.windows.gathering import Original

__all__ = ["BY_KEY", "FeatureFields", "Features", "Members", "Usable", "grouped", "with_members"]

#: Features by their names.
Features = Mapping[str, Feature]
#: The group of the features that are by the records' own keys.
BY_KEY: Final = ""

#: Of a JSON object, and the last of JSON's white space.
BEGIN, END, SPACE = b"{} "
_encode: Final = msgspec.json.Encoder().encode
_encode_lines: Final = msgspec.json.Encoder().encode_lines
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def grouped(features: Mapping[str, Aggregate[Held]], keyed_by: str) -> dict[str, dict[str, Feature]]:
    """Return features by the fields that they are by.

    Args:
        features: aggregates, which say over what they are, and by which field.
        keyed_by: the field that the records' keys are, as far as that is known.

    Raises:
        JoinError: if there are none, or one does not say over what it is.
    """
    if not features:
        raise JoinError('enrich() needs at least one feature, such as n=Count(over="1m")')
    found: dict[str, dict[str, Feature]] = {}
    for name, aggregate in features.items():
        over, by = getattr(aggregate, "over", None), getattr(aggregate, "by", None)
        if over is None:
            raise JoinError(f'{name}={aggregate} does not say how far it looks back: over="1m", say')
        if (size := milliseconds(over)) <= 0:
            raise JoinError(f"{name}={aggregate}: it must look back by more than nothing")
        group = BY_KEY if by is None or by == keyed_by else by
        found.setdefault(group, {})[name] = Feature(aggregate, size)
    return found


class FeatureFields(JsonFields):
    """Returns what the aggregates of features take of a record, which must not have fields of the features' names.

    Raises:
        Refused: when called, as `JsonFields`, and for a value that has a field of such a name already.
    """

    def __init__(self, features: Mapping[str, Feature], names: Iterable[str]) -> None:
        super().__init__(feature.aggregate for feature in features.values())
        self._names = frozenset(names)
        self._named = re.compile(b"|".join(re.escape(_encode(name)) for name in self._names)).search

    def __call__(self, record: Record) -> tuple[Value, ...]:
        """Return what the aggregates take of a record."""
        values = super().__call__(record)
        if self._named(record.value or b"") and (taken := self._names.intersection(_object(json_of(record)))):
            raise Refused(f"the value has a field {min(taken)} already: give the feature another name")
        return values

    def columns(self, records: Sequence[Record]) -> Sequence[Sequence[Value]] | None:
        """Return the same of many records; None if one is refused, or may have a field of such a name."""
        values = [record.value or b"" for record in records]
        return None if any(map(self._named, values)) else super().columns(records)


class Usable:
    """Returns the keys of a record in all groups, if it has all that the features take.

    Raises:
        Refused: when called, for a record that has not; so it counts in no group.
    """

    def __init__(self, groups: Mapping[str, Features], check: Callable[[Record], None] | None) -> None:
        features = {name: feature for group in groups.values() for name, feature in group.items()}
        self._fields = FeatureFields(features, features)
        self._keys = {by: Field(by, required=True) for by in groups if by != BY_KEY}
        self._check = check
        self.keyed = BY_KEY in groups

    def check(self, record: Record) -> None:
        """Raise `Refused` for a record that has asked no groups, although it has a value, and a key if it needs one."""
        if cast(Original, record).groups or record.value is None or (self.keyed and record.key is None):
            return
        self(record)
        raise Refused("it could not be counted when it was read, with what the app had declared then")

    def __call__(self, record: Record) -> dict[str, bytes]:
        """Return the keys by group."""
        if record.value is None or (self.keyed and record.key is None):
            raise Refused("it has no key, or no value")
        if self._check is not None:
            self._check(record)
        self._fields(record)
        keys: dict[str, bytes] = {} if record.key is None or not self.keyed else {BY_KEY: record.key}
        for by, field in self._keys.items():
            key = field(record)
            if key is None:
                raise Refused(f"the field {by} is null, and nothing can be counted by it", "null_key")
            keys[by] = key
        return keys


class Members:
    """Makes the members of a JSON object of the values of features."""

    def __init__(self, names: Sequence[str]) -> None:
        slots = [f"_{number}" for number in range(len(names))]
        self._make = msgspec.defstruct(
            "Features", [(slot, ANYTHING) for slot in slots], rename=dict(zip(slots, names, strict=True))
        )

    def __call__(self, values: Sequence[Value]) -> bytes:
        """Return ``"n":3,"total":4.5``."""
        return _encode(self._make(*values))[1:-1]

    def of_all(self, values: Iterable[Sequence[Value]]) -> list[bytes]:
        """Return the same for the features of many records."""
        lines = _encode_lines(list(itertools.starmap(self._make, values))).split(b"\n")
        return [line[1:-1] for line in lines[:-1]]


def with_members(record: Record, members: bytes) -> bytes:
    """Return the JSON object that a record's value is, with members more."""
    value = record.value or b""
    if not getattr(record, "headers", ()) and value[-1] == END and value[-2] > SPACE and value[-2] != BEGIN:
        return b"%b,%b}" % (value[:-1], members)
    value = json_of(record).rstrip()[:-1].rstrip()
    return b"%b%b%b}" % (value, b"" if value.endswith(b"{") else b",", members)
