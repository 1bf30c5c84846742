"""Aggregates of functions."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from streamapp.windows.aggregate import ANYTHING, Form, Place, Value
from streamapp.windows.durations import Duration

__all__ = ["Own"]

S = TypeVar("S")


class Own(Generic[S]):
    """An aggregate that is made of functions; null is not given to them.

    ``Own("rate", name="product", initial=lambda: 1.0, add=lambda state, value: state * value, state_type=float)``

    Args:
        field: the field of the values that it takes.
        name: tells it from others in the declaration that is kept with states; to be changed with the functions.
        initial: returns the state of a window without records.
        add: returns the state with a value more. Values come in the order of arrival, in look-back windows in that of
            event times.
        state_type: the type of a state, of what msgpack can write.
        merge: returns the state of both, and leaves the second one as it is; None = it is not for sessions.
        remove: returns the state without the earliest value; None = look-back windows cannot forget at constant cost.
        result: returns what a state comes to, of what JSON can write; None = the state.
        takes: the type of the values that it can use; records with others are refused.
        over, by: as of every aggregate.

    Raises:
        ValueError: if msgpack cannot write the state of a window without records, or not read it as of its type.
    """

    def __init__(
        self,
        field: str,
        *,
        name: str,
        initial: Callable[[], S],
        add: Callable[[S, Value], S],
        state_type: Form,
        merge: Callable[[S, S], S] | None = None,
        remove: Callable[[S, Value], S] | None = None,
        result: Callable[[S], Value] | None = None,
        takes: Form = ANYTHING,
        over: Duration | None = None,
        by: str | None = None,
    ) -> None:
        self.field, self.takes, self.state_type = field, takes, state_type
        self.over, self.by = over, by
        self._name = name
        self.initial = initial
        self.add = _of_values(add)
        #: None unless there is such a function: `mergeable`, `removable`.
        self.merge: Any = merge
        self.remove: Any = remove and _of_values(remove)
        #: Of the state a copy, since that may be changed in place while a result of it is under way.
        self.result: Callable[[S], Value] = result or copy.deepcopy
        try:
            msgspec.msgpack.decode(msgspec.msgpack.encode(initial()), type=state_type)
        except (TypeError, OverflowError, msgspec.ValidationError) as exc:
            raise ValueError(f"{self}: initial() returns no state of {state_type}: {exc}") from None

    def __repr__(self) -> str:
        return f'Own("{self.field}", name="{self._name}")'


def _of_values(function: Callable[[S, Value], S]) -> Callable[[S, Value, Place], S]:
    return lambda state, value, _: state if value is None else function(state, value)
