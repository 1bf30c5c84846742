"""Results of the click join as JSON, whatever they are written as, for who looks at them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

import msgspec

from streamapp.errors import StreamappError
from streamapp.formats import Avro, MessagePack
from streamapp.formats.format import Format
from streamapp.formats.named import FormatName
from streamapp.formats.undecodable import Reason, Undecodable
from streamapp.pipelines.clicks.sides import Sides

__all__ = ["AsJson", "joined_shown", "unmatched_shown"]

#: Makes JSON of a value; raises `Undecodable`. None = it is JSON.
AsJson: TypeAlias = Callable[[bytes], bytes] | None
#: The name of a field, and what it is if it is a record.
Part: TypeAlias = tuple[str, Format | None]

_print: Final = msgspec.json.Encoder().encode

#: Of a message in Protobuf: the type of a field of eight bytes, and how that is read.
EIGHT_BYTES: Final = 1
DOUBLE: Final = struct.Struct("<d")


def joined_shown(sides: Sides) -> AsJson:
    """Return what makes JSON of a result."""
    click, profile = sides.clicks.part, sides.profiles.part
    if isinstance(click, Avro) and isinstance(profile, Avro):
        return _avro("Joined", click=click.parsed, profile=["null", profile.parsed], join_timestamp="double")
    return _shown(sides, {1: ("click", click), 2: ("profile", profile), 3: ("join_timestamp", None)})


def unmatched_shown(sides: Sides) -> AsJson:
    """Return what makes JSON of an unmatched click."""
    click = sides.clicks.part
    if isinstance(click, Avro):
        return _avro("Unmatched", click=click.parsed, reason="string")
    return _shown(sides, {1: ("click", click), 2: ("reason", None)})


def _shown(sides: Sides, parts: Mapping[int, Part]) -> AsJson:
    match sides.clicks.into:
        case FormatName.JSON:
            return None
        case FormatName.MSGPACK:
            return MessagePack().to_json
        case _:
            return partial(_protobuf, parts)


def _avro(name: str, **types: Any) -> AsJson:
    fields = [{"name": field, "type": type_} for field, type_ in types.items()]
    try:
        return Avro({"type": "record", "name": name, "fields": fields}).bound(name).to_json
    except StreamappError:  # both sides have types of one name that are not the same
        return None


def _protobuf(parts: Mapping[int, Part], data: bytes) -> bytes:
    found: dict[str, object] = {name: None for name, _ in parts.values()}
    try:
        for number, content in _fields(data):
            name, part = parts[number]
            if isinstance(content, float):
                found[name] = content
            else:
                found[name] = content.decode() if part is None else msgspec.Raw(part.to_json(content))
    except (IndexError, KeyError, ValueError, struct.error) as exc:
        raise Undecodable(Reason.NOT_PROTOBUF, f"it is no result: {exc}") from None
    return _print(found)


def _fields(data: bytes) -> Iterator[tuple[int, bytes | float]]:
    """Go through the numbers and the contents of a message's fields, which are doubles, texts and messages."""
    at = 0
    while at < len(data):
        tag, at = data[at], at + 1
        if tag & 7 == EIGHT_BYTES:
            (number,) = DOUBLE.unpack_from(data, at)
            yield tag >> 3, number
            at += DOUBLE.size
            continue
        size = shift = 0
        while True:
            byte, at = data[at], at + 1
            size, shift = size | (byte & 0x7F) << shift, shift + 7
            if byte < 0x80:
                break
        yield tag >> 3, data[at : at + size]
        at += size
