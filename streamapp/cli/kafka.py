"""``streamapp kafka``: an Apache Kafka for a machine without one."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path
from typing import Final

import click

from streamapp.cli.group import Command, current_settings
from streamapp.embedded_kafka import VERSION, EmbeddedKafka
from streamapp.errors import StreamappError
from streamapp.loopback import is_loopback
from streamapp.settings import PREFIX

__all__ = ["kafka", "local_port"]

#: Kafka's usual one.
PORT: Final = 9092


@click.command(cls=Command)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where its data is. [default: kafka in STREAMAPP_DATADIR]",
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Port of 127.0.0.1. [default: that of STREAMAPP_BROKER if it is on this machine, else 9092]",
)
def kafka(directory: Path | None, port: int | None) -> None:
    """Run an Apache Kafka of one node until Ctrl-C; the first time, it is downloaded (50 MB).

    Its topics are in --directory, and still there the next time.
    """
    settings = current_settings()
    directory = directory or settings.datadir / "kafka"
    try:
        asyncio.run(_run(directory, port or local_port(settings.broker)))
    except StreamappError as exc:
        if not isinstance(exc.__cause__, OSError):
            raise
        raise StreamappError(f"cannot use {directory} (--directory, or {PREFIX}DATADIR): {exc}") from None


async def _run(directory: Path, port: int) -> None:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine that runs is in a task
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        async with EmbeddedKafka(directory, port=port) as broker:
            click.echo(f"kafka {VERSION} ready at {broker.bootstrap}, data in {directory}, pid {broker.pid}")
            await broker.wait()


def local_port(broker: str) -> int:
    """Return the port of the first bootstrap server if it is this machine's, else Kafka's usual one."""
    host, _, port = broker.split(",")[0].rpartition(":")
    return int(port) if is_loopback(host) else PORT
