"""What ``streamapp produce`` does, without Faust's command line around it."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import BinaryIO

import msgspec

from streamapp.errors import ProduceError, StreamappError
from streamapp.extras import Extra, require
from streamapp.pipelines.clicks.traffic import Traffic
from streamapp.produce.delivery import Options, Report, produce_generated, produce_lines
from streamapp.produce.lines import JsonLines
from streamapp.produce.source import Source
from streamapp.settings import Settings

__all__ = ["FromFile", "run"]

STDIN = "-"


class FromFile(msgspec.Struct, frozen=True, kw_only=True):
    """Records from the lines of a file (``-`` is stdin), see `Source`, for a topic, given by its full name."""

    topic: str
    path: str = STDIN
    lines: JsonLines = JsonLines()
    create: bool = False


def run(settings: Settings, source: Traffic | FromFile, options: Options, *, as_json: bool = False) -> int:
    """Produce, print the report to stdout and what went wrong to stderr, each in one line.

    Returns:
        The exit code: 0, or 1 if any record failed or not all could be sent.
    """
    try:
        report = _produce(settings, source, options)
    except StreamappError as exc:
        print(f"produce: {exc}", file=sys.stderr)
        return 1
    print(msgspec.json.encode(report).decode() if as_json else report)
    for told in filter(None, (report.note, report.warning, report.error)):
        print(f"produce: {told}", file=sys.stderr)
    return 1 if report.error else 0


def _produce(settings: Settings, source: Traffic | FromFile, options: Options) -> Report:
    require(Extra.PRODUCE)
    if isinstance(source, Traffic):
        return produce_generated(settings, source, options)
    with _opened(source.path) as file:
        lines = file if source.lines.raw else Source(file, file.name)
        return produce_lines(settings, source.topic, lines, source.lines, options, create=source.create)


def _opened(path: str) -> contextlib.AbstractContextManager[BinaryIO]:
    if path == STDIN:
        return contextlib.nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as exc:
        raise ProduceError(f"cannot read {path}: {exc.strerror}") from None
