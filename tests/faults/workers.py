"""The workers of one app: a consumer group whose members are killed, frozen, stopped and started again."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ports import free_port
from worker import Worker, wait_until

__all__ = ["Workers"]

HERE = Path(__file__).parent
#: Seconds after which a silent worker's partitions go to others: the least that Kafka allows.
SESSION = 6


class Workers:
    """Workers by name; each keeps its directory and its port, and so is the same member after a restart.

    Args:
        app: where Faust finds it.
        directory: of their data and logs.
        settings: of all of them.
        environment: variables of their processes.
    """

    def __init__(self, app: str, directory: Path, settings: Mapping[str, Any], environment: Mapping[str, str]) -> None:
        self.app, self.directory = app, directory
        self._settings = {**settings, "session_timeout": SESSION}
        self._environment = {"PYTHONPATH": str(HERE), **environment}
        self._ports: dict[str, int] = {}
        self._running: dict[str, Worker] = {}
        #: Whether a fault is a problem at ``/health`` that outlasts it: rows that were lost, records that are rejected.
        self.troubled = False
        #: Exit codes of workers that ended by themselves, or badly when they were stopped. (-15 is none: a worker that
        #: has just been started knows no better way to end.)
        self.crashes: list[int] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        for worker in self._running.values():
            with contextlib.suppress(ProcessLookupError):
                worker.kill()

    @property
    def names(self) -> list[str]:
        """Those that run, or should."""
        return sorted(self._running)

    def start(self, name: str) -> None:
        self._running[name] = Worker(
            self.directory / name,
            app=self.app,
            web_port=self._ports.setdefault(name, free_port()),
            environment=self._environment,
            **self._settings,
        )

    def kill(self, name: str) -> None:
        """End it at once (SIGKILL)."""
        self._running.pop(name).kill()

    def stop(self, name: str) -> None:
        """Ask it to end (SIGTERM), and wait until it has."""
        worker = self._running.pop(name)
        try:
            code = worker.terminate()
        except subprocess.TimeoutExpired:
            worker.kill()
            code = -signal.SIGKILL
        if code not in {0, -signal.SIGTERM}:
            self.crashes.append(code)

    def freeze(self, name: str) -> None:
        os.kill(self._running[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.kill(self._running[name].pid, signal.SIGCONT)

    def wait_ready(self) -> None:
        """Wait until each has its partitions, and has them recovered."""
        for worker in self._running.values():
            if self.troubled:
                worker.wait_running()
            else:
                worker.wait_ready()

    def owner(self, topic: str, partition: int) -> str:
        """Give the worker that owns a partition."""

        def find() -> str | None:
            owners = (name for name, worker in self._running.items() if partition in worker.assigned().get(topic, ()))
            return next(owners, None)

        return wait_until(find, f"somebody owns {topic}[{partition}]")

    def restart_ended(self) -> None:
        """Start again those that have ended by themselves, as a supervisor of processes does."""
        for name, worker in list(self._running.items()):
            if worker.exit_code is not None:
                self.crashes.append(worker.exit_code)
                self.start(name)

    def stop_all(self) -> None:
        for name in self.names:
            self.stop(name)

    def forget_tables(self) -> None:
        """Delete what the workers, none of which runs, have on disk."""
        for name in self._ports:
            shutil.rmtree(self.directory / name / "data", ignore_errors=True)
