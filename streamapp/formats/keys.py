"""Keys that are written in a format, as people give and read them: as text, or as the JSON that they are."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from streamapp.formats.format import Format, Headers
from streamapp.formats.serde import key_text
from streamapp.formats.undecodable import Undecodable

__all__ = ["KeyField", "Keys"]

#: Keys whose text is remembered: those of a topic come again and again.
REMEMBERED: Final = 1 << 16

_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_print: Final = msgspec.json.Encoder().encode


@dataclasses.dataclass(frozen=True)
class KeyField:
    """A format of keys which may be objects: of such a one a field is the key, as it is always with Protobuf.

    Args:
        format: what the keys are.
        field: the name of that field.
    """

    format: Format
    field: str

    @property
    def name(self) -> str:
        """The name of the format within."""
        return self.format.name

    @property
    def headers(self) -> Headers:
        """The headers of the format within."""
        return self.format.headers

    def bound(self, topic: str, *, key: bool = False) -> KeyField:
        """Return the format of a topic.

        Raises:
            StreamappError: if there can be none.
        """
        return KeyField(self.format.bound(topic, key=key), self.field)

    def to_json(self, data: bytes, headers: Iterable[tuple[str, bytes | None]] = ()) -> bytes:
        """Return the JSON of the field, or of a key that is no object or has none.

        Raises:
            Undecodable: if it is not what it should be.
        """
        found = self.format.to_json(data, headers)
        field = _object(found).get(self.field) if found.startswith(b"{") else None
        return found if field is None else bytes(field)

    def from_json(self, data: bytes) -> bytes:
        """Return the key for JSON; if the format has no place for that, the object with it as the field.

        Raises:
            Undecodable: if there is no place for that, either.
        """
        try:
            return self.format.from_json(data)
        except Undecodable as exc:
            with contextlib.suppress(Undecodable):
                return self.format.from_json(_print({self.field: msgspec.Raw(data)}))
            raise exc from None


class Keys:
    """The keys of a topic, by their format."""

    def __init__(self, format: Format) -> None:  # noqa: A002
        self.format = format
        self.text = lru_cache(REMEMBERED)(self._text)

    def _text(self, key: bytes) -> bytes:
        """Return the text of a key.

        Raises:
            Undecodable: if it is not of the format.
        """
        return key_text(self.format.to_json(key))

    def of(self, value: str | int) -> bytes:
        """Return a string or a number as a key, if need be as the other one of these.

        Raises:
            Undecodable: if the format has no place for it.
        """
        text = str(value)
        other: list[str | int] = [text] if isinstance(value, int) else [int(text)] if _number(text) else []
        return next(self._forms([value, *other]))

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
        """Go through the keys that the format has for values; raises Undecodable if there is none."""
        refused: list[Undecodable] = []
        fits = False
        for value in values:
            try:
                made = self.format.from_json(_print(value))
            except Undecodable as exc:
                refused.append(exc)
            else:
                fits = True
                yield made
        if not fits:
            raise refused[0]


def _number(text: str) -> bool:
    return text.isdecimal() and str(int(text)) == text
