"""Files of rows: JSON lines, or Parquet (the extra ``parquet``)."""

from __future__ import annotations

import abc
import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import click
import msgspec

from streamapp.extras import Extra, require
from streamapp.state.rows import ShownRow

__all__ = ["RowFile", "json_line", "open_file"]


class RowFile(abc.ABC):
    """A file that takes rows; it is there under its name once it is whole, and not if the `with` ends by an error."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = path.with_name(f"{path.name}.part")

    def __enter__(self) -> Self:
        self._open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.ExitStack() as stack:
            stack.callback(self._part.unlink, missing_ok=True)
            self._close(whole=kind is None)
            if kind is None:
                self._part.replace(self.path)

    @abc.abstractmethod
    def write(self, rows: Sequence[ShownRow]) -> None:
        """Add rows."""

    @abc.abstractmethod
    def _open(self) -> None: ...

    @abc.abstractmethod
    def _close(self, *, whole: bool) -> None: ...


def json_line(row: msgspec.Struct) -> bytes:
    """Return a row as a line of JSON, without the line's end."""
    return msgspec.json.format(msgspec.json.encode(row), indent=-1)


class JsonLines(RowFile):
    """A row a line: ``{"key":…,"value":…,"time":…}``."""

    def _open(self) -> None:
        self._file = self._part.open("wb")

    def write(self, rows: Sequence[ShownRow]) -> None:
        """Add rows."""
        self._file.writelines(json_line(row) + b"\n" for row in rows)

    def _close(self, *, whole: bool) -> None:
        self._file.close()


class Parquet(RowFile):
    """Columns ``key``, ``time`` and ``value``, which has the fields of the JSON if they are alike in all rows, else its
    text; a key or a value that is neither JSON nor text is in ``key_base64`` or ``value_base64``.

    All rows are in memory until the file is written, since only the last one tells what fields there are.
    """

    def _open(self) -> None:
        require(Extra.PARQUET)
        self._pages: list[list[ShownRow]] = []

    def write(self, rows: Sequence[ShownRow]) -> None:
        """Add rows."""
        self._pages.append(list(rows))

    def _close(self, *, whole: bool) -> None:
        if not whole:
            return
        import pyarrow as pa
        from pyarrow import parquet

        try:
            made = pa.concat_tables(self._tables(text=False), promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
            made = pa.concat_tables(self._tables(text=True), promote_options="permissive")
        parquet.write_table(made, self._part)

    def _tables(self, *, text: bool) -> Iterator[Any]:
        import pyarrow as pa

        string, time = pa.string(), pa.timestamp("ms", "UTC")
        for rows in [[], *self._pages]:
            values = [bytes(row.value).decode() if text else msgspec.json.decode(row.value) for row in rows]
            columns = {
                "key": pa.array([row.key for row in rows], string),
                "time": pa.array([row.time for row in rows], time),
                "value": pa.array(values, string if text else None),
                "key_base64": pa.array([row.key_base64 for row in rows], string),
                "value_base64": pa.array([row.value_base64 for row in rows], string),
            }
            yield pa.table(columns)


FORMATS: Final = {".jsonl": JsonLines, ".ndjson": JsonLines, ".parquet": Parquet}


def open_file(path: Path) -> RowFile:
    """Return a file of rows, by the end of its name."""
    try:
        return FORMATS[path.suffix](path)
    except KeyError:
        raise click.UsageError(
            f"--to: {path} is of no format that there is; end it with {', '.join(FORMATS)}"
        ) from None
