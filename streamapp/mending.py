"""Mending records: ``amount = number(amount)``, a field that is dropped, another that gets its right name.

What is set is an expression of fields (as in `conditions`), ``_key`` and ``_time``, constants and JSON, ``+ - * /``,
``number(…)`` of a text and ``text(…)`` of a number. It is read by Python's parser, and what is not of these is refused;
nothing of it is ever run as Python. A record that does not have what an expression needs is not mended, but refused.
"""

from __future__ import annotations

import ast
import copy
import dataclasses
import datetime
import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from streamapp.conditions import DEEPEST, Compiler, ConditionError, Place, Seen, error, field, parsed
from streamapp.errors import StreamappError

__all__ = ["Draft", "MendError", "Mending"]

#: Times (ms) that a record may have: up to the year 2200.
LAST_MS: Final = 7_258_118_400_000
KEY: Final = "_key"
TIME: Final = "_time"

Number: TypeAlias = int | float
Change: TypeAlias = Callable[["Draft"], None]
Expression: TypeAlias = Callable[[Seen], object]


class MendError(StreamappError, ValueError):
    """A record that cannot be mended so; its text is one line that says why."""


@dataclasses.dataclass
class Draft:
    """A record that is about to be mended.

    Args:
        key: as JSON: a text as a rule; None = it has none.
        time: its event time (ms).
        value: the JSON of its value, decoded.
    """

    key: Any
    time: int
    value: Any

    @property
    def seen(self) -> Seen:
        """The record as expressions see it."""
        return Seen(self.key if isinstance(self.key, str) else "", self.time, self.value)


class Mending:
    """What is done to each record, in this order: fields are renamed, set, dropped.

    Args:
        rename: each ``old=new``; where there is no old one, nothing is done.
        set_: each ``field = expression``, which sees what the ones before it have set.
        drop: fields; where there is none, nothing is done.

    Raises:
        ConditionError: for what is none of these.
    """

    def __init__(self, *, rename: Iterable[str] = (), set_: Iterable[str] = (), drop: Iterable[str] = ()) -> None:
        self._changes: list[Change] = [
            *(_rename(*_sides(text, "old=new")) for text in rename),
            *(_set(*_sides(text, "field=expression")) for text in set_),
            *(_drop(text) for text in drop),
        ]

    def __bool__(self) -> bool:
        return bool(self._changes)

    def __call__(self, draft: Draft) -> Draft:
        """Return a record mended; the one that is given stays as it is.

        Raises:
            MendError: if it does not have what this needs.
        """
        mended = copy.deepcopy(draft)
        for change in self._changes:
            change(mended)
        return mended


