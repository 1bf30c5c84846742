"""``streamapp demo``: see it run."""

from __future__ import annotations

import asyncio
import dataclasses
import signal
from collections.abc import Sequence

import click

from streamapp.cli.group import Command
from streamapp.pipelines.demo import ALL, Report, run_demo, sum_of
from streamapp.pipelines.settings import PIPELINES, AppSettings

__all__ = ["demo"]


@click.command(cls=Command)
@click.option(
    "--pipeline", type=click.Choice([*PIPELINES, ALL]), help="What is shown. [default: by STREAMAPP_PIPELINES]"
)
@click.option("--records", "--clicks", type=click.IntRange(min=1), help="Records of each to be produced; then it ends.")
def demo(pipeline: str | None, records: int | None) -> None:
    """Start Kafka, a worker and a producer, and show what goes through.

    With --records it ends by itself, with a line of JSON a pipeline, and one of their sums if there are several;
    otherwise at Ctrl-C. A STREAMAPP_BROKER that is set is used instead of a Kafka of its own.
    """
    settings = AppSettings.load()
    if pipeline is not None:
        settings = dataclasses.replace(settings, pipelines=tuple(PIPELINES) if pipeline == ALL else (pipeline,))
    try:
        reports = asyncio.run(_until_stopped(settings, records))
    except asyncio.CancelledError:
        return
    for report in [*reports, sum_of(reports)] if len(reports) > 1 else reports:
        click.echo(report.line)


async def _until_stopped(settings: AppSettings, records: int | None) -> Sequence[Report]:
    task = asyncio.ensure_future(run_demo(settings, records))
    for number in (signal.SIGINT, signal.SIGTERM):  # so that all that it has started is stopped in order
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task
