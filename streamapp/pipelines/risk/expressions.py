"""Conditions that an analyst writes, such as ``ip_count_1m > 20 and amount < 2``: over whole batches, and nothing else.

A condition is an expression of Python with names, numbers, strings, comparisons, ``and``, ``or``, ``not``, ``in``,
``+``, ``-``, ``*``, ``/`` and parentheses. It is read by Python's parser, and what is not of these is refused; nothing
of it is ever run as Python. What is null makes a comparison false, and a division by 0 is null.
"""

from __future__ import annotations

import ast
import enum
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from streamapp.misspelt import meant

__all__ = ["Columns", "ExpressionError", "Kind", "condition"]

Array: TypeAlias = NDArray[Any]
#: The values of a batch by their names: numbers (NaN is null), texts or truths.
Columns: TypeAlias = Mapping[str, Array]
Evaluate: TypeAlias = Callable[[Columns], Any]
Holds: TypeAlias = Callable[[Columns], NDArray[np.bool_]]

#: Characters of a condition: more is none that somebody wrote, and deep ones cost Python's parser its stack.
LONGEST: Final = 2_000
#: Characters of a part of it that an error shows.
SHOWN: Final = 40
#: How deep an expression may be.
DEEPEST: Final = 50

COMPARED: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Array]]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
CALCULATED: Final[Mapping[type[ast.operator], Callable[[Any, Any], Array]]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
}


class Kind(enum.Enum):
    """What a value is."""

    NUMBER = "a number"
    TEXT = "a text"
    TRUTH = "true or false"


class ExpressionError(ValueError):
    """A condition that is none; its text is one line that says where and why."""


class _Node(NamedTuple):
    kind: Kind
    evaluate: Evaluate


def condition(text: str, names: Mapping[str, Kind]) -> tuple[Holds, set[str]]:
    """Return what tells of each record of a batch whether a condition holds, and the names that it goes by.

    Args:
        text: the condition.
        names: what it can go by.

    Raises:
        ExpressionError: if it is none.
    """
    if len(text) > LONGEST:
        raise ExpressionError(f"it has {len(text):,} characters, and may have {LONGEST:,}")
    try:
        text = " ".join(text.splitlines()).strip()
        tree = ast.parse(text, mode="eval")
    except SyntaxError as exc:
        raise ExpressionError(f"column {exc.offset or 1}: {exc.msg}") from None
    except (ValueError, RecursionError, MemoryError) as exc:  # a null character; too deep
        raise ExpressionError(f"it cannot be read: {exc or 'it is too deep'}") from None
    compiler = _Compiler(text, names)
    node = compiler.truth(tree.body, 0)

    def holds(columns: Columns) -> NDArray[np.bool_]:
        with np.errstate(all="ignore"):
            return np.asarray(node.evaluate(columns), dtype=np.bool_)

    return holds, compiler.used


