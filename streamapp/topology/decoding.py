"""What the values of a topic are decoded to: its type, where one is declared, else whatever JSON it is."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from streamapp.formats.content import json_of
from streamapp.formats.undecodable import Undecodable
from streamapp.formats.value_forms import not_json
from streamapp.joins import Record, Refused
from streamapp.windows.aggregate import Form, Value

__all__ = ["Decode", "decoder"]

#: Gives the value of a record, None if it has none; raises `Refused` for one that is not as it should be.
Decode = Callable[[Record], Value]


def decoder(type_: Form) -> Decode:
    """Make what decodes values that are JSON of a type."""
    decode = msgspec.json.Decoder(type_).decode

    def decoded(record: Record) -> Value:
        try:
            return None if record.value is None else decode(json_of(record))
        except Undecodable as exc:
            raise Refused(str(exc), exc.reason) from None
        except msgspec.ValidationError as exc:
            cause = "missing_field" if "missing required field" in str(exc) else "wrong_type"
            raise Refused(not_json(exc, record.value or b""), cause) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise Refused(not_json(exc, record.value or b""), "not_json") from None

    return decoded
