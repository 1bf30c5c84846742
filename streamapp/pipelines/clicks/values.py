"""How the values on the topics in are read: by the types in `models`, or by those that the settings name."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec

from streamapp.app import settings
from streamapp.formats.avro import Avro
from streamapp.formats.avro_field import field_reader
from streamapp.formats.format import Format
from streamapp.formats.msgpack import MessagePack
from streamapp.formats.named import FormatName
from streamapp.formats.protobuf import Protobuf
from streamapp.formats.registered import RegisteredData
from streamapp.pipelines.clicks import registered
from streamapp.pipelines.clicks.declared import declared
from streamapp.pipelines.clicks.formats import Side, sides
from streamapp.pipelines.clicks.models import FIELD, Click, Profile
from streamapp.runtime.decoding import Decoder
from streamapp.runtime.format_decoding import FormatDecoder, KeyReader, UnframedDecoder
from streamapp.settings import PREFIX

if TYPE_CHECKING:
    from google.protobuf.message import Message

__all__ = ["Values", "clicks", "key_reader", "profiles"]

#: What a user id is.
KEYS: Final = (str, int)

Values: TypeAlias = Decoder[Any] | UnframedDecoder[Any]


def _values(
    side: Side, data: RegisteredData | None, setting: str, default: type[Any], *, tombstones: bool = False
) -> Values:
    decoder = _decoder(side, setting, default, tombstones=tombstones)
    return decoder if data is None else UnframedDecoder(partial(registered.bare, data), decoder)


def _decoder(side: Side, setting: str, default: type[Any], *, tombstones: bool) -> Decoder[Any]:
    name = getattr(settings, setting)
    try:
        type_ = declared(name, default)
    except ValueError as exc:
        raise SystemExit(f"streamapp: {PREFIX}{setting.upper()}={name} {exc}") from None
    options: dict[str, Any] = {
        "tombstones": tombstones,
        "field": FIELD,
        "remedy": f"{PREFIX}REKEY={side.topic} goes by the {FIELD} in the value instead",
        "keys": sides.keys,
    }
    if side.kind is FormatName.JSON:
        return Decoder(type_, _user_id, **options)
    read = key_reader(side.format, None if type_ is default else type_)
    return FormatDecoder(side.format, type_, _user_id, read=read, bare=side.bare, **options)


def key_reader(format_: Format, type_: type[Any] | None) -> KeyReader | None:
    """Return what gives the user id of a value, which is to be of a type, if that is set, without making it JSON.

    None = there is no such way.
    """
    match format_:
        case MessagePack():
            return _unpacked(type_)
        case Avro() if type_ is None:
            return field_reader(format_.parsed, FIELD, format_.prefix)
        case Protobuf() if type_ is None:
            return _parsed(format_.generated)
        case _:
            return None


def _unpacked(type_: type[Any] | None) -> KeyReader:
    decode = msgspec.msgpack.Decoder().decode  # without a type: it would skip over text that is none
    typed = None if type_ is None else msgspec.msgpack.Decoder(type_).decode

    def read(data: bytes) -> str | int | None:
        try:
            found = decode(data)[FIELD]
            if typed is not None:
                typed(data)
        except Exception:  # of any kind: it may be anything
            return None
        return found if type(found) in KEYS else None

    return read


def _parsed(message: type[Message]) -> KeyReader:
    from google.protobuf.message import DecodeError

    parse = message.FromString

    def read(data: bytes) -> str | int | None:
        try:
            found = parse(data).user_id  # type: ignore[attr-defined]
        except DecodeError:
            return None
        return found if type(found) in KEYS else None

    return read


def _user_id(value: Any) -> str | int:
    found: str | int = value.user_id
    return found


clicks = _values(sides.clicks, registered.clicks, "click_type", Click)
profiles = _values(sides.profiles, registered.profiles, "profile_type", Profile, tombstones=True)
