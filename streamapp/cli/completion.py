"""``streamapp completion``: what a shell needs to complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from streamapp.cli.group import Command, streamapp

__all__ = ["completion"]


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion for a shell: eval "$(streamapp completion bash)" in ~/.bashrc, zsh in ~/.zshrc.

    For fish: streamapp completion fish > ~/.config/fish/completions/streamapp.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has these three
    click.echo(kind(streamapp, {}, "streamapp", "_STREAMAPP_COMPLETE").source())
