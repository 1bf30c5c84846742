"""The states of the keys of a partition: objects that a function may change in place, and rows of them."""

from __future__ import annotations

import itertools
from typing import Final, Generic, TypeVar

import msgspec

from streamapp.functions.state_type import StateType
from streamapp.joins import State, ordering
from streamapp.joins.clock import BEGINNING
from streamapp.joins.declared import StateMismatch

__all__ = ["Held", "States"]

S = TypeVar("S")

#: So many keys' states stay in memory after a batch.
KEPT: Final = 20_000
#: Of a state that is not kept for ever, so many rows are looked at for each one that may be written: all in their turn.
SWEPT: Final = 1


class Held(Generic[S]):
    """A state in memory: as it is, as it was written when the last call was done, and the time of its last change."""

    __slots__ = ("encoded", "state", "stored", "time")

    def __init__(self, state: S, encoded: bytes, time: int, *, stored: bool) -> None:
        self.state = state
        self.encoded = encoded
        self.time = time
        #: Whether there is a row of it.
        self.stored = stored


class States(Generic[S]):
    """States by key, in a section of the state of a partition.

    A row is the event time (ms) of the last change, and the state. A state that is as it began has none.

    Args:
        state: the section.
        type_: of the states.
        ttl: how long (ms) one lives after its last change; None = for ever.
    """

    def __init__(self, state: State, type_: StateType[S], ttl: int | None) -> None:
        self._state = state
        self._type = type_
        self._ttl = ttl
        self._held: dict[bytes, Held[S]] = {}
        self._changed: set[bytes] = set()
        self._swept = b""

    def get(self, key: bytes, now: int) -> Held[S]:
        """Return the state of a key at an event time (ms) of the clock."""
        held = self._held.get(key)
        if held is None:
            row = self._state.get(key)
            if row is None:
                held = Held(self._type.make(), self._type.nothing, BEGINNING, stored=False)
            else:
                encoded = row[ordering.TIME :]
                held = Held(self._type.decode(encoded), encoded, ordering.time_of(row), stored=True)
            self._held[key] = held
        if self._ttl is not None and held.encoded != self._type.nothing and held.time < now - self._ttl:
            held.state, held.encoded, held.time = self._type.make(), self._type.nothing, BEGINNING
            self._changed.add(key)
        return held

    def look(self, key: bytes, now: int) -> tuple[int, S] | None:
        """Return the state of a key as it is written, with the event time (ms) of its last change; None = none."""
        row = self._state.get(key)
        if row is None or (self._ttl is not None and ordering.time_of(row) < now - self._ttl):
            return None
        return ordering.time_of(row), self._type.decode(row[ordering.TIME :])

    def done(self, key: bytes, held: Held[S], state: S, time: int) -> None:
        """Keep the state of a key after a call at an event time (ms).

        Raises:
            TypeError: for one that cannot be written.
            msgspec.ValidationError: for one of another type.
        """
        encoded = self._type.encode(state)
        if encoded != held.encoded:
            self._type.decode(encoded)  # what cannot be read any more would end the next start
            held.encoded = encoded
            held.time = BEGINNING if encoded == self._type.nothing else max(held.time, time)
            self._changed.add(key)
        held.state = state

    def undo(self, held: Held[S]) -> None:
        """Forget what a call that failed has changed."""
        held.state = self._type.make() if held.encoded == self._type.nothing else self._type.decode(held.encoded)

    def write(self, now: int, count: int) -> None:
        """Write the states that were changed by so many records, and delete some of those whose time is over."""
        rows = dict[bytes, bytes | None]()
        for key in self._changed:
            held = self._held[key]
            stored = held.encoded != self._type.nothing
            if stored or held.stored:
                rows[key] = ordering.time(held.time) + held.encoded if stored else None
            held.stored = stored
        self._state.update(rows)
        self._changed.clear()
        if len(self._held) > KEPT:
            self._held.clear()
        if self._ttl is not None and count:
            self._sweep(now - self._ttl, SWEPT * count)

    def check(self) -> None:
        """Raise a StateMismatch if a row is not of the type."""
        for key, row in self._state.scan():
            try:
                self._type.decode(row[ordering.TIME :])
            except msgspec.DecodeError as exc:
                raise StateMismatch(
                    f"the state of the key {key!r} is not of the type {self._type.name}: {exc}"
                ) from None

    def _sweep(self, before: int, count: int) -> None:
        rows = list(itertools.islice(self._state.scan(start=self._swept), count))
        self._swept = rows[-1][0] + b"\0" if len(rows) == count else b""
        for key, row in rows:
            if ordering.time_of(row) < before:
                self._state.delete(key)
                self._held.pop(key, None)
