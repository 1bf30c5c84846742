"""What clicks, profiles and results are written as, by the settings, and how results are made of both sides."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cached_property
from typing import Final, cast

from streamapp.app import settings
from streamapp.errors import StreamappError
from streamapp.formats.avro import Avro
from streamapp.formats.avro_schema import SUFFIX
from streamapp.formats.format import Format
from streamapp.formats.keys import Keys
from streamapp.formats.msgpack import MessagePack
from streamapp.formats.named import FormatName, named
from streamapp.formats.protobuf import Protobuf
from streamapp.joins import Record
from streamapp.pipelines.clicks.demo_schemas import demo_schema
from streamapp.pipelines.clicks.keys import keys_of
from streamapp.pipelines.clicks.models import FIELD
from streamapp.pipelines.clicks.result_schemas import result_schemas
from streamapp.pipelines.clicks.rows import PROTOBUF
from streamapp.pipelines.clicks.settings import CLICKS, JOINED, PROFILES, UNMATCHED, ClickSettings
from streamapp.pipelines.clicks.splicing import (
    AvroSplicing,
    JsonSplicing,
    MessagePackSplicing,
    ProtobufSplicing,
    Splicing,
    Translating,
)
from streamapp.settings import PREFIX

__all__ = ["Side", "Sides", "sides"]


#: Formats that have schemas.
WITH_SCHEMAS: Final = {FormatName.AVRO, FormatName.PROTOBUF}


@dataclasses.dataclass(frozen=True)
class Side:
    """Clicks, or profiles.

    Args:
        topic: without the prefix.
        kind: of their values.
        into: what results are.
        schema: of the values, as the setting has it; empty = that of the demo.
        setting: the name of that setting.
    """

    topic: str
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
            found = named(kind, schema if kind in WITH_SCHEMAS else "").bound(settings.topic(self.topic))
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

    @property
    def bare(self) -> Callable[[bytes], bytes] | None:
        """Makes values that say of which schema they are such as do not; None = there are none."""
        return self.format.bare if isinstance(self.format, Avro) and self.spliced else None

    @property
    def rows(self) -> FormatName:
        """What rows are."""
        return self.kind if self.spliced else FormatName.JSON

    @cached_property
    def frame(self) -> bytes:
        """What stands before the value in a row."""
        match self.rows:
            case FormatName.AVRO:
                return cast(Avro, self.format).prefix
            case FormatName.PROTOBUF:
                return PROTOBUF
            case _:
                return b""

    @property
    def framed(self) -> bool:
        """Whether the row of a value is another one than the value."""
        return not self.spliced or bool(self.frame)

    def kept(self, record: Record) -> bytes:
        """Return the row of a value: what goes into results, in its frame, or else JSON.

        Raises:
            Undecodable: if it is not what it should be.
        """
        if not self.spliced:
            return self.format.to_json(record.value or b"", getattr(record, "headers", ()))
        return self.frame + self.of_result(record)

    def shown(self, row: bytes) -> bytes:
        """Return the JSON of a row."""
        return self.format.to_json(row.removeprefix(PROTOBUF)) if self.spliced else row

    def of_result(self, record: Record) -> bytes:
        """Return the part of a result that a value is."""
        value = record.value or b""
        if not self.spliced:
            return self.part.from_json(self.format.to_json(value, getattr(record, "headers", ())))
        return self.format.bare(value) if isinstance(self.format, Avro) else value

    def row_of_result(self, row: bytes) -> bytes:
        """Return the part of a result that a row is."""
        if not self.spliced:
            return self.part.from_json(row)
        return self.format.bare(row) if isinstance(self.format, Avro) else row.removeprefix(self.frame)


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
            Side(CLICKS, kinds[0], into, settings.click_schema, "CLICK_SCHEMA"),
            Side(PROFILES, kinds[1], into, settings.profile_schema, "PROFILE_SCHEMA"),
            keys_of(settings),
        )
        for side in (found.clicks, found.profiles):
            side.check_schema()
            side.part  # noqa: B018 - what is wrong with a schema is told now
        return found

    def formats(self) -> dict[str, Format]:
        """Return what values are, by the names of their topics without the prefix.

        Raises:
            StreamappError: if the schemas of clicks and profiles do not go together.
        """
        part = self.clicks.part
        results = result_schemas(part, self.profiles.part) or (part, part)
        return dict(
            zip(
                (CLICKS, PROFILES, JOINED, UNMATCHED), (self.clicks.format, self.profiles.format, *results), strict=True
            )
        )

    def splicing(self, *, bare: bool = False) -> Splicing:
        """Return what makes results; `bare` ones have no fingerprint of their schema, which something else tells."""
        both = self.clicks.spliced and self.profiles.spliced
        made: Splicing
        match self.clicks.part, self.profiles.part:
            case Avro() as click, Avro() as profile:
                results = None if bare else result_schemas(click, profile)
                made = AvroSplicing(results, *((click, profile) if both else (None, None)))
            case Protobuf(), _:
                made = ProtobufSplicing(self.profiles.frame if both else b"")
            case MessagePack(), _:
                made = MessagePackSplicing()
            case _:
                made = JsonSplicing()
        return made if both else Translating(made, self.clicks.of_result, self.profiles.row_of_result)


def _sides() -> Sides:
    try:
        return Sides.of(settings)
    except StreamappError as exc:
        raise SystemExit(f"streamapp: {exc}") from None


sides = _sides()
