"""``streamapp rename``: the state and the offsets of a group under another name."""

from __future__ import annotations

import click

from streamapp.cli.group import Command, current_app
from streamapp.reset.rename import Renaming

__all__ = ["rename"]


@click.command(cls=Command)
@click.argument("old")
@click.argument("new")
@click.option("--execute", is_flag=True, help="Do it.")
def rename(old: str, new: str, execute: bool) -> None:
    """Give the group OLD the name NEW: that of an app is its STREAMAPP_ID, of a join by command that and -TOPIC.

    Shows what would be copied, which is the committed offsets and the changelogs; --execute does it. No worker of
    either may run. What OLD has stays.
    """
    renaming = Renaming(current_app(), old, new)
    click.echo("\n".join(renaming.lines()))
    renaming.check_empty()
    if execute:
        renaming.execute()
    click.echo("done" if execute else "nothing is changed yet: --execute does it")
