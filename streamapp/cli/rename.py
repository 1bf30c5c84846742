"""``streamapp rename``: the state and the offsets of a group under another name."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

import click
from faust.cli.base import AppCommand, argument, option

from streamapp.errors import StreamappError
from streamapp.reset.rename import Renaming

if TYPE_CHECKING:
    from streamapp.topology.app import App

__all__ = ["Rename"]


class Rename(AppCommand):
    """Give the group OLD the name NEW: that of an app is its STREAMAPP_ID, of a join by command that and -TOPIC.

    Shows what would be copied, which is the committed offsets and the changelogs; --execute does it. No worker of
    either may run. What OLD has stays.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        argument("old"),
        argument("new"),
        option("--execute", is_flag=True, help="Do it."),
    ]

    def __init__(self, ctx: click.Context, *, old: str, new: str, execute: bool) -> None:
        super().__init__(ctx)
        self.old, self.new, self.done = old, new, execute

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Show it, and do it if that is asked for; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if it cannot be done.
        """
        try:
            renaming = Renaming(self.app, self.old, self.new)
            print("\n".join(renaming.lines()))
            renaming.check_empty()
            if self.done:
                renaming.execute()
        except StreamappError as exc:
            print(f"streamapp rename: {exc}", file=sys.stderr)
            sys.exit(1)
        print("done" if self.done else "nothing is changed yet: --execute does it")
        sys.exit(0)
