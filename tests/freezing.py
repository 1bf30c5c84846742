"""Freezes a process as a whole: SIGSTOP alone returns before the last of its threads has stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path

__all__ = ["freeze"]

#: Seconds within which the threads of a process stop.
DEADLINE_S = 30.0


def freeze(pid: int) -> None:
    """Stop a process (SIGSTOP), and wait until none of its threads runs any more."""
    os.kill(pid, signal.SIGSTOP)
    end = time.monotonic() + DEADLINE_S
    while not all(state == "T" for state in _states(pid)):
        assert time.monotonic() < end, f"process {pid} still runs"
        time.sleep(0.001)


def _states(pid: int) -> list[str]:
    states: list[str] = []
    tasks = Path(f"/proc/{pid}/task")
    for task in tasks.iterdir() if tasks.exists() else ():  # only Linux tells
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            states.append((task / "stat").read_text().rpartition(")")[2].split()[0])
    return states
