"""The type of a function's state: how it is written, what a key without a state begins with, and what changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final, Generic, TypeVar

import msgspec

__all__ = ["StateType"]

S = TypeVar("S")

#: Hexadecimal digits that tell the forms of types apart.
DIGITS: Final = 12


class StateType(Generic[S]):
    """A type that msgspec can write.

    Args:
        type_: of the states.
        initial: makes that of a key which has none; None = the type itself, without arguments.

    Raises:
        ValueError: for a type that cannot be written, or that has no initial state.
    """

    def __init__(self, type_: type[S], initial: Callable[[], S] | None = None) -> None:
        self.name = getattr(type_, "__name__", str(type_))
        self.make: Callable[[], S] = type_ if initial is None else initial
        try:
            schema = msgspec.json.encode(msgspec.json.schema(type_), order="sorted")
            self._decoder = msgspec.msgpack.Decoder(type_)
        except (TypeError, ValueError) as exc:
            error = str(exc).splitlines()[-1]
            raise ValueError(f"state={self.name} is no type that can be written: {error}") from None
        try:
            first = self.make()
        except TypeError as exc:
            raise ValueError(
                f"state={self.name}: a key without a state has none to begin with ({exc}): give initial=…"
            ) from None
        self._encode = msgspec.msgpack.Encoder().encode
        try:
            #: How that of a key is written that has none: there is no row of it.
            self.nothing = self.encode(first)
            self.decode(self.nothing)
        except (TypeError, msgspec.ValidationError) as exc:
            raise ValueError(
                f"state={self.name}: the state to begin with, {first!r}, is not of that type: {exc}"
            ) from None
        #: What tells that rows were written by another type.
        self.form = f"{self.name} {hashlib.sha256(schema).hexdigest()[:DIGITS]}"

    def encode(self, state: S) -> bytes:
        """Write a state.

        Raises:
            TypeError: for what cannot be written.
        """
        return self._encode(state)

    def as_json(self, state: S) -> bytes:
        """Return a state as JSON; of one that JSON has no form for, as it is written."""
        try:
            return msgspec.json.encode(state)
        except (TypeError, ValueError):
            return self.encode(state)

    def decode(self, row: bytes) -> S:
        """Read a state.

        Raises:
            msgspec.ValidationError: if it is not of the type.
        """
        return self._decoder.decode(row)
