"""A program that ends with us, however we end: the owner's side of `streamapp.embedded_kafka.leash`."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping, Sequence
from typing import BinaryIO, Self

from streamapp.embedded_kafka import leash

__all__ = ["Program"]


class Program:
    """A running program; made by `start`."""

    def __init__(self, process: Process, pid: int, hold: int) -> None:
        self.pid = pid
        self._process = process
        self._hold: int | None = hold

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        output: BinaryIO,
        inherit: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Self:
        """Start a program in a session of its own, so that a terminal's Ctrl-C is ours alone.

        A program that cannot be run shows by ending at once, with the reason in its output.

        Args:
            command: the program and its arguments.
            output: file that takes its stdout and stderr.
            inherit: file descriptors that it keeps open.
            environment: its variables; default: ours.
        """
        leashed = [sys.executable, "-I", "-S", leash.__file__, *command]
        theirs, ours = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *leashed,
                stdin=theirs,
                stdout=PIPE,
                stderr=output,
                pass_fds=inherit,
                env=environment,
                start_new_session=True,
            )
            assert process.stdout is not None  # noqa: S101 - it is a pipe, as asked for above
            pid = int(await process.stdout.readline() or b"0")
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        return cls(process, pid, ours)

    @property
    def status(self) -> int | None:
        """The exit status, as `wait` returns it; None while it runs."""
        return self._process.returncode

    @property
    def was_told_to_end(self) -> bool:
        """Whether `end` was called: otherwise an end is the program's own doing."""
        return self._hold is None

    def end(self) -> None:
        """Tell it to end; `wait` says when it has."""
        if self._hold is not None:
            os.close(self._hold)
            self._hold = None

    async def wait(self) -> int:
        """Wait for its end, and return the exit status as a shell would (128 + N for signal N)."""
        return await self._process.wait()
