"""One field of Avro data, without decoding the others: for who hands the data on as it is, and needs its key.

fastavro decodes all of a value, or, with a reader's schema of one field, still takes longer than for all of it. Here
Python code is made of the schema which goes over the bytes: it costs a fifth of that, and still tells whether they are
a value of the schema from the first byte to the last.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from streamapp.formats.avro_schema import named

__all__ = ["ReadField", "field_reader"]

Schema: TypeAlias = Any
#: Returns the field of a value; None = the bytes are no value of the schema, or the field is null.
ReadField: TypeAlias = Callable[[bytes], str | int | None]

#: The most bytes that a number of 64 bits has.
LONGEST: Final = 10
SIZES: Final[Mapping[str, int]] = {"null": 0, "float": 4, "double": 8}
#: What a key can be.
KEYS: Final = ("string", "int", "long")
INDENT: Final = "    "
#: Loops and branches in each other, in one function: Python takes 20 of the former.
DEEPEST: Final = 8


def field_reader(schema: Schema, field: str, frame: bytes = b"") -> ReadField | None:
    """Return what gives a field of a value, by a schema that fastavro has parsed.

    Args:
        schema: of the values.
        field: the name of a field that is text or a whole number, or null.
        frame: what may stand before the data.

    Returns:
        None = the field is of another type, or the schema is too deep.
    """
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return None
    found = next((one for one in schema["fields"] if one["name"] == field), None)
    if found is None or not _is_key(found["type"]):
        return None
    try:
        code = _Code(named(schema))
        lines = [line for one in schema["fields"] for line in code.lines(one["type"], 1, keep=one is found)]
        functions = list(code.functions())
    except RecursionError:
        return None
    text = "\n".join(
        [
            "def read(data):",
            f"{INDENT}try:",
            f"{INDENT * 2}p = {_begin(frame)}",
            *(INDENT * 2 + line for line in lines),
            f"{INDENT}except (IndexError, ValueError, RecursionError): return None",
            f"{INDENT}return found if p == len(data) else None",
            *functions,
        ]
    )
    scope: dict[str, Any] = {"long": _long, "size": _size, "frame": frame}
    exec(text, scope)  # noqa: S102 - no text of the schema is in it
    read: ReadField = scope["read"]
    return read


def _begin(frame: bytes) -> str:
    """Return what tells where data begin; one byte is compared before all of the frame, which few have."""
    return f"{len(frame)} if data[0] == {frame[0]} and data.startswith(frame) else 0" if frame else "0"


def _is_key(schema: Schema) -> bool:
    """Return whether a type can be that of a key; what a logical type makes of it is left to fastavro."""
    if isinstance(schema, list):
        return all(one == "null" or _is_key(one) for one in schema)
    if isinstance(schema, dict):
        return schema["type"] in KEYS and "logicalType" not in schema
    return schema in KEYS


class _Code:
    """Makes lines of Python of schemas."""

    def __init__(self, named: Mapping[str, Schema]) -> None:
        self._named = named
        #: What has a function of its own: types that are there again, or are a part of themselves, and deep ones.
        self._apart: list[Schema] = []
        self._numbers: dict[str, int] = {}

    def lines(self, schema: Schema, depth: int, *, keep: bool = False) -> Iterator[str]:
        """Yield the lines that move ``p`` over a value, so deep in a function; with `keep` the value is ``found``."""
        kind = schema["type"] if isinstance(schema, dict) else schema
        match kind:
            case list():
                yield from self._inner(kind, depth, lambda: self._choice(kind, depth, keep=keep))
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
            case "null" if keep:
                yield "raise ValueError('it is null')"
            case "null" | "float" | "double":
                yield f"p += {SIZES[kind]}"
            case "fixed":
                yield f"p += {schema['size']}"
            case "enum":
                yield "n, p = long(data, p)"
                yield f"if not 0 <= n < {len(schema['symbols'])}: raise ValueError('no symbol')"
            case "record":
                for field in schema["fields"]:
                    yield from self.lines(field["type"], depth)
            case "array":
                yield from self._inner(schema, depth, lambda: self._blocks([schema["items"]], depth))
            case "map":
                yield from self._inner(schema, depth, lambda: self._blocks(["string", schema["values"]], depth))
            case str():
                yield self._call(kind, self._named[kind])
            case _:
                yield from self.lines(kind, depth, keep=keep)

    def functions(self) -> Iterator[str]:
        """Yield the lines of the functions that the others need."""
        for number, schema in enumerate(self._apart):  # they may need more, which are added meanwhile
            yield f"def skip_{number}(data, p):"
            yield from (INDENT + line for line in self.lines(schema, 0))
            yield f"{INDENT}return p"

    def _call(self, name: str, schema: Schema) -> str:
        """Return the line that has a function move ``p``."""
        if name not in self._numbers:
            self._numbers[name] = len(self._apart)
            self._apart.append(schema)
        return f"p = skip_{self._numbers[name]}(data, p)"

    def _inner(self, schema: Schema, depth: int, lines: Callable[[], Iterator[str]]) -> Iterator[str]:
        """Yield lines that have others in them; where it is deep, the call of a function with them."""
        if depth < DEEPEST:
            yield from lines()
        else:
            yield self._call(f"{len(self._apart)} apart", schema)

    def _choice(self, branches: list[Schema], depth: int, *, keep: bool) -> Iterator[str]:
        yield "n, p = long(data, p)"
        for number, branch in enumerate(branches):
            yield f"{'el' if number else ''}if n == {number}:"
            yield from (INDENT + line for line in [*self.lines(branch, depth + 1, keep=keep), "pass"])
        yield "else: raise ValueError('no type of the union')"

    def _blocks(self, items: list[Schema], depth: int) -> Iterator[str]:
        """Yield the lines for an array or a map: blocks with how many items each has, and its size if it is negative.

        Blocks in blocks have counters of their own.
        """
        count = f"c{depth}"
        yield "while True:"
        yield f"{INDENT}{count}, p = long(data, p)"
        yield f"{INDENT}if not {count}: break"
        yield f"{INDENT}if {count} < 0: _, p = long(data, p)"
        yield f"{INDENT}if abs({count}) > len(data): raise ValueError('more items than bytes')"
        yield f"{INDENT}for _ in range(abs({count})):"
        for item in items:
            yield from (INDENT * 2 + line for line in self.lines(item, depth + 2))
        yield f"{INDENT * 2}pass"


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
