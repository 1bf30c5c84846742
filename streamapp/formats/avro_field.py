"""One field of Avro data, without decoding the others: for who hands the data on as it is, and needs its key.

fastavro decodes all of a value, or, with a reader's schema of one field, still takes longer than for all of it. Here
Python code is made of the schema which goes over the bytes: it costs a fifth of that, and still tells whether they are
a value of the schema from the first byte to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

__all__ = ["field_reader"]

Schema: TypeAlias = Any

#: The most bytes that a number of 64 bits has.
LONGEST: Final = 10
SIZES: Final[Mapping[str, int]] = {"null": 0, "float": 4, "double": 8}
INDENT: Final = "    "


def field_reader(schema: Schema, field: str) -> Callable[[bytes], str | int] | None:
    """Return what gives a field of a value, by a schema that fastavro has parsed.

    What it returns raises an `IndexError` or a `ValueError` (a `UnicodeDecodeError` is one) for bytes that are no value
    of the schema. None = the field is neither text nor a whole number, or the schema is recursive.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    found = next((one for one in schema["fields"] if one["name"] == field), None)
    if found is None or _kind(found["type"]) not in {"string", "int", "long"}:
        return None
    try:
        code = _Code()
        lines = [line for one in schema["fields"] for line in code.lines(one["type"], keep=one is found)]
    except KeyError:  # the name of a type that it is a part of
        return None
    lines = ["p = 0", *lines, "if p != len(data): raise ValueError('bytes are left')", "return found"]
    text = "\n".join(["def read(data):", *(INDENT + line for line in lines)])
    scope: dict[str, Any] = {"long": _long, "size": _size}
    exec(text, scope)  # noqa: S102 - no text of the schema is in it
    read: Callable[[bytes], str | int] = scope["read"]
    return read


def _kind(schema: Schema) -> Any:
    return schema["type"] if isinstance(schema, dict) else schema


class _Code:
    """Makes lines of Python of schemas."""

    def __init__(self) -> None:
        #: The types that have names.
        self._named: dict[str, Schema] = {}

    def lines(self, schema: Schema, *, keep: bool = False) -> Iterator[str]:
        """Yield the lines that move ``p`` over a value; with `keep` the value is ``found``."""
        if isinstance(schema, list):
            yield from self._choice(schema)
            return
        kind = _kind(schema)
        yield from self._of_kind(kind, schema, keep)
        if isinstance(schema, dict) and "name" in schema:
            self._named[schema["name"]] = schema  # not before: what is a part of itself has no end

    def _of_kind(self, kind: Any, schema: Schema, keep: bool) -> Iterator[str]:
        match kind:
            case "string" | "bytes":
                yield "n = data[p]; p += 1"
                yield "if n & 129: n, p = size(data, p - 1)"
                yield "else: n >>= 1"
                yield f"{'found = ' if keep else ''}data[p : p + n]{'.decode()' if kind == 'string' else ''}"
                yield "p += n"
            case "int" | "long" if keep:
                yield "found, p = long(data, p)"
            case "int" | "long":
                yield "s = p"
                yield "while data[p] > 127: p += 1"
                yield "p += 1"
                yield f"if p - s > {LONGEST}: raise ValueError('a number is too long')"
            case "boolean":
                yield "if data[p] > 1: raise ValueError('no boolean')"
                yield "p += 1"
            case "null" | "float" | "double":
                yield f"p += {SIZES[kind]}"
            case "fixed":
                yield f"p += {schema['size']}"
            case "enum":
                yield "n, p = long(data, p)"
                yield f"if not 0 <= n < {len(schema['symbols'])}: raise ValueError('no symbol')"
            case "record":
                for field in schema["fields"]:
                    yield from self.lines(field["type"])
            case "array":
                yield from _blocks(list(self.lines(schema["items"])))
            case "map":
                yield from _blocks([*self.lines("string"), *self.lines(schema["values"])])
            case str() if kind in self._named:
                yield from self.lines(self._named[kind])
            case dict():
                yield from self.lines(kind)
            case _:
                raise KeyError(kind)

    def _choice(self, branches: list[Schema]) -> Iterator[str]:
        yield "n, p = long(data, p)"
        for number, branch in enumerate(branches):
            yield f"{'el' if number else ''}if n == {number}:"
            yield from (INDENT + line for line in [*self.lines(branch), "pass"])
        yield "else: raise ValueError('no type of the union')"


def _blocks(items: list[str]) -> Iterator[str]:
    """Yield the lines for an array or a map: blocks with how many items each has, and its size if that is negative.

    Blocks in blocks have counters of their own.
    """
    count = f"c{sum(line.lstrip().startswith('while True') for line in items)}"
    yield "while True:"
    yield f"{INDENT}{count}, p = long(data, p)"
    yield f"{INDENT}if not {count}: break"
    yield f"{INDENT}if {count} < 0: _, p = long(data, p)"
    yield f"{INDENT}if abs({count}) > len(data): raise ValueError('more items than bytes')"
    yield f"{INDENT}for _ in range(abs({count})):"
    yield from (INDENT * 2 + line for line in [*items, "pass"])


def _long(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position (zigzag, 7 bits a byte), and the position after it."""
    number = shift = 0
    for at in range(position, position + LONGEST):
        byte = data[at]
        number |= (byte & 127) << shift
        if byte < 128:
            return (number >> 1) ^ -(number & 1), at + 1
        shift += 7
    raise ValueError("a number is too long")


def _size(data: bytes, position: int) -> tuple[int, int]:
    """Return how many bytes follow at a position, and where they begin."""
    size, position = _long(data, position)
    if size < 0:
        raise ValueError("a size is negative")
    return size, position
