"""Files of lines: plain or compressed, in UTF-8 or UTF-16, known by their first bytes; records of Avro become lines.

What is no file of lines, such as Parquet, is named as what it is.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import msgspec

from streamapp.errors import ProduceError
from streamapp.extras import Extra, require

__all__ = ["guess", "lines_of", "read_lines"]

#: How files of a kind begin, that are not of lines, with what they are.
OTHERS: Final = {
    b"PAR1": "a Parquet file",
    b"ORC": "an ORC file",
    b"ARROW1": "an Arrow file",
    b"PK\x03\x04": "a ZIP archive (or an Excel file)",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF file",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
}
#: Where a tar archive says that it is one.
TAR: Final = slice(257, 262)
#: How an object container file of Avro begins.
AVRO: Final = b"Obj\x01"
#: Bytes that are looked at.
HEAD_BYTES: Final = 512


_print: Final = msgspec.json.Encoder(decimal_format="number").encode


class _Damaged(Exception):
    """What a codec says of bytes that it cannot decompress."""


def _whole(codec: str) -> Callable[[io.BufferedReader], io.BufferedIOBase]:
    """Return what decompresses a file as a whole, by a codec that has no streams."""

    def opened(file: io.BufferedReader) -> io.BufferedIOBase:
        import cramjam  # only for who has such a file

        try:
            return io.BytesIO(bytes(getattr(cramjam, codec).decompress(file.read())))
        except cramjam.DecompressionError as exc:
            raise _Damaged(f"its {codec} data are damaged or cut off: {exc}") from None

    return opened


COMPRESSED: Final[Mapping[bytes, Callable[[io.BufferedReader], io.BufferedIOBase]]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file, mode="rb"),  # not the mode of a gzip file in it, a number
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ\x00": lzma.LZMAFile,
    b"\x28\xb5\x2f\xfd": _whole("zstd"),
    b"\x04\x22\x4d\x18": _whole("lz4"),
    b"\xff\x06\x00\x00sNaPpY": _whole("snappy"),
}


def lines_of(file: io.BufferedReader, name: str) -> Iterator[bytes]:
    """Yield the lines of a file as UTF-8 with their ends, each as soon as it is there, without a byte order mark.

    Raises:
        ProduceError: if it cannot be read; the text is one line with `name`.
    """
    try:
        while make := next((make for magic, make in COMPRESSED.items() if _head(file).startswith(magic)), None):
            file = io.BufferedReader(make(file))
        head = _head(file)
        what = next((what for magic, what in OTHERS.items() if head.startswith(magic)), "")
        if what:
            raise ProduceError(f"cannot read {name}: it is {what}; make JSON lines of it")
        if head.startswith(AVRO):
            yield from _avro(file)
            return
        if head[TAR] == b"ustar":
            raise ProduceError(f"cannot read {name}: it is a tar archive; take its files out")
        if encoding := _encoding(head):
            for text in io.TextIOWrapper(file, encoding, newline="\n"):
                yield text.encode("utf-8", "surrogatepass")
        else:
            file.read(len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0)
            yield from file
    except (OSError, EOFError, zlib.error, lzma.LZMAError, UnicodeError, _Damaged) as exc:
        reason = getattr(exc, "strerror", None) or str(exc) or type(exc).__name__
        raise ProduceError(f"cannot read {name}: {reason}") from None


def _avro(file: io.BufferedReader) -> Iterator[bytes]:
    """Yield the records of an object container file as JSON."""
    require(Extra.AVRO)
    from fastavro import reader

    try:
        for record in reader(file):
            yield _print(record) + b"\n"
    except Exception as exc:  # of any kind: it reads what may be any bytes
        raise _Damaged(f"it is a damaged Avro file: {exc or type(exc).__name__}") from None


def _head(file: io.BufferedReader) -> bytes:
    return file.peek(HEAD_BYTES)[:HEAD_BYTES]


def _encoding(head: bytes) -> str:
    """Know an encoding by a byte order mark, or by the zeros beside ASCII characters; "" = UTF-8."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if len(head) > 1 and (head[0] == 0) != (head[1] == 0):
        return "utf-16-le" if head[1] == 0 else "utf-16-be"
    return ""


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a file; see `lines_of`."""
    try:
        with path.open("rb") as file:
            yield from lines_of(file, str(path))
    except OSError as exc:
        raise ProduceError(f"cannot read {path}: {exc.strerror}") from None


def guess(line: bytes) -> str:
    """Return what a line may be that is no JSON object, for people; "" = no idea."""
    text = line.strip()
    if text in {b"{", b"["} or (text.startswith((b"{", b"[")) and text.endswith((b",", b"{", b"["))):
        return " (it looks like a value that goes over several lines: write one object a line, as jq -c does)"
    if text.startswith(b"["):
        return " (it is an array: write one object a line, as jq -c '.[]' does)"
    if text.startswith(codecs.BOM_UTF8):
        return " (a byte order mark is before it, as where files were put one after the other: take it out)"
    if not text.startswith(b"{") and any(mark in text for mark in (b",", b";", b"\t")):
        return " (it looks like CSV: make JSON objects of it, one a line)"
    return ""
