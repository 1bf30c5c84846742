"""The records and the libraries of the formats' benchmark; those that are in its own venv only are left to it."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from benchmarks.peers import PROGRAMS


@pytest.fixture
def measure(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(PROGRAMS / "formats")
    return importlib.import_module("measure")


def test_records_have_the_sizes_that_are_said(measure: Any) -> None:
    for size in measure.SIZES:
        sizes = [len(json.dumps(record, separators=(",", ":"))) for record in measure.of_size(size)]
        assert size <= sum(sizes) / len(sizes) <= 1.05 * size


@pytest.mark.parametrize("size", [86, 1_000])
@pytest.mark.parametrize("name", ["json", "orjson", "msgspec, JSON", "msgspec, MessagePack"])
def test_a_library_is_timed_once_it_gives_back_what_it_got(measure: Any, name: str, size: int) -> None:
    library = measure.LIBRARIES[name](size == 86)
    found = measure.measure(library, measure.of_size(size)[:100], 0.0001)
    assert all(figure > 0 for figure in found.values())
    assert found["lz4_bytes"] < found["raw_bytes"] <= 1.05 * size


def test_a_library_that_gives_back_something_else_is_not_timed(measure: Any) -> None:
    library = measure.LIBRARIES["json"](True)
    library.decode = lambda data: {**json.loads(data), "url": ""}
    with pytest.raises(SystemExit, match="Json does not give back"):
        measure.measure(library, measure.of_size(86), 0.0001)
