"""``streamapp demo``: see it run."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Sequence
from typing import Final

import click
import msgspec

from streamapp.cli.group import Command
from streamapp.pipelines.demo import Report, run_demo
from streamapp.pipelines.settings import PIPELINES, AppSettings

__all__ = ["demo"]

ALL: Final = "all"


@click.command(cls=Command)
@click.option(
    "--pipeline", type=click.Choice([*PIPELINES, ALL]), help="What is shown. [default: by STREAMAPP_PIPELINES]"
)
@click.option("--records", "--clicks", type=click.IntRange(min=1), help="Records of each to be produced; then it ends.")
def demo(pipeline: str | None, records: int | None) -> None:
    """Start Kafka, a worker and a producer, and show what goes through.

    With --records it ends by itself, with a last line of JSON a pipeline; otherwise at Ctrl-C. A STREAMAPP_BROKER
    that is set is used instead of a Kafka of its own.
    """
    settings = AppSettings.load()
    if pipeline is not None:
        settings = dataclasses.replace(settings, pipelines=tuple(PIPELINES) if pipeline == ALL else (pipeline,))
    try:
        reports = asyncio.run(_until_stopped(settings, records))
    except asyncio.CancelledError:
        return
    for report in reports:
        click.echo(msgspec.json.encode(report))


async def _until_stopped(settings: AppSettings, records: int | None) -> Sequence[Report]:
    task = asyncio.ensure_future(run_demo(settings, records))
    for number in (signal.SIGINT, signal.SIGTERM):  # so that all that it has started is stopped in order
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task
