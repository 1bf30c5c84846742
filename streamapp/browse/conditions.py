"""Conditions on the value of one record, such as ``amount > 100 and user.country in ["FR", "DE"]``.

A condition is an expression of Python with names (fields of the value; ``a.b`` and ``a["b-c"]`` are fields of fields,
``a[0]`` the first of a list), numbers, strings, ``None``, ``True``, ``False``, comparisons, ``and``, ``or``, ``not``,
``in``, ``+``, ``-``, ``*``, ``/`` and parentheses. It is read by Python's parser, and what is not of these is refused;
nothing of it is ever run as Python. A field that is not there is null; a comparison with null is false, but for
``is None``; so is one of things that have no order among them.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeAlias

__all__ = ["Condition", "ConditionError", "condition"]

#: Tells whether a value, decoded from JSON, is meant.
Condition: TypeAlias = Callable[[Any], bool]
Evaluate: TypeAlias = Callable[[Any], Any]

#: How deep an expression may be.
DEEPEST: Final = 50

COMPARED: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.In: lambda one, others: one in others,
    ast.NotIn: lambda one, others: one not in others,
}
#: With which null is compared, too.
IDENTITY: Final[Mapping[type[ast.cmpop], Callable[[Any, Any], Any]]] = {ast.Is: operator.eq, ast.IsNot: operator.ne}
CALCULATED: Final[Mapping[type[ast.operator], Callable[[Any, Any], Any]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class ConditionError(ValueError):
    """A condition that is none; its text is one line that says where and why."""


def condition(text: str) -> Condition:
    """Return what tells whether a condition holds for a value.

    Raises:
        ConditionError: if it is none.
    """
    text = " ".join(text.splitlines()).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except SyntaxError as exc:
        hint = "; one = is written ==" if "==" not in text and "=" in text else ""
        raise ConditionError(f"column {exc.offset or 1}: {exc.msg}{hint}") from None
    except (ValueError, RecursionError, MemoryError) as exc:  # a null character; too deep
        raise ConditionError(f"it cannot be read: {exc or 'it is too deep'}") from None
    evaluate = _node(tree.body, 0)
    return lambda value: bool(evaluate(value))


def _node(node: ast.expr, depth: int) -> Evaluate:
    if depth > DEEPEST:
        raise _error(node, "it is too deep")
    depth += 1
    match node:
        case ast.Name(id=name):
            return lambda value: _field(value, name)
        case ast.Attribute(value=of, attr=name):
            outer = _node(of, depth)
            return lambda value: _field(outer(value), name)
        case ast.Subscript(value=of, slice=ast.Constant() | ast.UnaryOp(operand=ast.Constant()) as inside):
            outer, place = _node(of, depth), ast.literal_eval(inside)
            return lambda value: _field(outer(value), place)
        case ast.Constant(value=None | bool() | int() | float() | str() as constant):
            return lambda _: constant
        case ast.List(elts=elements) | ast.Tuple(elts=elements) | ast.Set(elts=elements):
            parts = [_node(one, depth) for one in elements]
            return lambda value: [part(value) for part in parts]
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _node(operand, depth)
            return lambda value: not inner(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _node(operand, depth)
            return lambda value: _tried(operator.sub, 0, inner(value))
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in CALCULATED:
            return _calculation(CALCULATED[type(operation)], _node(left, depth), _node(right, depth))
        case ast.BoolOp(op=op, values=operands):
            parts, quantity = [_node(one, depth) for one in operands], all if isinstance(op, ast.And) else any
            return lambda value: quantity(part(value) for part in parts)
        case ast.Compare(left=left, ops=operations, comparators=others):
            return _comparison(operations, [_node(one, depth) for one in (left, *others)])
    raise _error(
        node,
        f"{ast.unparse(node)} is not for conditions, but fields, numbers, strings, comparisons, and, or, not, in, "
        "+ - * / are",
    )


def _comparison(operations: Sequence[ast.cmpop], sides: Sequence[Evaluate]) -> Evaluate:
    def compared(value: Any) -> bool:
        found = [side(value) for side in sides]
        return all(map(_compared, operations, found, found[1:]))

    return compared


def _compared(operation: ast.cmpop, one: Any, other: Any) -> bool:
    if type(operation) in IDENTITY:
        return bool(IDENTITY[type(operation)](one, other))
    return one is not None and other is not None and bool(_tried(COMPARED[type(operation)], one, other))


def _calculation(calculate: Callable[[Any, Any], Any], left: Evaluate, right: Evaluate) -> Evaluate:
    return lambda value: _tried(calculate, left(value), right(value))


def _tried(operation: Callable[[Any, Any], Any], one: Any, other: Any) -> Any:
    """Return what an operation gives; None if the two do not go together."""
    try:
        return operation(one, other)
    except (TypeError, ArithmeticError):
        return None


def _field(value: Any, name: object) -> Any:
    if isinstance(value, list) and isinstance(name, int):
        return value[name] if -len(value) <= name < len(value) else None
    return value.get(name) if isinstance(value, dict) else None


def _error(node: ast.AST, why: str) -> ConditionError:
    return ConditionError(f"column {getattr(node, 'col_offset', 0) + 1}: {' '.join(why.split())}")
