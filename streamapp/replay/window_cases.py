"""Cases of windows: what is sent to one stream, step by step, as in the conformance tests."""

from __future__ import annotations

import enum
from collections import Counter as Counts
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from streamapp.joins import Driver, Event, Output, Reason, Store
from streamapp.replay.keys import Key, Time, decode_key, encode_key
from streamapp.replay.window_spec import OF_FIELDS
from streamapp.windows import Emission, Sessions, TimeWindows, Windowed, WindowedAggregate, Windows
from streamapp.windows.look_back import LookBack

__all__ = ["WindowCase", "WindowFamily", "WindowResult", "WindowStep"]

#: The field of a record's value that holds the value of an input.
FIELD: Final = "value"


class WindowFamily(enum.StrEnum):
    """Kinds of windows that a case can be of."""

    TUMBLING = "tumbling"
    HOPPING = "hopping"
    SESSION = "session"
    LOOK_BACK = "look-back"


class Lengths(msgspec.Struct, frozen=True):
    """The lengths of windows (ms); which are needed depends on their kind."""

    grace_ms: int
    size_ms: int | None = None
    advance_ms: int | None = None
    gap_ms: int | None = None

    def of(self, name: str) -> int:
        """Return one, or raise a ValueError if it is missing."""
        length: int | None = getattr(self, name)
        if length is None:
            raise ValueError(f"window needs {name}")
        return length


class WindowInput(msgspec.Struct, frozen=True):
    """A record; ``ts`` is its event time (ms)."""

    key: Key
    value: Any
    ts: Time


class WindowResult(msgspec.Struct, frozen=True):
    """A result; a value of None says that the window is no more."""

    key: Key
    start: int
    end: int
    value: Any
    ts: int


class WindowStep(msgspec.Struct, frozen=True):
    """A record that is sent, and what it brings."""

    input: WindowInput
    expected: list[WindowResult] = []
    late: int = 0
    partly_late: int = 0
    ignored: int = 0


class WindowStepOutput(msgspec.Struct, frozen=True):
    """What a step gave, and whether its record was late, partly late, or had no key or no value."""

    case: str
    step: int
    results: list[WindowResult]
    late: int
    partly_late: int
    ignored: int


class WindowCase(msgspec.Struct, frozen=True):
    """Windows, one aggregate, and what is sent."""

    id: str
    family: WindowFamily
    window: Lengths
    aggregate: str
    emission: Emission
    steps: list[WindowStep]

    def join(self) -> WindowedAggregate:
        """Return the aggregate in its windows.

        Raises:
            ValueError: if the case does not describe one.
        """
        make = OF_FIELDS.get(self.aggregate)
        if make is None:
            raise ValueError(f"aggregate must be one of {', '.join(OF_FIELDS)}, not {self.aggregate!r}")
        return WindowedAggregate(
            windows=self._windows(),
            aggregates={self.aggregate: make(FIELD)},
            grace=self.window.grace_ms,
            emission=self.emission,
        )

    def _windows(self) -> Windows:
        of = self.window.of
        match self.family:
            case WindowFamily.TUMBLING:
                return TimeWindows(of("size_ms"), of("size_ms"))
            case WindowFamily.HOPPING:
                return TimeWindows(of("size_ms"), of("advance_ms"))
            case WindowFamily.SESSION:
                return Sessions(of("gap_ms"))
            case WindowFamily.LOOK_BACK:
                return LookBack(of("size_ms"))

    def check(self) -> None:
        """Raise a ValueError if it describes no windows, or has a record that is none of them."""
        self.join()
        for step in self.steps:
            self.record(step)

    @staticmethod
    def record(step: WindowStep) -> tuple[int, Event]:
        """Return the record of a step, and its source, which is the only one."""
        given = step.input
        value = None if given.value is None else msgspec.json.encode({FIELD: given.value})
        return 0, Event(encode_key(given.key), value, given.ts)

    def run(self, store: Store | None = None) -> Iterator[WindowStepOutput]:
        """Send the steps one by one."""
        driver = Driver(self.join(), store)
        for number, step in enumerate(self.steps):
            yield self.told(number, driver.process([self.record(step)]))

    def told(self, number: int, output: Output[Windowed]) -> WindowStepOutput:
        """Return what a step gave as cases have it."""
        reasons = Counts(one.reason for one in output.side_outputs)
        late, partly_late = reasons.pop(Reason.LATE, 0), reasons.pop(Reason.PARTLY_LATE, 0)
        return WindowStepOutput(
            self.id, number, [self.render(one) for one in output.results], late, partly_late, reasons.total()
        )

    @staticmethod
    def render(result: Windowed) -> WindowResult:
        """Write a result as cases do."""
        value = None if result.values is None else result.values[0]
        return WindowResult(decode_key(result.key), result.start, result.end, value, result.timestamp)
