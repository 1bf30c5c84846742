"""Fuzz what a broker may send, with atheris: ``make fuzz``; it ends at what it finds, and tells the bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["aiokafka.record", "streamapp", "fuzz_target", "fetched", "raw_batches"]):
    from fuzz_target import HEAD, check, record_batch_of
    from raw_batches import record_batch

#: What aiokafka calls the codecs: none, gzip, snappy, lz4, zstd.
CODECS = range(5)
CLICK = (b"u1", b'{"click_id":"c1","user_id":"u1","url":"/"}', 1_000, [("trace", b"1"), ("none", None)])


def run(data: bytes) -> None:
    """Take most bytes for what is in a record batch, and some for all that was fetched."""
    check(record_batch_of(data[1:]) if data[:1] != b"\xff" else data[1:])


def sow(corpus: Path) -> None:
    """Give the fuzzer something to begin with: a good record batch of each codec."""
    for codec in CODECS:
        (corpus / f"codec-{codec}").write_bytes(b"\0" + record_batch([CLICK] * 3, codec=codec)[HEAD.size :])


if __name__ == "__main__":
    sow(Path(sys.argv[1]))
    atheris.Setup(sys.argv, run)
    atheris.Fuzz()
