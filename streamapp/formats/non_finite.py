"""Numbers that JSON does not have: NaN and the infinities are texts in it, as Protobuf's own JSON has them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["NUMBERS", "name_of", "printed"]

Value: TypeAlias = Any

#: The numbers, by their names.
NUMBERS: Final[Mapping[str, float]] = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def name_of(value: float) -> str:
    """Return the name of such a number."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def printed(encode: Callable[[Value], bytes], value: Value) -> bytes:
    """Return the JSON of a value, by an encoder of msgspec, which makes null of such numbers."""
    text = encode(value)
    return encode(_named(value)) if b"null" in text and _has_some(value) else text


def _has_some(value: Value) -> bool:
    if isinstance(value, float):
        return not math.isfinite(value)
    if isinstance(value, dict):
        return any(map(_has_some, value.values()))
    return isinstance(value, list) and any(map(_has_some, value))


def _named(value: Value) -> Value:
    if isinstance(value, float):
        return value if math.isfinite(value) else name_of(value)
    if isinstance(value, dict):
        return {name: _named(one) for name, one in value.items()}
    return [_named(one) for one in value] if isinstance(value, list) else value
