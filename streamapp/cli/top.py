"""``streamapp top``: the whole group in a terminal, refreshed."""

from __future__ import annotations

import asyncio
import sys
from functools import partial

import click

from streamapp.cli.asking import worker_url
from streamapp.cli.group import Command, current_settings
from streamapp.cli.group_report import Order, fetch, told
from streamapp.extras import Extra, require

__all__ = ["top"]


@click.command(cls=Command)
@click.option("--worker", "--url", help="URL of any worker. [default: by STREAMAPP_WEB_HOST and STREAMAPP_WEB_PORT]")
@click.option("--sort", type=click.Choice(list(Order)), default=Order.LAG, show_default=True, help="Which goes first.")
@click.option("--filter", "wanted", default="", help="Only partitions with this in their topic or owner.")
@click.option("--interval", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print it once, as plain text; so it is, too, if the output is no terminal.")
def top(worker: str | None, sort: Order, wanted: str, interval: float, once: bool) -> None:
    """Watch the whole group, as any of its workers knows it: lag, its age and its last 15 minutes, rates, who has what.

    Keys: l, a, t, o sort by lag, age, topic, owner; / filters; q ends it. Needs pip install 'streamapp[top]', but for
    --once. For scripts there is `streamapp lag --json`, which asks no worker, and a worker's /api/group.
    """
    settings = current_settings()
    ask = partial(fetch, settings, worker_url(settings, worker))

    if once or not sys.stdout.isatty():
        click.echo(told(asyncio.run(ask()), Order(sort), wanted))
        return
    require(Extra.TOP)
    from streamapp.cli.top_screen import Screen

    Screen(ask, interval=interval, order=Order(sort), wanted=wanted).run()
