"""``streamapp demo``: see it run."""

from __future__ import annotations

import asyncio
import sys
from typing import Any, NoReturn

import click
import msgspec
from faust.cli.base import AppCommand, option

from streamapp.app import settings
from streamapp.errors import StreamappError
from streamapp.pipelines.clicks.demo import Report, run_demo, stop_on_signals
from streamapp.worker.app import App

__all__ = ["Demo"]


class Demo(AppCommand):
    """Start Kafka, a worker and a producer, and show what goes through.

    With --clicks it ends by itself, with a last line of JSON; otherwise at Ctrl-C. A STREAMAPP_BROKER that is set is
    used instead of a Kafka of its own.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        option("--clicks", type=click.IntRange(min=1), help="Clicks to be produced; then it ends.")
    ]

    def __init__(self, ctx: click.Context, *, clicks: int | None) -> None:
        super().__init__(ctx)
        self.clicks = clicks

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Run the demo; nothing of the Faust app is started in this process.

        Raises:
            SystemExit: always; 1 if it could not be run to its end.
        """
        try:
            report = asyncio.run(self._run())
        except StreamappError as exc:
            print(f"streamapp demo: {exc}", file=sys.stderr)
            sys.exit(1)
        except asyncio.CancelledError:
            sys.exit(0)
        print(msgspec.json.encode(report).decode())
        sys.exit(0)

    async def _run(self) -> Report:
        task = asyncio.create_task(run_demo(settings, self.clicks))
        stop_on_signals(task)
        return await task
