"""Conditions on rows and records, such as ``amount > 100 and user.country in ["DE", "FR"]``.

A condition is an expression of Python with fields of the JSON value (``a.b`` and ``a["b-c"]`` are fields of fields,
``a[0]`` is the first of a list), ``_key`` and ``_time`` (the event time, ms), numbers, strings, ``true``, ``false``,
``null``, comparisons, ``in``, ``and``, ``or``, ``not`` and parentheses. It is read by Python's parser, and what is not
of these is refused; nothing of it is ever run as Python. What is missing is null. Numbers compare with numbers and
strings with strings; any other comparison does not hold, but that null equals null, and is not equal to all else.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from streamapp.errors import StreamappError

__all__ = [
    "DEEPEST",
    "Compiler",
    "Condition",
    "ConditionError",
    "Place",
    "Seen",
    "Term",
    "condition",
    "error",
    "field",
    "parsed",
]

#: Characters of a condition: more is none that somebody wrote, and deep ones cost Python's parser its stack.
LONGEST: Final = 2_000
#: How deep an expression may be.
DEEPEST: Final = 50
#: Characters of a part of it that an error shows.
SHOWN: Final = 40

CONSTANTS: Final[Mapping[str, bool | None]] = {"true": True, "false": False, "null": None}
#: What has an order.
ORDERED: Final = (int, float, str)
ORDERS: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Seen(NamedTuple):
    """A row or a record, as a condition sees it."""

    key: str
    #: The event time (ms).
    time: int
    #: The JSON of the value, decoded.
    value: object


Condition: TypeAlias = Callable[[Seen], bool]
Term: TypeAlias = Callable[[Seen], object]
#: The name of a field, or a place in a list.
Place: TypeAlias = str | int


class ConditionError(StreamappError, ValueError):
    """A condition that is none; its text is one line that says where and why."""


def condition(text: str) -> Condition:
    """Return what tells of a row whether a condition holds; a ConditionError if it is none."""
    text, tree = parsed(text, "; one = is written ==" if "==" not in text and "=" in text else "")
    return Compiler(text).truth(tree, 0)


def parsed(text: str, hint: str = "") -> tuple[str, ast.expr]:
    """Return an expression in one line, as Python's parser reads it; a ConditionError, with a hint, if it is none."""
    if len(text) > LONGEST:
        raise ConditionError(f"it has {len(text):,} characters, and may have {LONGEST:,}")
    text = " ".join(text.split("\n")).strip()
    try:
        return text, ast.parse(text, mode="eval").body
    except SyntaxError as exc:
        raise ConditionError(f"column {exc.offset or 1}: {exc.msg}{hint}") from None
    except (ValueError, RecursionError, MemoryError) as exc:  # a null character; too deep
        raise ConditionError(f"it cannot be read: {exc or 'it is too deep'}") from None