def _sides(text: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not equals or not left.strip() or not right.strip() or right.startswith("="):
        raise ConditionError(f"{text!r} is not {form}")
    return left.strip(), right.strip()


def _path(text: str) -> Sequence[Place]:
    line, node = parsed(text)
    path = Compiler(line).path(node)
    if path is None:
        raise ConditionError(f"{text} is no field, such as amount, user.id or items[0]")
    return path


def _rename(old: str, new: str) -> Change:
    before, after = _path(old), _path(new)
    if {KEY, TIME} & {before[0], after[0]}:
        raise ConditionError(f"{old}={new}: {KEY} and {TIME} are set, and have no other names")

    def change(draft: Draft) -> None:
        holder = _holder(draft, before)
        if not _has(holder, before[-1]):
            return
        target = _holder(draft, after, make=True)
        if _has(target, after[-1]):
            raise MendError(f"it has both {old} and {new}")
        value = holder.pop(before[-1])
        _put(target, after[-1], value, new)

    return change


def _drop(text: str) -> Change:
    path = _path(text)
    if path[0] == TIME:
        raise ConditionError("each record has a _time")

    def change(draft: Draft) -> None:
        if list(path) == [KEY]:
            draft.key = None
        elif _has(holder := _holder(draft, path), path[-1]):
            del holder[path[-1]]

    return change


def _set(text: str, expression: str) -> Change:
    path, made = _path(text), _expression(expression)

    def change(draft: Draft) -> None:
        value = copy.deepcopy(made(draft.seen))
        match list(path):
            case ["_key"]:
                draft.key = _key(value)
            case ["_time"]:
                draft.time = _time(value)
            case _:
                _put(_holder(draft, path, make=True), path[-1], value, text)

    return change


def _key(value: object) -> object:
    if value is None or isinstance(value, str | dict):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise MendError(f"{value!r} is no key: a key is a text or a whole number")


def _time(value: object) -> int:
    if isinstance(value, str):
        try:
            moment = datetime.datetime.fromisoformat(value)
        except ValueError:
            raise MendError(f"{value!r} is no time: in ms since 1970, or 2026-01-31T12:00:00Z") from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
        value = round(moment.timestamp() * 1000)
    if not isinstance(value, Number) or isinstance(value, bool) or value != int(value) or not 0 <= value < LAST_MS:
        raise MendError(f"{value!r} is no event time in whole ms since 1970")
    return int(value)


def _holder(draft: Draft, path: Sequence[Place], *, make: bool = False) -> Any:
    """Return the object or the list that a field is in; None if there is none, unless it is to be made."""
    found = draft.value
    if not isinstance(found, dict | list):
        raise MendError("its value is no JSON object, and has no fields: --edit mends it as a text")
    for place in path[:-1]:
        if not _has(found, place):
            if not make or not isinstance(found, dict) or not isinstance(place, str):
                return None
            found[place] = {}
        found = found[place]
    return found


def _has(holder: object, place: Place) -> bool:
    match holder:
        case dict():
            return place in holder
        case list():
            return isinstance(place, int) and -len(holder) <= place < len(holder)
    return False


def _put(holder: object, place: Place, value: object, text: str) -> None:
    if (isinstance(holder, dict) and isinstance(place, str)) or (isinstance(holder, list) and _has(holder, place)):
        holder[place] = value  # type: ignore[index]  # as was asked
    else:
        raise MendError(f"there is no place for {text}")


def _expression(text: str) -> Expression:
    line, node = parsed(text)
    return _Expressions(line).made(node, 0)


class _Expressions(Compiler):
    """Makes functions of what fields are set to."""

    def made(self, node: ast.expr, depth: int) -> Expression:
        """Return what a part comes to."""
        if depth > DEEPEST:
            raise error(node, "it is too deep")
        depth += 1
        match node:
            case ast.BinOp(left=left, op=kind, right=right) if type(kind) in ARITHMETIC:
                first, second, apply = self.made(left, depth), self.made(right, depth), ARITHMETIC[type(kind)]
                return lambda row: apply(first(row), second(row))
            case ast.Call(func=ast.Name(id=name), args=[inner], keywords=[]) if name in FUNCTIONS:
                one, function = self.made(inner, depth), FUNCTIONS[name]
                return lambda row: function(one(row))
            case ast.List(elts=elements):
                every = [self.made(element, depth) for element in elements]
                return lambda row: [one(row) for one in every]
            case ast.Dict(keys=names, values=values):
                pairs = zip(names, values, strict=True)
                members = {self._name(name, node): self.made(value, depth) for name, value in pairs}
                return lambda row: {name: value(row) for name, value in members.items()}
            case ast.Name() | ast.Attribute() | ast.Subscript() if self.path(node) is not None:
                return self._field(node)
            case ast.Call() | ast.BinOp():
                raise error(node, f"{self.shown(node)} is not for mending, but {', '.join(FUNCTIONS)} and + - * / are")
        value = self.constant(node)
        return lambda _: value

    def constant(self, node: ast.expr) -> object:
        """Return a number, a string, true, false or null; JSON's escapes of one character, a pair, are that."""
        value = super().constant(node)
        if not isinstance(value, str):
            return value
        try:
            return value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise error(node, "half a character is none") from None

    def _field(self, node: ast.expr) -> Expression:
        shown, found = self.shown(node), field(self.path(node) or ())

        def value(row: Seen) -> object:
            if (one := found(row)) is None:
                raise MendError(f"{shown} is missing, or null")
            return one

        return value

    def _name(self, node: ast.expr | None, whole: ast.expr) -> str:
        name = None if node is None else self.constant(node)
        if not isinstance(name, str):
            raise error(whole, "the names in an object are strings")
        return name


def _numbers(left: object, right: object, sign: str) -> tuple[Number, Number]:
    for one in (left, right):
        if not isinstance(one, int | float) or isinstance(one, bool):
            raise MendError(f"{one!r} is no number, as {sign} needs: number(…) makes one of a text")
    return left, right  # type: ignore[return-value]  # both are


def _divided(first: Number, second: Number) -> Number:
    if not second:
        raise MendError(f"{first} cannot be divided by 0")
    if isinstance(first, int) and isinstance(second, int) and not first % second:
        return first // second
    return first / second


def _number(value: object) -> Number:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        for kind in (int, float):
            try:
                return _finite(kind(value))
            except ValueError:
                continue
    raise MendError(f"{value!r} is no number")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise MendError(f"{value!r} is neither a text nor a number")


def _finite(value: Number) -> Number:
    if isinstance(value, float) and not math.isfinite(value):
        raise MendError(f"{value} is no number in JSON")
    return value


def _added(left: object, right: object) -> object:
    return left + right if isinstance(left, str) and isinstance(right, str) else _sum(left, right)


def _arithmetic(apply: Callable[[Any, Any], Number], sign: str) -> Callable[[object, object], object]:
    def applied(left: object, right: object) -> Number:
        first, second = _numbers(left, right, sign)
        try:
            return _finite(apply(first, second))
        except OverflowError:
            raise MendError(f"{first} {sign} {second} is too large") from None

    return applied


_sum: Final = _arithmetic(operator.add, "+")
ARITHMETIC: Final[Mapping[type[ast.operator], Callable[[Any, Any], object]]] = {
    ast.Add: _added,
    ast.Sub: _arithmetic(operator.sub, "-"),
    ast.Mult: _arithmetic(operator.mul, "*"),
    ast.Div: _arithmetic(_divided, "/"),
}
FUNCTIONS: Final[Mapping[str, Callable[[Any], object]]] = {"number": _number, "text": _text}
