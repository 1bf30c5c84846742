"""A worker in a process of its own, as a user starts it."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from fork_server import Program
from ports import free_port

__all__ = ["Response", "Worker", "wait_until"]

#: Seconds a test waits for anything: far more than it takes, since a busy machine must not fail a test.
DEADLINE = 90.0
NO_VARIABLES: Mapping[str, str] = MappingProxyType({})


def wait_until(condition: Callable[..., Any], what: str, deadline: float = DEADLINE) -> Any:
    """Wait until a condition gives something true, and give that.

    Raises:
        AssertionError: naming `what`, if it does not come about within `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while not (result := condition()):
        assert time.monotonic() < end, f"waited {deadline:g} s in vain: {what}"
        time.sleep(0.05)
    return result


@dataclasses.dataclass(frozen=True)
class Response:
    """What a worker answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Worker:
    """Starts ``faust -A streamapp worker``; to be used in a `with`, at whose end the process is gone.

    Args:
        directory: where its log and its data go; the same directory again is a restart.
        app: where Faust finds it.
        command: of ``streamapp``, to be run instead.
        log_level: of its log.
        forked: whether it is forked from a process that has its modules already.
        environment: further variables; a ``PYTHONPATH`` adds to ours.
        settings: as the environment has them, without the prefix and in small letters.
    """

    def __init__(
        self,
        directory: Path,
        *,
        app: str = "streamapp",
        command: Sequence[str] = (),
        log_level: str = "info",
        forked: bool = True,
        environment: Mapping[str, str] = NO_VARIABLES,
        **settings: Any,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.port: int = settings.pop("web_port", None) or free_port()
        self._host = "::1" if ":" in settings.get("web_bind", "") else "127.0.0.1"
        self.url = f"http://[::1]:{self.port}" if self._host == "::1" else f"http://127.0.0.1:{self.port}"
        self.app_id: str = settings.get("id", "streamapp")
        self._log = directory / "worker.log"
        settings = {"datadir": directory / "data", "web_port": self.port, **settings}
        variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
        variables |= {f"STREAMAPP_{name.upper()}": str(value) for name, value in settings.items()} | dict(environment)
        # For apps that are made for a test.
        variables["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), environment.get("PYTHONPATH", "")])
        self._process: Program | subprocess.Popen[bytes]
        module = "streamapp" if command else "faust"
        arguments = command or ["-A", app, "worker", "-l", log_level]
        with self._log.open("ab") as log:
            if forked:
                self._process = Program(module, arguments, environment=variables, directory=directory, output=log)
            else:
                line = [sys.executable, "-m", module, *arguments]
                self._process = subprocess.Popen(
                    line, env=variables, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log
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

    def get(self, path: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:
        """Ask for a path such as ``/health``.

        Raises:
            OSError: if nobody listens.
            http.client.HTTPException: if the worker ends before it has answered.
        """
        connection = http.client.HTTPConnection(self._host, self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.headers), answer.read())

    def post(self, path: str) -> Response:
        """Send nothing to a path such as ``/health/acknowledge``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30.0)
        with contextlib.closing(connection):
            connection.request("POST", path)
            answer = connection.getresponse()
            return Response(answer.status, dict(answer.headers), answer.read())

    def problems(self) -> list[str]:
        """Give what is wrong with it, as ``/health`` tells."""
        return list(self.get("/health").json()["problems"])

    def lost(self, topic: str) -> int:
        """Give how many records of a topic it has counted as lost."""
        counter = re.escape(f'streamapp_records_lost_total{{topic="{topic}"}}')
        found = re.search(rf"^{counter} (\S+)$", self.get("/metrics").body.decode(), re.MULTILINE)
        return int(float(found[1])) if found else 0

    def wait_running(self) -> Self:
        """Wait until its partitions are recovered, whether or not something is wrong with it."""

        def runs() -> bool:
            assert self.exit_code is None, f"the worker ended with {self.exit_code}"
            answer = self.answers("/health") or self.answers("/health", 503)
            return answer is not None and answer.json()["state"] == "ready"

        wait_until(runs, f"{self.url} runs")
        return self

    def answers(self, path: str, status: int = 200) -> Response | None:
        """Give the response to a path if it has this status."""
        try:
            response = self.get(path)
        except (OSError, http.client.HTTPException):
            return None
        return response if response.status == status else None

    def wait_ready(self, deadline: float = DEADLINE) -> Self:
        """Wait until its partitions are assigned and recovered."""

        def ready() -> bool:
            assert self.exit_code is None, f"the worker ended with {self.exit_code}"
            return self.answers("/health/ready") is not None

        try:
            wait_until(ready, f"{self.url} is ready", deadline)
        except AssertionError as error:
            error.add_note(f"{self._log}:\n{self.log[-4000:]}")
            raise
        return self

    def assigned(self) -> dict[str, list[int]]:
        """Give the partitions that it owns, by topic."""
        return dict(self.get("/health").json()["assigned"])

    def terminate(self, deadline: float = DEADLINE) -> int:
        """Ask it to stop (SIGTERM), wait until it has, and give its exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(deadline)

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._process.kill()
        self._process.wait()