class Compiler:
    """Makes functions of the nodes of an expression, whose text is in one line."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def truth(self, node: ast.expr, depth: int) -> Condition:
        """Return what a part that is true or false comes to."""
        if depth > DEEPEST:
            raise error(node, "it is too deep")
        depth += 1
        match node:
            case ast.BoolOp(op=ast.And(), values=parts):
                every = [self.truth(part, depth) for part in parts]
                return lambda row: all(part(row) for part in every)
            case ast.BoolOp(values=parts):
                some = [self.truth(part, depth) for part in parts]
                return lambda row: any(part(row) for part in some)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.truth(operand, depth)
                return lambda row: not inner(row)
            case ast.Compare():
                return self._comparison(node)
            case ast.Name() | ast.Attribute() | ast.Subscript():
                term = self.term(node)
                return lambda row: term(row) is True
        raise error(node, f"{self.shown(node)} is neither true nor false: compare it, as in amount > 100")

    def _comparison(self, node: ast.Compare) -> Condition:
        sides = [node.left, *node.comparators]
        parts = [
            self._compared(left, compared, right)
            for left, compared, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return parts[0] if len(parts) == 1 else lambda row: all(part(row) for part in parts)

    def _compared(self, left: ast.expr, compared: ast.cmpop, right: ast.expr) -> Condition:
        first = self.term(left)
        match compared:
            case ast.In() | ast.NotIn():
                among = self._among(right)
                if isinstance(compared, ast.In):
                    return lambda row: any(_equal(first(row), one) for one in among(row))
                return lambda row: not any(_equal(first(row), one) for one in among(row))
            case ast.Is() | ast.IsNot():
                raise error(right, "compare by == and !=: x == null")
        second = self.term(right)
        if isinstance(compared, ast.Eq):
            return lambda row: _equal(first(row), second(row))
        if isinstance(compared, ast.NotEq):
            return lambda row: not _equal(first(row), second(row))
        order = ORDERS[type(compared)]
        return lambda row: _ordered(order, first(row), second(row))

    def _among(self, node: ast.expr) -> Callable[[Seen], Sequence[object]]:
        """Return what has the values that one is to be among: those that are listed, or a field that is a list."""
        if (path := self.path(node)) is not None:
            listing = field(path)
            return lambda row: found if isinstance(found := listing(row), list) else ()
        if not isinstance(node, ast.List | ast.Tuple | ast.Set):
            raise error(node, 'in needs values in brackets, or a field: country in ["DE", "FR"]')
        listed = [self.constant(one) for one in node.elts]
        return lambda _: listed

    def term(self, node: ast.expr) -> Term:
        """Return what a part that is a value comes to: a field, or a constant."""
        if (path := self.path(node)) is not None:
            return field(path)
        value = self.constant(node)
        return lambda _: value

    def path(self, node: ast.expr) -> list[Place] | None:
        """Return the names and places that lead to a field; None = the node is no field."""
        path: list[Place] = []
        while True:
            match node:
                case ast.Attribute(value=outer, attr=name):
                    path.insert(0, name)
                case ast.Subscript(value=outer, slice=inside):
                    place = self.constant(inside)
                    if not isinstance(place, str | int) or isinstance(place, bool):
                        raise error(inside, 'in brackets is the name of a field, or a place in a list: a["b"], a[0]')
                    path.insert(0, place)
                case ast.Name(id=name) if name not in CONSTANTS:
                    return [name, *path]
                case _:
                    return None
            node = outer

    def constant(self, node: ast.expr) -> object:
        """Return a number, a string, true, false or null."""
        match node:
            case ast.Name(id=name) if name in CONSTANTS:
                return CONSTANTS[name]
            case ast.Constant(value=None | bool() | int() | float() | str() as value):
                return value
            case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)) if (
                number is not True
            ):
                return -number
        raise error(
            node,
            f"{self.shown(node)} is not for conditions, but fields, numbers, strings, true, false, null, comparisons, "
            "in, and, or, not are",
        )

    def shown(self, node: ast.expr) -> str:
        """Return the text of a part, shortened."""
        text = self._text[node.col_offset : node.end_col_offset].decode(errors="replace")
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def field(path: Sequence[Place]) -> Term:
    """Return what gives the field that a path leads to; null if there is none."""
    match list(path):
        case ["_key"]:
            return lambda row: row.key
        case ["_time"]:
            return lambda row: row.time

    def find(row: Seen) -> object:
        found = row.value
        for place in path:
            found = _inside(found, place)
        return found

    return find


def _inside(value: object, place: str | int) -> object:
    match value:
        case dict():
            return value.get(place)
        case list() if isinstance(place, int) and -len(value) <= place < len(value):
            return value[place]
    return None


def _kind(value: object) -> type:
    """Return what a value is compared with: a truth is no number."""
    return float if type(value) is int else type(value)


def _equal(left: object, right: object) -> bool:
    return _kind(left) is _kind(right) and left == right


def _ordered(order: Callable[[Any, Any], Any], left: object, right: object) -> bool:
    return _kind(left) is _kind(right) and type(left) in ORDERED and bool(order(left, right))


def error(node: ast.AST, why: str) -> ConditionError:
    """Return the error for a part, with the column that it is at."""
    return ConditionError(f"column {getattr(node, 'col_offset', 0) + 1}: {' '.join(why.split())}")
