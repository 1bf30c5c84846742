"""The group of all commands, which imports a command when it is used: `streamapp --help` imports none."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Final, cast

import click
from click.shell_completion import CompletionItem

from streamapp import __version__
from streamapp.errors import StreamappError
from streamapp.misspelt import meant
from streamapp.settings import Settings

if TYPE_CHECKING:
    from streamapp.topology import App

__all__ = ["COMMANDS", "Command", "current_app", "current_settings", "streamapp"]

#: The commands, each a function in a module of its name, with what the list of them says of it.
COMMANDS: Final = {
    "demo": "Start Kafka, a worker and a producer, and show what goes through.",
    "kafka": "Run an Apache Kafka of one node on this machine.",
    "worker": "Run a worker; all options are Faust's.",
    "produce": "Produce generated traffic, or the lines of a file.",
    "topic": "Show the records of a topic, decoded: the newest, from a place on, as they come.",
    "schema": "Print the schema of the click app's results.",
    "join": "Join two topics by a field, without a line of code.",
    "window": "Count, sum, … the records of a topic by key and window, without a line of code.",
    "replay": "Run joins over files, without a broker.",
    "advise": "Measure how late records are, and what each grace would keep and cost.",
    "whatif": "Try a join with another window, grace or TTL on what is in its topics.",
    "lag": "Show how far the workers are behind.",
    "top": "Watch the whole group: lag, rates, who has what.",
    "table": "Show the tables of a running app, and their rows.",
    "explain": "Say why a record joined, or did not.",
    "redrive": "Send dead letters and late records once more, mended, and nothing twice.",
    "reset": "Start an app or a join again.",
    "rename": "Give a consumer group another name.",
    "repartition": "Move the rows of tables along after partitions were added.",
    "completion": "Print what completes these commands in a shell.",
}


class Command(click.Command):
    """A command that tells in one line, and with exit code 1, what a user can mend."""

    def invoke(self, ctx: click.Context) -> None:
        """Run it."""
        try:
            super().invoke(ctx)
        except StreamappError as exc:
            sys.stdout.flush()
            print(f"streamapp {self.name}: {exc}", file=sys.stderr)
            ctx.exit(1)


class Group(click.Group):
    """The commands, imported one at a time."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return their names, in the order in which they are needed."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import a command; one that there is not is told with those that may be meant."""
        if name in COMMANDS:
            found: click.Command = getattr(importlib.import_module(f"streamapp.cli.{name}"), name)
            return found
        if not name.startswith("-"):
            close = meant(name, COMMANDS) or COMMANDS
            ctx.fail(f"there is no command {name}, but {', '.join(close)}")
        return None

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of the commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands that begin so, and the group's options."""
        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Group, invoke_without_command=True)
@click.version_option(__version__, prog_name="streamapp")
@click.option("-A", "--app", help="Module of an app of your own. [default: the app of streamapp itself]")
@click.pass_context
def streamapp(ctx: click.Context, app: str | None) -> None:  # noqa: ARG001 - `current_app` asks for it
    """Joins of Kafka topics. Settings are environment variables, STREAMAPP_…; COMMAND --help tells more."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def current_app() -> App:
    """Return the app that a command is for, of our command line or of Faust's."""
    from faust.cli.base import find_app  # only for commands that need the app itself

    root = click.get_current_context().find_root()
    name: str = root.params["app"] or "streamapp"
    try:
        return cast("App", getattr(root, "app", None) or find_app(name))
    except ModuleNotFoundError as exc:
        if exc.name and name.startswith(exc.name):
            raise click.UsageError(f"-A {name}: there is no module {exc.name} here") from None
        raise


def current_settings() -> Settings:
    """Return the settings of the app that a command is for; Faust is not imported for those of this repository's."""
    from streamapp.pipelines.settings import AppSettings

    return current_app().settings if click.get_current_context().find_root().params["app"] else AppSettings.load()
