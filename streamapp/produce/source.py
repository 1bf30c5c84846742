"""Files of lines: plain or compressed, in UTF-8 or UTF-16, known by their first bytes.

What is no file of lines, such as Parquet, is named as what it is.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from streamapp.produce.errors import ProduceError

__all__ = ["Source", "guess", "read_lines"]

#: How files of a kind begin, that are not of lines, with what they are.
OTHERS: Final = {
    b"PAR1": "a Parquet file",
    b"Obj\x01": "an Avro file",
    b"ORC": "an ORC file",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a ZIP archive (or an Excel file)",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF file",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
}
#: Where a tar archive says that it is one.
TAR: Final = slice(257, 262)
#: Bytes that are looked at.
HEAD: Final = 512
#: Bytes that are decompressed at a time.
PIECE: Final = 1 << 18


class Source:
    """The lines of a file as UTF-8, without a byte order mark; nothing is read before the first is asked for.

    Args:
        file: opened for reading, in binary.
        name: of it, for errors.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.name = name
        self._file = file
        self._lines: BinaryIO | None = None

    def readline(self) -> bytes:
        """Return the next line with its end; nothing at the end of the file.

        Raises:
            ProduceError: if it cannot be read; the text is one line.
        """
        try:
            if self._lines is None:
                self._lines = self._opened(io.BufferedReader(cast("Any", _Raw(self._file)), PIECE))
            return self._lines.readline()
        except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError, _Damaged) as exc:
            reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
            raise ProduceError(f"cannot read {self.name}: {reason}") from None

    def __iter__(self) -> Iterator[bytes]:
        while line := self.readline():
            yield line

    def _opened(self, file: io.BufferedReader) -> BinaryIO:
        while (decompressed := self._decompressed(file)) is not None:
            file = decompressed
        head = file.peek(HEAD)
        for magic, what in OTHERS.items():
            if head.startswith(magic):
                raise ProduceError(f"cannot read {self.name}: it is {what}; make JSON lines of it")
        if head[TAR] == b"ustar":
            raise ProduceError(f"cannot read {self.name}: it is a tar archive; take its files out")
        encoding = _encoding(head)
        if encoding == "utf-8-sig":
            file.read(len(codecs.BOM_UTF8))
        elif encoding:
            return cast("BinaryIO", _Recoded(file, encoding))
        return cast("BinaryIO", file)

    def _decompressed(self, file: io.BufferedReader) -> io.BufferedReader | None:
        head = file.peek(HEAD)
        opened: Any = next((make(file) for magic, make in COMPRESSED.items() if head.startswith(magic)), None)
        return None if opened is None else io.BufferedReader(opened, PIECE)


class _Damaged(Exception):
    """What a codec says of bytes that it cannot decompress."""


class _Raw(io.RawIOBase):
    """A file as what a buffer can be put around, which fills it with what is there, and does not wait for more."""

    def __init__(self, file: BinaryIO) -> None:
        self._read: Callable[[int], bytes] = getattr(file, "read1", file.read)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


class _Whole(io.RawIOBase):
    """A file that is decompressed as a whole, by a codec that has no streams."""

    def __init__(self, file: io.BufferedReader, codec: str) -> None:
        self._file, self._codec = file, codec
        self._data: io.BytesIO | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self._data is None:
            import cramjam  # only for who has such a file

            try:
                self._data = io.BytesIO(bytes(getattr(cramjam, self._codec).decompress(self._file.read())))
            except cramjam.DecompressionError as exc:
                raise _Damaged(f"its {self._codec} data are damaged or cut off: {exc}") from None
        return self._data.readinto(buffer)


class _Recoded:
    """The lines of a file in another encoding, as UTF-8."""

    def __init__(self, file: io.BufferedReader, encoding: str) -> None:
        self._text = io.TextIOWrapper(file, encoding, newline="\n")

    def readline(self) -> bytes:
        return self._text.readline().encode("utf-8", "surrogatepass")


COMPRESSED: Final[dict[bytes, Callable[[io.BufferedReader], Any]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),  # not the mode of a gzip file in it, a number
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": lambda file: _Whole(file, "zstd"),
    b"\x04\x22\x4d\x18": lambda file: _Whole(file, "lz4"),
    b"\xff\x06\x00\x00sNaPpY": lambda file: _Whole(file, "snappy"),
}


def _encoding(head: bytes) -> str:
    """Know an encoding by a byte order mark, or by the zeros beside ASCII characters; "" = UTF-8 without one."""
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) > 1 and head[1] == 0 != head[0]:
        return "utf-16-le"
    if len(head) > 1 and head[0] == 0 != head[1]:
        return "utf-16-be"
    return ""


def read_lines(path: Path) -> Iterator[bytes]:
    """Read the lines of a file.

    Raises:
        ProduceError: if it cannot be read; the text is one line.
    """
    try:
        with path.open("rb") as file:
            yield from Source(file, str(path))
    except OSError as exc:
        raise ProduceError(f"cannot read {path}: {exc.strerror}") from None


def guess(line: bytes) -> str:
    """Guess what a line is that is no JSON object, for people; "" = no idea."""
    text = line.strip()
    if text in {b"{", b"["} or (text.startswith((b"{", b"[")) and text.endswith((b",", b"{", b"["))):
        return (
            " (it looks like the begin of a value that goes over several lines: write one object a line, as jq -c does)"
        )
    if text.startswith(b"["):
        return " (it is an array: write one object a line, as jq -c '.[]' does)"
    if text.startswith(codecs.BOM_UTF8):
        return " (a byte order mark is before it, as where files were put one after the other: take it out)"
    if not text.startswith(b"{") and any(text.count(mark) for mark in (b",", b";", b"\t")):
        return " (it looks like CSV: make JSON objects of it, one a line)"
    return ""
