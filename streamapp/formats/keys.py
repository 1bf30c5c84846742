"""Keys that are written in a format, as people give and read them: as text, or as the JSON that they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from streamapp.formats.format import Format
from streamapp.formats.serde import key_text
from streamapp.formats.undecodable import Undecodable

__all__ = ["Keys"]

#: Keys whose text is remembered: those of a topic come again and again.
REMEMBERED: Final = 1 << 16

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_print: Final = msgspec.json.Encoder().encode


class Keys:
    """The keys of a topic.

    Args:
        format: what they are written as.
        field: the one that a key has which is an object, and whose value then is its text; none = that is its JSON.
    """

    def __init__(self, format: Format, field: str = "") -> None:  # noqa: A002
        self.format = format
        self._field = field
        self.text = lru_cache(REMEMBERED)(self._text)

    def _text(self, key: bytes) -> bytes:
        """Return the text of a key.

        Raises:
            Undecodable: if it is not of the format.
        """
        data = self.format.to_json(key)
        if self._field and data.startswith(b"{") and (found := _object(data).get(self._field)) is not None:
            data = bytes(found)
        return key_text(data)

    def of(self, value: str | int) -> bytes:
        """Return a string or a number as a key; if the format has only the other one, or an object, as that.

        Raises:
            Undecodable: if the format has no place for it.
        """
        text = str(value)
        digits = text.isdecimal() and str(int(text)) == text
        return next(self._forms([value, *([text] if isinstance(value, int) else [int(text)] if digits else [])]))

    def forms(self, text: bytes) -> Sequence[bytes]:
        """Return the keys that are meant by a text: a string, or the JSON that it looks like.

        Raises:
            Undecodable: if there is none.
        """
        values: list[object] = [text.decode(errors="replace")]
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            values.append(msgspec.json.decode(text))
        return list(dict.fromkeys(self._forms(values)))

    def _forms(self, values: Iterable[object]) -> Iterator[bytes]:
        """Go through the forms that the format has for any of the values; raises Undecodable if there is none."""
        refused: Undecodable | None = None
        fits = False
        for value in values:
            shapes: list[Any] = [value, {self._field: value}] if self._field else [value]
            for shape in shapes:
                try:
                    made = self.format.from_json(_print(shape))
                except Undecodable as exc:
                    refused = refused or exc
                else:
                    fits = True
                    yield made
        if refused is not None and not fits:
            raise refused
