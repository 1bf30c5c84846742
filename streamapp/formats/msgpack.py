"""MessagePack: JSON's types in binary, with bytes and timestamps; it needs no schema."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from streamapp.formats.format import Headers
from streamapp.formats.non_finite import printed
from streamapp.formats.undecodable import Reason, Undecodable

__all__ = ["MessagePack"]

_unpack: Final = msgspec.msgpack.Decoder().decode
_pack: Final = msgspec.msgpack.Encoder().encode
_parse: Final = msgspec.json.Decoder().decode
_print: Final = msgspec.json.Encoder().encode


@dataclasses.dataclass(frozen=True)
class MessagePack:
    """Values in MessagePack.

    Bytes become base64 in JSON, a timestamp text of RFC 3339, NaN and the infinities their names, and keys of maps are
    text.
    """

    name: ClassVar[str] = "msgpack"
    headers: ClassVar[Headers] = ()

    def bound(self, topic: str, *, key: bool = False) -> MessagePack:
        """Return this format: it is the same for all topics."""
        return self

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of a value.

        Raises:
            Undecodable: if it is no MessagePack, or has what JSON has not, such as a map whose keys are lists.
        """
        try:
            return printed(_print, _unpack(data))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, TypeError, ValueError, OverflowError) as exc:
            raise Undecodable(Reason.NOT_MSGPACK, f"it is no MessagePack: {exc}") from None

    def from_json(self, data: bytes) -> bytes:
        """Return the MessagePack of JSON.

        Raises:
            Undecodable: for an integer that has no place in 64 bits.
        """
        try:
            return _pack(_parse(data))
        except (msgspec.MsgspecError, RecursionError, ValueError, OverflowError) as exc:
            raise Undecodable(Reason.NOT_MSGPACK, f"MessagePack has no place for it: {exc}") from None
