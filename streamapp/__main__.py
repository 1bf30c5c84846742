"""The command `streamapp`."""

from __future__ import annotations

import sys
from typing import NoReturn

import click

from streamapp.cli.group import streamapp

__all__ = ["main"]


def main() -> NoReturn:
    """Run a command, and end the process; a command line that cannot be is told in one line."""
    try:
        sys.exit(streamapp.main(prog_name="streamapp", standalone_mode=False))
    except click.ClickException as exc:
        ctx = getattr(exc, "ctx", None)
        print(f"{ctx.command_path if ctx else 'streamapp'}: {' '.join(exc.format_message().split())}", file=sys.stderr)
        sys.exit(exc.exit_code)
    except click.Abort:
        sys.exit(130)


if __name__ == "__main__":
    main()
