"""How the values on the topics in are read: by the types in `models`, or by those that the settings name."""

from __future__ import annotations

from typing import Any

import msgspec

from streamapp.app import settings
from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.declared import declared
from streamapp.pipelines.clicks.formats import sides
from streamapp.pipelines.clicks.models import FIELD, Click, Profile
from streamapp.pipelines.clicks.sides import Side
from streamapp.runtime.decoding import Decoder
from streamapp.runtime.format_decoding import FormatDecoder, KeyReader
from streamapp.settings import PREFIX

__all__ = ["clicks", "profiles"]


def _decoder(side: Side, setting: str, default: type[Any], *, tombstones: bool = False) -> Decoder[Any]:
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


clicks = _decoder(sides.clicks, "click_type", Click)
profiles = _decoder(sides.profiles, "profile_type", Profile, tombstones=True)
