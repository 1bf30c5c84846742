"""``streamapp replay``: joins, windows and features over files, without a broker."""

from __future__ import annotations

import codecs
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from streamapp.cli.formats import by_itself, registry_of
from streamapp.cli.group import Command, current_settings
from streamapp.pipelines.settings import PIPELINES, AppSettings
from streamapp.produce.containers import PROTOBUF, read_records
from streamapp.replay.case_files import read_cases
from streamapp.replay.errors import ReplayError
from streamapp.replay.files import Order, replay_files
from streamapp.replay.spec import read_spec
from streamapp.replay.window_file import replay_windows
from streamapp.replay.window_spec import read_window_spec

__all__ = ["replay"]

FILE = click.Path(path_type=Path)
OFFLINE = {name: pipeline.offline for name, pipeline in PIPELINES.items() if pipeline.offline}


@click.command(cls=Command)
@click.argument("cases", required=False, type=FILE)
@click.option("--join", type=FILE, help="TOML file that describes the join (docs/joins.md says how).")
@click.option("--left", type=FILE, help="Records of the left side: JSON lines, Avro, MessagePack or Protobuf.")
@click.option("--right", type=FILE, help="Those of the right side.")
@click.option("--window", type=FILE, help="TOML file that describes windows (docs/windows.md says how).")
@click.option("--input", "stream", type=FILE, help="Those of the stream.")
@click.option("--features", type=click.Choice([*OFFLINE]), help="Pipeline whose features are made of the stream.")
@click.option("--table", type=FILE, help="Those of the profiles that these features take.")
@click.option(
    "--proto",
    "protos",
    multiple=True,
    help="order.proto, order.proto:Order or module:Order of a .pb file; twice for two of them, in the order above.",
)
@click.option(
    "--order",
    type=click.Choice([order.value for order in Order]),
    default=Order.ARRIVAL.value,
    help="arrival: lines come as they are in each file, of two the earlier one first; event-time: sorted.",
)
def replay(
    cases: Path | None,
    join: Path | None,
    left: Path | None,
    right: Path | None,
    window: Path | None,
    stream: Path | None,
    features: str | None,
    table: Path | None,
    protos: tuple[str, ...],
    order: str,
) -> None:
    """Run joins and windows over files, without a broker.

    With CASES, a JSON file of cases of joins or windows, a line of JSON is printed for each step. With --join, --left
    and --right, the records of two files are joined; with --window and --input, those of one are put into windows, and
    with --features and --input, they get the features of a pipeline. Results and records that are not matched or do
    not count are printed, and then the balance.

    A file has JSON lines, also compressed or in UTF-16; or it is an object container file of Avro, MessagePack, one
    after the other (.msgpack, .mpk, .mp), or Protobuf, each message after its length (.pb, .binpb; with --proto).
    Without --proto these are values of the registry that STREAMAPP_REGISTRY_URL names, each with the id of its schema.
    """
    lines: Iterator[object]
    given = {name for name, path in locals().items() if isinstance(path, Path)}
    binary = [path for path in (left, right, stream, table) if path and path.suffix in PROTOBUF]
    registry = registry_of(current_settings(), bare=False) if binary and not protos else None
    if registry is None and (len(protos) not in {1, len(binary)} if binary else protos):
        raise click.UsageError("--proto is for a .pb file: one for all of them, or one for each")
    messages = dict(zip(binary, protos * len(binary) if len(protos) == 1 else protos, strict=False))

    def records(path: Path) -> Iterator[bytes]:
        registered = None if registry is None else by_itself(str(path), registry)
        return read_records(path, messages.get(path, ""), registered)

    if features and stream and given <= {"stream", "table"}:
        offline = importlib.import_module(OFFLINE[features])
        files = [path and (str(path), records(path)) for path in (stream, table)]
        _print(offline.replay(AppSettings.load(), Order(order), *files))
        return
    if features or table:
        raise click.UsageError("--features needs --input, and takes --table besides")
    if cases and given == {"cases"}:
        lines = (line for case in read_cases(_read(cases), str(cases)) for line in case.run())
    elif join and left and right and given == {"join", "left", "right"}:
        sides = [(str(path), records(path)) for path in (left, right)]
        lines = replay_files(read_spec(_read(join), str(join)), Order(order), *sides)
    elif window and stream and given == {"window", "stream"}:
        spec = read_window_spec(_read(window), str(window))
        lines = replay_windows(spec, Order(order), str(stream), records(stream))
    else:
        raise click.UsageError("give either CASES, or --join, --left and --right, or --window and --input")
    _print(lines)


def _print(lines: Iterator[object]) -> None:
    for line in lines:
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as exc:
        raise ReplayError(f"{path}: {exc.strerror}") from None
