"""Programs that are forked from a process that has their modules already.

Imports are four fifths of a worker's start: without this they would be a third of all CPU that the tests take. Run as a
program, this file is the process that is forked. The demo's tests start ``faust worker`` and ``streamapp`` as users do.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

__all__ = ["Program"]

#: What is in memory before the fork; nothing of it reads the environment.
MODULES = ("faust.cli.faust", "streamapp.application", "streamapp.cli.group")
REQUEST_BYTES = 1 << 20
STATUS_BYTES = 4
POLL_S = 0.005


class Program:
    """A module that runs as ``python -m MODULE ARGUMENTS`` does; as much of `subprocess.Popen` as tests use.

    Args:
        module: its name.
        arguments: after it.
        environment: all of it.
        directory: the current one.
        output: where stdout and stderr go.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        *,
        environment: Mapping[str, str],
        directory: Path,
        output: BinaryIO,
    ) -> None:
        self.returncode: int | None = None
        self._status, status = socket.socketpair()
        request = {"module": module, "arguments": arguments, "environment": environment, "directory": f"{directory}"}
        with status:
            fds = [output.fileno(), status.fileno()]
            socket.send_fds(_server(), [json.dumps(request, default=list).encode()], fds)
        self.pid = _number(self._status)

    def poll(self) -> int | None:
        """Return its exit status, negative for a signal; None while it runs."""
        with selectors.DefaultSelector() as selector:
            if self.returncode is None:
                selector.register(self._status, selectors.EVENT_READ)
                if selector.select(0):
                    self.returncode = _number(self._status)
                    self._status.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit status once it has ended.

        Raises:
            subprocess.TimeoutExpired: if it has not within `timeout` seconds.
        """
        end = time.monotonic() + (timeout or float("inf"))
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired(f"{self.pid}", timeout or 0.0)
            time.sleep(POLL_S)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


@functools.cache
def _server() -> socket.socket:
    """Return the connection to the server of this process, which ends with it."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    process = subprocess.Popen(
        [sys.executable, __file__, f"{its.fileno()}"],
        pass_fds=[its.fileno()],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # a program's stdout is no terminal
    )
    its.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _number(connection: socket.socket) -> int:
    received = connection.recv(STATUS_BYTES, socket.MSG_WAITALL)
    assert len(received) == STATUS_BYTES, "the fork server has ended"
    return int.from_bytes(received, "big", signed=True)


def _tell(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # nobody wants to know any more
        connection.sendall(number.to_bytes(STATUS_BYTES, "big", signed=True))


class Request(NamedTuple):
    """What to run, in the process that was forked for it."""

    module: str
    arguments: list[str]
    environment: dict[str, str]
    directory: str
    output: int

    def run(self) -> None:
        null = os.open(os.devnull, os.O_RDONLY)
        for number, source in enumerate((null, self.output, self.output)):
            os.dup2(source, number)
        os.close(null)
        os.close(self.output)
        os.chdir(self.directory)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[:0] = [self.directory, *filter(None, self.environment.get("PYTHONPATH", "").split(os.pathsep))]
        sys.argv = [self.module, *self.arguments]
        signal.signal(signal.SIGINT, signal.default_int_handler)
        runpy.run_module(f"{self.module}.__main__", run_name="__main__", alter_sys=True)


def _serve(requests: socket.socket) -> Request | None:
    """Fork for each request until nobody can ask any more; what was forked returns with its request."""
    running: dict[int, tuple[int, socket.socket]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not requests:
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    pid, status = running.pop(key.fd)
                    _tell(status, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
                    status.close()
                    continue
                message, fds, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 2)
                if not message:
                    return None
                output, status = fds[0], socket.socket(fileno=fds[1])
                pid = os.fork()
                if not pid:
                    for watched, (_, other) in running.items():
                        os.close(watched)
                        other.close()
                    status.close()
                    requests.close()
                    return Request(**json.loads(message), output=output)
                os.close(output)
                _tell(status, pid)
                watched = os.pidfd_open(pid)
                running[watched] = pid, status
                selector.register(watched, selectors.EVENT_READ)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the tests, and for what they have started
    here = str(Path(__file__).parent)
    sys.path[:] = [path for path in sys.path if path != here]  # who runs a module by -m has its own directory there
    for module in MODULES:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()
    if request := _serve(socket.socket(fileno=int(sys.argv[1]))):
        request.run()


if __name__ == "__main__":
    main()
