"""``streamapp replay``: a join over files, without a broker."""

from __future__ import annotations

import codecs
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import click
import msgspec
from faust.cli.base import AppCommand, argument, option

from streamapp.produce.source import read_lines
from streamapp.replay.cases import read_cases
from streamapp.replay.errors import ReplayError
from streamapp.replay.files import Order, replay_files
from streamapp.replay.spec import read_spec
from streamapp.worker.app import App

__all__ = ["Replay"]

_FILE = click.Path(path_type=Path)


class Replay(AppCommand):
    """Run joins over files, without a broker.

    With CASES, a JSON file of join cases, a line of JSON is printed for each step. With --join, --left and --right, two
    files of JSON lines are joined: results and unmatched records are printed, and then the balance.
    """

    app: App

    options = [  # noqa: RUF012 - Faust declares it so
        argument("cases", required=False, type=_FILE),
        option("--join", type=_FILE, help="TOML file that describes the join (docs/joins.md says how)."),
        option(
            "--left", type=_FILE, help="JSON lines of the left side; also gzip, bzip2, xz, zstd or lz4, and UTF-16."
        ),
        option("--right", type=_FILE, help="JSON lines of the right side."),
        option(
            "--order",
            type=click.Choice([order.value for order in Order]),
            default=Order.ARRIVAL.value,
            help="arrival: lines come as they are in each file, of two the earlier one first; event-time: sorted.",
        ),
    ]

    def __init__(self, ctx: click.Context, **given: Any) -> None:
        super().__init__(ctx)
        files = [given[name] for name in ("join", "left", "right")]
        if given["cases"] is None and not all(files):
            raise self.UsageError("give CASES, or --join, --left and --right")
        if given["cases"] is not None and any(files):
            raise self.UsageError("CASES does not go with --join, --left and --right")
        self.cases: Path | None = given["cases"]
        self.files: list[Path] = files
        self.order = Order(given["order"])

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Print what the joins give; nothing of the Faust app is started.

        Raises:
            SystemExit: always; 1 if a file cannot be used.
        """
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when the reader of our output does
        try:
            for line in self._run_cases(self.cases) if self.cases else self._run_files(*self.files):
                sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
            sys.stdout.flush()
        except ReplayError as exc:
            sys.stdout.flush()
            print(f"streamapp replay: {exc}", file=sys.stderr)
            sys.exit(1)
        sys.exit(0)

    def _run_cases(self, path: Path) -> Iterator[Any]:
        for case in read_cases(_read(path), str(path)):
            yield from case.run()

    def _run_files(self, join: Path, left: Path, right: Path) -> Iterator[Any]:
        spec = read_spec(_read(join), str(join))
        sides = [(str(path), read_lines(path)) for path in (left, right)]
        yield from replay_files(spec, self.order, *sides)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as exc:
        raise ReplayError(f"{path}: {exc.strerror}") from None
