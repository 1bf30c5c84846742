"""What a reading is: a record whose key is the device, and whose value is a JSON object with a number in it."""

from __future__ import annotations

from typing import Final

import msgspec

from streamapp.joins import Record, Refused
from streamapp.windows import Mean
from streamapp.windows.fields import JsonFields

__all__ = ["FIELD", "LARGEST", "value_of"]

#: The field that is read.
FIELD: Final = "value"
#: Beyond that, squares of differences are more than a float can be.
LARGEST: Final = 1e100
#: What programs write for numbers that JSON does not have.
NO_NUMBERS: Final = (b"NaN", b"Infinity")


class _Reading(msgspec.Struct, gc=False):
    value: float


_decode: Final = msgspec.json.Decoder(_Reading).decode
_fields: Final = JsonFields([Mean(FIELD)])


def value_of(record: Record) -> float:
    """Return what was read.

    Raises:
        Refused: for a record that is no reading: ``{"value": 20.5}``, with a number that is finite.
    """
    value = record.value or b""
    if value.isascii():
        try:
            found: float = _decode(value).value
        except (msgspec.DecodeError, RecursionError):
            found = _with_care(record)
    else:
        found = _with_care(record)
    if not -LARGEST <= found <= LARGEST:
        raise Refused(f"the field {FIELD} is {found:g}, and more than {LARGEST:g} is no reading", "wrong_type")
    return found


def _with_care(record: Record) -> float:
    """Read what is not as most readings are, or say what is wrong with it."""
    try:
        (found,) = _fields(record)
    except Refused as refused:
        if refused.cause == "not_json" and any(word in (record.value or b"") for word in NO_NUMBERS):
            raise Refused(f"{refused}; JSON has no NaN and no Infinity", refused.cause) from None
        raise
    if found is None:
        raise Refused(f"the field {FIELD} is null, and a reading has a number", "wrong_type")
    return float(found)
