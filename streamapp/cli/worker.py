"""``streamapp worker``: Faust's own command, for the same app."""

from __future__ import annotations

import click

from streamapp.cli.group import Command

__all__ = ["worker"]


@click.command(cls=Command, add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
def worker(options: tuple[str, ...]) -> None:
    """Run a worker, as `faust -A streamapp worker` does."""
    from faust.cli.faust import cli

    name = click.get_current_context().find_root().params["app"] or "streamapp"
    cli.main(["-A", name, "worker", *options], prog_name="streamapp")
