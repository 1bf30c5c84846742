"""``streamapp kafka``: an Apache Kafka for a machine without one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Any, Final, NoReturn

import click
from faust.cli.base import AppCommand, option

from streamapp.embedded_kafka import VERSION, EmbeddedKafka
from streamapp.errors import StreamappError
from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX
from streamapp.worker.app import App

__all__ = ["Kafka", "local_port", "run_kafka"]

_PORT: Final = 9092


class Kafka(AppCommand):
    """Run an Apache Kafka of one node until Ctrl-C; the first time, it is downloaded (50 MB).

    Its topics are in --directory, and still there the next time.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option(
            "--directory",
            type=click.Path(file_okay=False, path_type=Path),
            help="Where its data is. [default: kafka in STREAMAPP_DATADIR]",
        ),
        option(
            "--port",
            type=click.IntRange(1, 65535),
            help="Port of 127.0.0.1. [default: that of STREAMAPP_BROKER if it is on this machine, else 9092]",
        ),
    ]

    def __init__(self, ctx: click.Context, *, directory: Path | None, port: int | None) -> None:
        super().__init__(ctx)
        self.directory = directory or self.app.settings.datadir / "kafka"
        self.port = port or local_port(self.app.settings.broker)

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Run Kafka without a worker: nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if Kafka could not run, or ended by itself.
        """
        try:
            asyncio.run(run_kafka(self.directory, self.port))
        except StreamappError as exc:
            told = str(exc)
            if isinstance(exc.__cause__, OSError):
                told = f"cannot use {self.directory} (--directory, or {PREFIX}DATADIR): {told}"
            print(f"streamapp kafka: {told}", file=sys.stderr)
            sys.exit(1)
        sys.exit(0)


async def run_kafka(directory: Path, port: int) -> None:
    """Run Kafka until SIGINT or SIGTERM; says on stdout when it is ready.

    Raises:
        BrokerError: if it cannot run, or ends by itself.
    """
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is in a task
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with EmbeddedKafka(directory, port=port) as kafka:
            ready = f"kafka {VERSION} ready at {kafka.bootstrap}, data in {directory}, pid {kafka.pid}"
            print(ready, flush=True)
            await kafka.wait()


def local_port(broker: str) -> int:
    """Give the port of the first bootstrap server if it is this machine's, else Kafka's usual one."""
    host, _, port = broker.split(",")[0].rpartition(":")
    return int(port) if is_loopback(host) else _PORT
