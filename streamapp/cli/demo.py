"""``streamapp demo``: see it run."""

from __future__ import annotations

import asyncio
import signal

import click
import msgspec

from streamapp.cli.group import Command
from streamapp.pipelines.clicks.demo import Report, run_demo
from streamapp.pipelines.settings import AppSettings

__all__ = ["demo"]


@click.command(cls=Command)
@click.option("--clicks", type=click.IntRange(min=1), help="Clicks to be produced; then it ends.")
def demo(clicks: int | None) -> None:
    """Start Kafka, a worker and a producer, and show what goes through.

    With --clicks it ends by itself, with a last line of JSON; otherwise at Ctrl-C. A STREAMAPP_BROKER that is set is
    used instead of a Kafka of its own.
    """
    try:
        report = asyncio.run(_until_stopped(clicks))
    except asyncio.CancelledError:
        return
    click.echo(msgspec.json.encode(report))


async def _until_stopped(clicks: int | None) -> Report:
    task = asyncio.ensure_future(run_demo(AppSettings.load(), clicks))
    for number in (signal.SIGINT, signal.SIGTERM):  # so that all that it has started is stopped in order
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task
