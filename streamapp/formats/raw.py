"""Raw bytes: of which nothing is known, so that in JSON they are base64."""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Iterable
from typing import ClassVar, Final

import msgspec

from streamapp.formats.format import Headers
from streamapp.formats.undecodable import Reason, Undecodable

__all__ = ["Raw"]

_text: Final = msgspec.json.Decoder(str).decode


@dataclasses.dataclass(frozen=True)
class Raw:
    """Values that are bytes. A function gets them as bytes where its topic has ``type=bytes``, else as base64."""

    name: ClassVar[str] = "raw"
    headers: ClassVar[Headers] = ()

    def bound(self, topic: str, *, key: bool = False) -> Raw:
        """Return this format: it is the same for all topics."""
        return self

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the bytes in base64, as a string."""
        return b'"%b"' % base64.b64encode(data)

    def from_json(self, data: bytes) -> bytes:
        """Return the bytes of a string in base64.

        Raises:
            Undecodable: if it is none.
        """
        try:
            return base64.b64decode(_text(data), validate=True)
        except (msgspec.MsgspecError, binascii.Error, ValueError):
            raise Undecodable(Reason.NOT_OF_SCHEMA, "raw bytes are a string in base64") from None
