"""Values as users write them: durations, and fields of JSON records."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from streamapp.joins import Record, Refused
from streamapp.produce.lines import key_bytes

__all__ = ["Field", "duration"]

UNITS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
DURATION: Final = re.compile(rf"(-?\d+) ?({'|'.join(UNITS)})")


def duration(text: object) -> int:
    """Read a duration, such as 250ms or 10m, in ms.

    Raises:
        ValueError: if it is none.
    """
    found = DURATION.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"{text!r} is no duration: write 250 (ms), or 250ms, 10s, 10m, 1h, 7d in quotes")
    return int(found[1]) * UNITS[found[2]]


class Field:
    """Gives a field of a record's value, which is a JSON object, as a key; None = it is not there, or null.

    Args:
        name: of the field.

    Raises:
        Refused: when called, for a value that is no JSON object, or whose field makes no key.
    """

    _decode = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, record: Record) -> bytes | None:
        """Give the field of a record."""
        try:
            value = self._decode(record.value or b"").get(self.name)
            return None if value is None or bytes(value) == b"null" else key_bytes(value, self.name)
        except (msgspec.DecodeError, ValueError) as exc:
            raise Refused(str(exc)) from None
