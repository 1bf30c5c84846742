"""What to say when Kafka does not start, or ends by itself: one line, from what Kafka wrote."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from streamapp.errors import StreamappError

__all__ = ["BrokerError", "PortInUseError", "explain"]

_BIND: Final = re.compile(r"bind to \S+?:(\d+): Address already in use")
_DISK_FULL: Final = "No space left on device"
_LITTLE: Final = 1 << 20
"""Bytes of free disk with which Kafka can do nothing, perhaps not even write its log."""

_LOGGED: Final = re.compile(r"^\d{4}-\d\d-\d\d \S+ (?P<level>[A-Z]+) (?P<text>.*?)(?: \([\w.$]+\))?$")
_THROWN: Final = re.compile(r"^(?:[\w$]+\.)+[\w$]+: (?P<text>.*)$")
_NOISE: Final = ("WARNING:", "Picked up ", "Formatting ", "Bootstrap metadata:", "\tat ")


class BrokerError(StreamappError):
    """The embedded Kafka cannot run; the text is one line that says why."""


class PortInUseError(BrokerError):
    """Something else listens on the port that Kafka was to have.

    Args:
        port: the port that is in use.
    """

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; stop what listens there, or give another port")
        self.port = port


def explain(output: str, status: int, *, log: Path, free: int) -> BrokerError:
    """Make an error of what Kafka wrote before it ended.

    Args:
        output: its log since it was started, with whatever the JVM itself wrote.
        status: the exit status, as a shell gives it: 128 + N for signal N.
        log: the file that has the output, to be named.
        free: bytes that are left on its disk.
    """
    if match := _BIND.search(output):
        return PortInUseError(int(match[1]))
    if _DISK_FULL in output or free < _LITTLE:
        return BrokerError(f"Kafka ended: the disk of {log.parent} is full")
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(_NOISE)]
    reason = _first_error(lines) or _first_word(lines) or _how(status)
    return BrokerError(f"Kafka ended: {reason}; its log: {log}")


def _first_error(lines: list[str]) -> str:
    """Give the first error in the log: the exception's text says more than the line above it."""
    for line, following in pairwise([*lines, ""]):
        logged = _LOGGED.match(line)
        if logged and logged["level"] in {"ERROR", "FATAL"}:
            thrown = _THROWN.match(following)
            return (thrown or logged)["text"].strip()
    return ""


def _first_word(lines: list[str]) -> str:
    """Give the first line from before there was a log: then the JVM itself did not start."""
    return lines[0].strip() if lines and not _LOGGED.match(lines[0]) else ""


def _how(status: int) -> str:
    return f"killed by signal {status - 128}" if status > 128 else f"exit status {status}"
