"""What to say when Kafka does not start, or ends by itself: one line, from what Kafka wrote."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Final

from streamapp.errors import StreamappError

__all__ = ["BrokerError", "PortInUseError", "explain"]

BIND: Final = re.compile(r"bind to \S+?:(\d+): Address already in use")
#: Bytes of free disk with which Kafka can do nothing, perhaps not even write its log.
LITTLE_DISK_BYTES: Final = 1 << 20

LOGGED: Final = re.compile(r"^\d{4}-\d\d-\d\d \S+ (?P<level>[A-Z]+) (?P<text>.*?)(?: \([\w.$]+\))?$")
THROWN: Final = re.compile(r"^(?:[\w$]+\.)+[\w$]+: (?P<text>.*)$")
NOISE: Final = ("WARNING:", "Picked up ", "NOTE: Picked up ", "Formatting ", "Bootstrap metadata:", "\tat ")
#: What the JVM itself logs, such as that a file of its options is of another JVM, and goes on.
JVM_WARNED: Final = re.compile(r"^\[[\d.]+m?s\]\[(?:warning|info)\s*\]")


class BrokerError(StreamappError):
    """The embedded Kafka cannot run; the text is one line that says why."""


class PortInUseError(BrokerError):
    """Something else listens on the port that Kafka was to have."""

    def __init__(self, port: int) -> None:
        super().__init__(f"port {port} is in use; stop what listens there, or give another port")
        self.port = port


def explain(output: str, status: int, *, log: Path, free: int) -> BrokerError:
    """Return an error that says why Kafka ended.

    Args:
        output: its log since it was started, with whatever the JVM itself wrote.
        status: the exit status, as a shell gives it: 128 + N for signal N.
        log: the file that has the output, to be named.
        free: bytes that are left on its disk.
    """
    if match := BIND.search(output):
        return PortInUseError(int(match[1]))
    if "No space left on device" in output or free < LITTLE_DISK_BYTES:
        return BrokerError(f"Kafka ended: the disk of {log.parent} is full")
    lines = [line for line in output.splitlines() if line.strip() and not _is_noise(line)]
    how = f"killed by signal {status - 128}" if status > 128 else f"exit status {status}"
    # What stands before there is a log is the JVM's own: it did not start.
    jvm = lines[0].strip() if lines and not LOGGED.match(lines[0]) else ""
    return BrokerError(f"Kafka ended: {_first_error(lines) or jvm or how}; its log: {log}")


def _is_noise(line: str) -> bool:
    return line.startswith(NOISE) or JVM_WARNED.match(line) is not None


def _first_error(lines: list[str]) -> str:
    """Return the first error in the log: the exception's text says more than the line above it."""
    for line, following in pairwise([*lines, ""]):
        logged = LOGGED.match(line)
        if logged and logged["level"] in {"ERROR", "FATAL"}:
            return (THROWN.match(following) or logged)["text"].strip()
    return ""
