"""``streamapp top``: the whole group in a terminal, refreshed."""

from __future__ import annotations

import asyncio
import sys
from typing import Final

import aiohttp
import click

from streamapp.cli.group import Command, current_settings
from streamapp.cli.group_report import Order, Report, fetch, told
from streamapp.extras import Extra, require

__all__ = ["top"]

#: The port of a worker's views that is told no other (Faust's default).
WEB_PORT: Final = 6066


@click.command(cls=Command)
@click.option("--url", help="Of any worker's views. [default: http://127.0.0.1:STREAMAPP_WEB_PORT, or :6066]")
@click.option("--sort", type=click.Choice(list(Order)), default=Order.LAG, show_default=True, help="Which goes first.")
@click.option("--filter", "wanted", default="", help="Only partitions with this in their topic or owner.")
@click.option("--interval", type=click.FloatRange(min=0.5), default=2.0, show_default=True, help="Seconds.")
@click.option("--once", is_flag=True, help="Print it once, as plain text; so it is, too, if the output is no terminal.")
def top(url: str | None, sort: Order, wanted: str, interval: float, once: bool) -> None:
    """Watch the whole group, as any of its workers knows it: lag, its age and its last 15 minutes, rates, who has what.

    Keys: l, a, t, o sort by lag, age, topic, owner; / filters; q ends it. Needs pip install 'streamapp[top]', but for
    --once. For scripts there is `streamapp lag --json`, which asks no worker, and a worker's /api/group.
    """
    settings = current_settings()
    url = url or f"http://127.0.0.1:{settings.web_port or WEB_PORT}"

    async def ask() -> Report:
        async with aiohttp.ClientSession() as session:
            return await fetch(session, url, settings.web_token)

    if once or not sys.stdout.isatty():
        click.echo(told(asyncio.run(ask()), Order(sort), wanted))
        return
    require(Extra.TOP)
    from streamapp.cli.top_screen import Screen

    Screen(ask, interval=interval, order=Order(sort), wanted=wanted).run()
