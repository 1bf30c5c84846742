"""A program on a leash ends with its owner; here the program is a small Python one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

from streamapp.embedded_kafka import leash

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
OWNER = """
import subprocess, sys, time
leashed = subprocess.Popen([sys.executable, *sys.argv[1:]], stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""

Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start processes that are ended with the test."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*command: str) -> subprocess.Popen[bytes]:
        started.append(
            subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=-1)
        )
        return started[-1]

    yield run
    for process in started:
        with process:
            process.kill()


def program_of(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def assert_ends(pid: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.01)
    pytest.fail(f"process {pid} is still there")


def test_the_program_ends_when_the_pipe_is_closed(start: Start) -> None:
    leashed = start(leash.__file__, *SLEEPER)
    program = program_of(leashed)
    assert leashed.stdin is not None
    leashed.stdin.close()
    assert leashed.wait(30) == 128 + signal.SIGTERM
    assert_ends(program)


def test_the_program_ends_when_its_owner_is_killed(start: Start) -> None:
    owner = start("-c", OWNER, leash.__file__, *SLEEPER)
    program = program_of(owner)
    owner.kill()
    assert_ends(program)


def test_the_program_ends_when_the_leash_is_told_to(start: Start) -> None:
    leashed = start(leash.__file__, *SLEEPER)
    program = program_of(leashed)
    leashed.terminate()
    assert leashed.wait(30) == 128 + signal.SIGTERM
    assert_ends(program)


def test_the_exit_status_is_the_program_s(start: Start) -> None:
    assert start(leash.__file__, sys.executable, "-c", "raise SystemExit(7)").wait(30) == 7


def test_a_signal_that_killed_the_program_is_in_the_exit_status(start: Start) -> None:
    leashed = start(leash.__file__, *SLEEPER)
    os.kill(program_of(leashed), signal.SIGKILL)
    assert leashed.wait(30) == 128 + signal.SIGKILL


def test_a_program_that_cannot_be_run_is_one_line(start: Start) -> None:
    leashed = start(leash.__file__, "/nowhere/java")
    _, said = leashed.communicate(timeout=30)
    assert said == b"cannot run /nowhere/java: No such file or directory\n"
    assert leashed.returncode == 126
