"""Files of lines: compressed or not, in UTF-8 or UTF-16; what is something else is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import cramjam
import pytest

from streamapp.errors import ProduceError
from streamapp.produce.source import lines_of, read_lines

TEXT = '{"id":"é"}\n{"id":"日本"}\r\n\n[1]'
LINES = TEXT.encode().splitlines(keepends=True)
BOM = b"\xef\xbb\xbf"


def lines(data: bytes) -> list[bytes]:
    return list(lines_of(io.BufferedReader(io.BytesIO(data)), "input"))


def error(data: bytes) -> str:
    with pytest.raises(ProduceError) as raised:
        lines(data)
    assert "\n" not in str(raised.value)
    return str(raised.value)


CODECS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress(data)),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_lines_are_utf_8_without_a_mark_whatever_the_file_is_in(encoding: str) -> None:
    assert lines(TEXT.encode(encoding)) == LINES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_compressed_file_is_read(codec: str, encoding: str) -> None:
    assert lines(CODECS[codec](TEXT.encode(encoding))) == LINES


@pytest.mark.parametrize("codec", CODECS)
def test_a_compressed_file_that_is_cut_off_is_told(codec: str) -> None:
    data = CODECS[codec](os.urandom(100_000))
    assert error(data[:50_000]).startswith("cannot read input: ")


def test_several_gzip_files_one_after_the_other_are_one() -> None:
    assert lines(gzip.compress(b"1\n") + gzip.compress(b"2\n")) == [b"1\n", b"2\n"]


def test_a_file_that_is_compressed_twice_is_read() -> None:
    assert lines(gzip.compress(gzip.compress(b"1\n"))) == [b"1\n"]


@pytest.mark.parametrize("data", [b"", BOM, gzip.compress(b"", mtime=0), "".encode("utf-16")])
def test_an_empty_file_has_no_lines(data: bytes) -> None:
    assert lines(data) == []


def test_a_mark_in_the_middle_stays() -> None:
    assert lines(b"1\n" + BOM + b"2") == [b"1\n", BOM + b"2"]


def test_bytes_that_are_no_text_are_left_to_whoever_reads_the_line() -> None:
    assert lines(b'{"id":"\xff"}\n') == [b'{"id":"\xff"}\n']


def test_half_a_character_at_the_end_of_utf_16_is_told() -> None:
    assert error("ab".encode("utf-16")[:-1]).startswith("cannot read input: ")


def archive() -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("a.jsonl"))
    return data.getvalue()


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("a.jsonl", TEXT)
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"PAR1\x15\x00\x15\x00", "a Parquet file"),
        (b"Obj\x01\x04\x16avro.schema", "a damaged Avro file"),
        (zipped(), "a ZIP archive"),
        (archive(), "a tar archive"),
        (gzip.compress(archive(), mtime=0), "a tar archive"),
        (b"SQLite format 3\x00", "an SQLite database"),
    ],
    ids=["parquet", "avro", "zip", "tar", "tar.gz", "sqlite"],
)
def test_a_file_that_is_none_of_lines_is_named_as_what_it_is(data: bytes, what: str) -> None:
    assert error(data).startswith(f"cannot read input: it is {what}")


def test_a_directory_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProduceError, match=r"^cannot read .*: Is a directory$"):
        list(read_lines(tmp_path))


def test_a_line_of_a_pipe_is_there_before_the_next_one_is() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as file, os.fdopen(writing, "wb", buffering=0) as pipe:
        source, got = lines_of(file, "pipe"), []
        pipe.write(b"1\n")
        reader = threading.Thread(target=lambda: got.append(next(source)), daemon=True)
        reader.start()
        reader.join(30)
        assert got == [b"1\n"]
        pipe.write(b"2\n")
        assert next(source) == b"2\n"
