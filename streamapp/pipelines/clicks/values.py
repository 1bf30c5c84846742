"""How the values on the topics in are read: by the types in `models`, or by those that the settings name."""

from __future__ import annotations

from functools import partial
from typing import Any, TypeAlias

import msgspec

from streamapp.app import settings
from streamapp.formats.named import FormatName
from streamapp.formats.registered import RegisteredData
from streamapp.pipelines.clicks import registered
from streamapp.pipelines.clicks.declared import declared
from streamapp.pipelines.clicks.formats import Side, sides
from streamapp.pipelines.clicks.models import FIELD, Click, Profile
from streamapp.runtime.decoding import Decoder
from streamapp.runtime.format_decoding import FormatDecoder, KeyReader, UnframedDecoder
from streamapp.settings import PREFIX

__all__ = ["Values", "clicks", "profiles"]

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
    }
    if side.kind is FormatName.JSON:
        return Decoder(type_, _user_id, **options)
    read: KeyReader | None = None
    if side.kind is FormatName.MSGPACK:
        unpack = msgspec.msgpack.Decoder(type_).decode
        read = lambda data: _user_id(unpack(data))  # noqa: E731
    elif type_ is default:
        read = side.key_reader()
    return FormatDecoder(side.format, type_, _user_id, read=read, bare=side.bare, **options)


def _user_id(value: Any) -> str | int:
    found: str | int = value.user_id
    return found


clicks = _values(sides.clicks, registered.clicks, "click_type", Click)
profiles = _values(sides.profiles, registered.profiles, "profile_type", Profile, tombstones=True)
