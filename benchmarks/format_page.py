"""What formats cost: `render` for the page of the benchmarks, and `insert` for that of the formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.blocks import about, blocks, table
from benchmarks.format_join import FormatWorkload
from benchmarks.format_results import LibraryFigures
from benchmarks.results import Formats, Runs
from benchmarks.runner import median
from streamapp.formats.named import FormatName

__all__ = ["BEGIN", "END", "answer", "insert", "render"]

#: Between these lines of a page the figures are.
BEGIN: Final = "<!-- Measured by `make bench`: from here -->"
END: Final = "<!-- to here -->"

JSON, MSGSPEC, PROTOBUF = "json", "msgspec, JSON", "protobuf"


def insert(page: Path, measured: Formats) -> None:
    """Put the answer between the lines of a page that are for it; where there are none, tell so."""
    text = page.read_text("utf-8") if page.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        print(f"{page} has no place for the figures: lines with {BEGIN} and {END}", flush=True)
        return
    told = f"{answer(measured.libraries)} All figures: [benchmarks.md](benchmarks.md#formats)."
    page.write_text(f"{before}{BEGIN}\n\n{told}\n\n{END}{after}", "utf-8")


def render(measured: Formats) -> str:
    """Return the figures, in Markdown."""
    return blocks(
        answer(measured.libraries),
        *_tables(measured.libraries),
        _joins(measured.joins) if measured.joins else "",
        about(measured.about),
    )


def answer(libraries: Sequence[LibraryFigures]) -> str:
    """Return whether Protobuf is three to five times as fast as JSON, in two sentences."""
    beside_json = _by_size(libraries, JSON, lambda json, proto: f"{json.both_us / proto.both_us:.1f}")
    beside_msgspec = _by_size(libraries, MSGSPEC, lambda json, proto: f"{json.both_us / proto.both_us:.1f}")
    raw = _by_size(libraries, JSON, lambda json, proto: f"{proto.raw_bytes / json.raw_bytes:.0%}")
    lz4 = _by_size(libraries, JSON, lambda json, proto: f"{proto.lz4_bytes / json.lz4_bytes:.0%}")
    sizes = _listed([f"{one.size:,}" for one in libraries if one.library == PROTOBUF])
    return (
        "**Is Protobuf three to five times as fast as JSON?** "
        f"For records of {sizes} bytes, made of Python's values, encoded, and all values had again, Protobuf (upb) is "
        f"{beside_json} times as fast as Python's own `json`, and {beside_msgspec} times as fast as msgspec's JSON. "
        f"What it surely saves is bytes: a record has {raw} of JSON's, and {lz4} once a batch is compressed."
    )


def _joins(measured: Runs[FormatWorkload]) -> str:
    """Return the whole join's rate by the format of all its topics."""
    groups = measured.by_workload()
    json_rate = next((median(runs).per_s for load, runs in groups.items() if load.kind is FormatName.JSON), None)
    rows = [
        [
            load.kind.value,
            f"{load.bytes_of_a_click:,}",
            f"{(figures := median(runs)).per_s:,.0f}",
            f"{figures.per_s / json_rate:.0%}" if json_rate else "",
            f"{figures.cpu_us:.1f}",
            f"{figures.peak_mb:,.0f}",
            str(max((run.check for run in runs), key=lambda check: check.missing + check.repeated + check.wrong)),
        ]
        for load, runs in groups.items()
    ]
    heads = ["all topics in", "bytes a click", "joined/s", "of JSON's", "CPU µs", "peak MB", "output"]
    return table(heads, rows)


def _by_size(
    libraries: Sequence[LibraryFigures], other: str, figure: Callable[[LibraryFigures, LibraryFigures], str]
) -> str:
    """Return a figure of Protobuf beside another library, for each size."""
    protobuf = {one.size: one for one in libraries if one.library == PROTOBUF}
    return _listed([figure(one, protobuf[one.size]) for one in libraries if one.library == other])


def _listed(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _tables(libraries: Sequence[LibraryFigures]) -> Iterator[str]:
    heads = ["make and encode, µs", "encode", "decode all", "decode one field", "bytes", "with lz4"]
    for size in dict.fromkeys(one.size for one in libraries):
        rows = [
            [
                one.library,
                *(f"{us:,.2f}" for us in (one.make_us, one.encode_us, one.decode_us, one.one_us)),
                f"{one.raw_bytes:,.0f}",
                f"{one.lz4_bytes:,.0f}",
            ]
            for one in libraries
            if one.size == size
        ]
        yield table([f"{size:,} bytes of JSON", *heads], rows)
