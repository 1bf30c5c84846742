"""Ctrl-C as a question asked between two records, so that it never falls into the middle of a count."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Interrupt", "Interrupted", "listening"]


class Interrupted(Exception):
    """The user wants to stop."""


@contextmanager
def listening() -> Iterator[Interrupt]:
    """Let SIGINT and SIGTERM only leave a note, which `Interrupt.check` raises; for the main thread.

    The second one is a KeyboardInterrupt at once, for who does not want to wait for the flush.
    """
    interrupt = Interrupt()
    before = {number: signal.signal(number, interrupt.note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Interrupt:
    """The note that a signal leaves."""

    def __init__(self) -> None:
        self._requested = self._at_once = False

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

    def note(self, _number: int, _frame: FrameType | None) -> None:
        """Handle a signal."""
        if self._requested:
            raise KeyboardInterrupt
        self._requested = True
        if self._at_once:
            raise Interrupted
