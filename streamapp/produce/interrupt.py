"""Ctrl-C as a question asked between two records, so that it never falls into the middle of a count."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, Self

__all__ = ["Interrupt", "Interrupted"]

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupted(Exception):
    """The user wants to stop."""


class Interrupt:
    """While it is entered (in the main thread), SIGINT and SIGTERM only leave a note, which `check` raises.

    The second one is a KeyboardInterrupt at once, for who does not want to wait for the flush.
    """

    def __init__(self) -> None:
        self._requested = False
        self._at_once = False
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        self._previous = {number: signal.signal(number, self._handle) for number in SIGNALS}
        return self

    def __exit__(self, *exc_info: object) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def check(self) -> None:
        """Raise `Interrupted` if a signal has come."""
        if self._requested:
            raise Interrupted

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal raise `Interrupted` at once, out of a call that blocks."""
        self._at_once = True
        try:
            self.check()
            yield
        finally:
            self._at_once = False

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        if self._at_once:
            raise Interrupted