class _Compiler:
    """Makes functions of the nodes of an expression."""

    def __init__(self, text: str, names: Mapping[str, Kind]) -> None:
        self._text, self._names = text.encode(), names
        self.used: set[str] = set()

    def truth(self, node: ast.expr, depth: int) -> _Node:
        return self._of(Kind.TRUTH, node, depth)

    def _of(self, kind: Kind, node: ast.expr, depth: int) -> _Node:
        found = self._node(node, depth)
        if found.kind is not kind:
            raise _error(node, f"{self._shown(node)} is {found.kind.value}, where {kind.value} is needed")
        return found

    def _node(self, node: ast.expr, depth: int) -> _Node:
        if depth > DEEPEST:
            raise _error(node, "it is too deep")
        depth += 1
        match node:
            case ast.Name(id=name):
                return self._name(node, name)
            case ast.Constant(value=str(value)):
                return _Node(Kind.TEXT, lambda _: value)
            case ast.Constant(value=bool()):
                pass
            case ast.Constant(value=int() | float() as number):
                return _number(node, number)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                inner = self.truth(operand, depth).evaluate
                return _Node(Kind.TRUTH, lambda columns: np.logical_not(inner(columns)))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self._of(Kind.NUMBER, operand, depth).evaluate
                return _Node(Kind.NUMBER, lambda columns: np.negative(inner(columns)))
            case ast.BinOp() if type(node.op) in CALCULATED:
                return self._calculated(node, depth)
            case ast.BoolOp(op=op, values=operands):
                parts = [self.truth(operand, depth).evaluate for operand in operands]
                return _Node(Kind.TRUTH, _all(parts, np.logical_and if isinstance(op, ast.And) else np.logical_or))
            case ast.Compare():
                return self._comparison(node, depth)
        raise _error(
            node,
            f"{self._shown(node)} is not for conditions, but names, numbers, strings, comparisons, and, or, not, "
            "in, + - * / are",
        )

    def _shown(self, node: ast.expr) -> str:
        text = self._text[node.col_offset : node.end_col_offset].decode()
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

    def _name(self, node: ast.expr, name: str) -> _Node:
        kind = self._names.get(name)
        if kind is None:
            near = meant(name, self._names)
            hint = f"is {' or '.join(near)} meant?" if near else f"there are {', '.join(self._names)}"
            raise _error(node, f"there is no {name}; {hint}")
        self.used.add(name)
        return _Node(kind, lambda columns: columns[name])

    def _calculated(self, node: ast.BinOp, depth: int) -> _Node:
        left, right = (self._of(Kind.NUMBER, side, depth).evaluate for side in (node.left, node.right))
        operation = CALCULATED[type(node.op)]
        if operation is not np.divide:
            return _Node(Kind.NUMBER, lambda columns: operation(left(columns), right(columns)))

        def divided(columns: Columns) -> Array:
            divisor = right(columns)
            return np.where(np.equal(divisor, 0), np.nan, np.divide(left(columns), divisor))

        return _Node(Kind.NUMBER, divided)

    def _comparison(self, node: ast.Compare, depth: int) -> _Node:
        sides = [node.left, *node.comparators]
        parts = [
            self._compared(left, operation, right, depth)
            for left, operation, right in zip(sides, node.ops, sides[1:], strict=False)
        ]
        return _Node(Kind.TRUTH, _all(parts, np.logical_and))

    def _compared(self, left: ast.expr, operation: ast.cmpop, right: ast.expr, depth: int) -> Evaluate:
        first = self._node(left, depth)
        if isinstance(operation, ast.In | ast.NotIn):
            return self._among(first, operation, right, depth)
        if type(operation) not in COMPARED:
            raise _error(right, "is compares by ==")
        if first.kind is Kind.TRUTH:
            raise _error(left, f"{self._shown(left)} is {first.kind.value}, and is not compared")
        second = self._of(first.kind, right, depth)
        if first.kind is Kind.TEXT and not isinstance(operation, ast.Eq | ast.NotEq):
            raise _error(left, f"{self._shown(left)} is {first.kind.value}, and has no order")
        compare, one, other = COMPARED[type(operation)], first.evaluate, second.evaluate
        if compare is not np.not_equal or first.kind is Kind.TEXT:
            return lambda columns: compare(one(columns), other(columns))
        # Null is not unequal, either.
        return lambda columns: np.logical_xor(
            np.less(one(columns), other(columns)), np.greater(one(columns), other(columns))
        )

    def _among(self, first: _Node, operation: ast.In | ast.NotIn, right: ast.expr, depth: int) -> Evaluate:
        if not isinstance(right, ast.List | ast.Tuple | ast.Set) or first.kind is Kind.TRUTH:
            raise _error(right, 'in needs numbers or strings in brackets: ip in ["10.0.0.1", "10.0.0.2"]')
        if not all(isinstance(one, ast.Constant | ast.UnaryOp) for one in right.elts):
            raise _error(right, "what stands in brackets must be numbers or strings")
        values = [self._of(first.kind, one, depth).evaluate({}) for one in right.elts]
        look, among = first.evaluate, not isinstance(operation, ast.NotIn)
        if first.kind is Kind.TEXT:
            known = frozenset(values)
            return lambda columns: np.array([(text in known) is among for text in np.atleast_1d(look(columns))])

        def found(columns: Columns) -> Array:
            numbers = look(columns)
            return np.logical_and(np.isin(numbers, values, invert=not among), np.logical_not(np.isnan(numbers)))

        return found


def _number(node: ast.expr, value: float) -> _Node:
    try:
        number = float(value)
    except OverflowError:
        raise _error(node, "the number is too large") from None
    return _Node(Kind.NUMBER, lambda _: number)


def _all(parts: Sequence[Evaluate], operation: Callable[[Any, Any], Array]) -> Evaluate:
    if len(parts) == 1:
        return parts[0]

    def evaluate(columns: Columns) -> Array:
        found = parts[0](columns)
        for part in parts[1:]:
            if found.all() if operation is np.logical_or else not found.any():
                break  # the others change nothing: most rules hold for none of a batch
            found = operation(found, part(columns))
        return np.asarray(found)

    return evaluate


def _error(node: ast.AST, why: str) -> ExpressionError:
    return ExpressionError(f"column {getattr(node, 'col_offset', 0) + 1}: {' '.join(why.split())}")
