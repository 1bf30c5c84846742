"""The types that a user declares for the values on the topics in, named by a setting."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec
from mode.utils.imports import cwd_in_path
from msgspec import inspect

from streamapp.pipelines.clicks.models import FIELD

__all__ = ["declared"]


def declared(name: str, default: type[Any]) -> type[Any]:
    """Return the type of a topic's values.

    Args:
        name: where the user's own is, ``module:Name``; empty = there is none.
        default: the type if there is none.

    Raises:
        ValueError: if there is no such type, or it does not have the user id as a string or an integer; the text
            follows on the name.
    """
    if not name:
        return default
    module, _, attribute = name.partition(":")
    try:
        with cwd_in_path():
            found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as exc:
        raise ValueError(f"cannot be imported: {exc}") from None
    if not isinstance(found, type) or not issubclass(found, msgspec.Struct):
        raise ValueError("is no msgspec.Struct")  # noqa: TRY004 - of a setting, as the others
    try:
        fields = msgspec.structs.fields(found)
        msgspec.json.Decoder(found)
        field = next((one for one in fields if one.name == FIELD), None)
        known = field is not None and _names_users(inspect.type_info(field.type))
    except (TypeError, NameError) as exc:
        raise ValueError(f"cannot be read from JSON: {exc}") from None
    if field is None or field.encode_name != FIELD or not known:
        raise ValueError(f"must have the field {FIELD}, a str or an int")
    return found


def _names_users(kind: inspect.Type) -> bool:
    match kind:
        case inspect.StrType() | inspect.IntType():
            return True
        case inspect.Metadata():
            return _names_users(kind.type)
        case inspect.UnionType():
            return all(map(_names_users, kind.types))
        case _:
            return False
