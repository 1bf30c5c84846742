"""A program of examples/clients, in a process of its own: a loop on a client, or a worker of an app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from topics import Topics
from worker import Worker, wait_until

__all__ = ["CLIENTS", "LOOPS", "PATTERNS", "ROOT", "Loop", "ended", "start"]

ROOT = Path(__file__).parents[2]
#: Clients on which one writes the loop by hand.
LOOPS = "confluent_kafka", "aiokafka"
CLIENTS = *LOOPS, "faust"
PATTERNS = "produce", "commit", "seek_back", "pause_resume", "transactions", "graceful_stop"


class Loop:
    """Runs a program; to be used in a `with`, at whose end the process is gone.

    Args:
        command: the program, below the top of this repository, and its arguments.
        log: where what it prints goes.
        environment: what it is told.
    """

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
                cwd=log.parent,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()
        print(f"{self._log}:\n{self.log[-4000:]}")  # pytest shows it if the test failed

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.wait()


def start(client: str, pattern: str, topics: Topics, directory: Path, **settings: Any) -> Loop | Worker:
    """Start a program on topics.

    Args:
        client: the folder of examples/clients.
        pattern: the file there.
        topics: of which it reads `numbers`, as the group that they are named for.
        directory: where its log goes.
        settings: as the environment has them, in small letters.
    """
    environment = {name.upper(): str(value) for name, value in settings.items()}
    if client != "faust":
        names = {"TOPIC": f"{topics.prefix}numbers", "OUTPUT": f"{topics.prefix}doubled", "GROUP": topics.id}
        program = ROOT / "examples" / "clients" / client / f"{pattern}.py"
        return Loop([str(program)], directory / "log", {"BROKER": topics.bootstrap, **names, **environment})
    app = f"examples.clients.faust.{pattern}"
    if pattern == "produce":
        own = {f"STREAMAPP_{name.upper()}": str(value) for name, value in topics.settings.items()}
        return Loop(["-m", "faust", "-A", app, "produce"], directory / "log", {**own, **environment})
    return Worker(directory, app=app, environment={"PYTHONPATH": str(ROOT), **environment}, **topics.settings)


def ended(program: Loop | Worker) -> int:
    """Wait until a program has ended, and return its exit code."""
    wait_until(lambda: program.exit_code is not None, "it ends")
    assert program.exit_code is not None
    return program.exit_code
