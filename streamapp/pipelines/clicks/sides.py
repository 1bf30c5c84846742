"""What clicks, profiles, their keys and results are written as, by settings, and how results are made of both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Final

from streamapp.errors import StreamappError
from streamapp.formats.avro import SUFFIX, Avro
from streamapp.formats.avro_field import field_reader
from streamapp.formats.format import Format
from streamapp.formats.keys import Keys
from streamapp.formats.named import FormatName, named
from streamapp.formats.protobuf import Protobuf
from streamapp.joins import Record
from streamapp.pipelines.clicks.keys import keys_of
from streamapp.pipelines.clicks.models import FIELD
from streamapp.pipelines.clicks.settings import CLICKS, PROFILES, ClickSettings
from streamapp.pipelines.clicks.splicing import (
    AvroSplicing,
    JsonSplicing,
    MessagePackSplicing,
    ProtobufSplicing,
    Splicing,
    Translating,
)
from streamapp.pipelines.demo_schemas import demo_schema
from streamapp.runtime.format_decoding import KeyReader
from streamapp.settings import PREFIX

__all__ = ["Side", "Sides"]

#: Formats that have schemas.
WITH_SCHEMAS: Final = {FormatName.AVRO, FormatName.PROTOBUF}


@dataclasses.dataclass(frozen=True)
class Side:
    """Clicks, or profiles.

    Args:
        topic: without the prefix.
        name: of the topic, in full.
        kind: of their values.
        into: what results are.
        schema: of the values, as the setting has it; empty = that of the demo.
        setting: the name of that setting.
    """

    topic: str
    name: str
    kind: FormatName
    into: FormatName
    schema: str
    setting: str

    @property
    def spliced(self) -> bool:
        """Whether the bytes of values are a part of results as they are."""
        return self.kind is self.into

    @cached_property
    def format(self) -> Format:
        """What values are.

        Raises:
            StreamappError: if there is no such schema, or it has no user id.
        """
        return self._of(self.kind)

    @cached_property
    def part(self) -> Format:
        """What their part of a result is."""
        return self.format if self.spliced else self._of(self.into)

    def _of(self, kind: FormatName) -> Format:
        given = self.schema
        if given and (kind is FormatName.AVRO) == given.endswith(SUFFIX):
            schema = given
        else:
            schema = demo_schema(kind, self.topic)
        try:
            found = named(kind, schema if kind in WITH_SCHEMAS else "").bound(self.name)
        except StreamappError as exc:
            raise type(exc)(f"{PREFIX}{self.setting}={given}: {exc}" if schema == given else str(exc)) from None
        self._check(found)
        return found

    def _check(self, found: Format) -> None:
        """Make sure that values have the user id."""
        has = True
        if isinstance(found, Avro):
            has = FIELD in {field["name"] for field in found.parsed.get("fields", ())}
        elif isinstance(found, Protobuf):
            has = FIELD in found.generated.DESCRIPTOR.fields_by_name
        if not has:
            raise StreamappError(f"{PREFIX}{self.setting}={self.schema}: it has no field {FIELD} to join on")

    def check_schema(self) -> None:
        """Make sure that a schema that is set is used.

        Raises:
            StreamappError: if it is for none of the formats.
        """
        of = FormatName.AVRO if self.schema.endswith(SUFFIX) else FormatName.PROTOBUF
        if self.schema and of not in {self.kind, self.into}:
            raise StreamappError(f"{PREFIX}{self.setting}={self.schema} is for {of}: set {PREFIX}FORMAT={of}")

    def key_reader(self) -> KeyReader | None:
        """Return what gives the user id of a value without decoding the rest; None = all has to be decoded."""
        found = self.format
        if isinstance(found, Avro):
            return field_reader(found.parsed, FIELD)
        if isinstance(found, Protobuf):
            parse = found.generated.FromString
            return lambda data: parse(data).user_id  # type: ignore[attr-defined]
        return None

    @property
    def bare(self) -> Callable[[bytes], bytes] | None:
        """Makes values that say of which schema they are such as do not; None = there are none."""
        return self.format.bare if isinstance(self.format, Avro) and self.spliced else None

    @property
    def framed(self) -> bool:
        """Whether the row of a value is another one than the value."""
        return not self.spliced or self.kind is FormatName.AVRO

    def kept(self, record: Record) -> bytes:
        """Return the row of a value: as it came, if it goes into results so, else JSON.

        Raises:
            Undecodable: if it is not what it should be.
        """
        value = record.value or b""
        if not self.spliced:
            return self.format.to_json(value, getattr(record, "headers", ()))
        return self.format.prefix + value if isinstance(self.format, Avro) else value

    def shown(self, row: bytes) -> bytes:
        """Return the JSON of a row."""
        return self.format.to_json(row) if self.spliced else row

    def of_result(self, record: Record) -> bytes:
        """Return the part of a result that a value is."""
        if not self.spliced:
            return self.part.from_json(self.format.to_json(record.value or b"", getattr(record, "headers", ())))
        return self.format.bare(record.value or b"") if isinstance(self.format, Avro) else record.value or b""

    def row_of_result(self, row: bytes) -> bytes:
        """Return the part of a result that a row is."""
        if not self.spliced:
            return self.part.from_json(row)
        return self.format.bare(row) if isinstance(self.format, Avro) else row


@dataclasses.dataclass(frozen=True)
class Sides:
    """Both sides, and what is made of them."""

    clicks: Side
    profiles: Side
    #: What the keys of both are; None = text.
    keys: Keys | None = None

    @classmethod
    def of(cls, settings: ClickSettings) -> Sides:
        """Return what the settings say.

        Raises:
            StreamappError: if a schema is missing, wrong or of no use.
        """
        into = settings.joined_format or settings.format
        kinds = settings.click_format or settings.format, settings.profile_format or settings.format
        found = cls(
            Side(CLICKS, settings.topic(CLICKS), kinds[0], into, settings.click_schema, "CLICK_SCHEMA"),
            Side(PROFILES, settings.topic(PROFILES), kinds[1], into, settings.profile_schema, "PROFILE_SCHEMA"),
            keys_of(settings),
        )
        for side in (found.clicks, found.profiles):
            side.check_schema()
            side.part  # noqa: B018 - what is wrong with a schema is told now
        return found

    def splicing(self) -> Splicing:
        """Return what makes results."""
        both = self.clicks.spliced and self.profiles.spliced
        rows = self.profiles.format if both else None
        made: Splicing
        match self.clicks.into:
            case FormatName.AVRO:
                made = AvroSplicing(rows if isinstance(rows, Avro) else None)
            case FormatName.PROTOBUF:
                made = ProtobufSplicing()
            case FormatName.MSGPACK:
                made = MessagePackSplicing()
            case _:
                made = JsonSplicing()
        return made if both else Translating(made, self.clicks.of_result, self.profiles.row_of_result)
