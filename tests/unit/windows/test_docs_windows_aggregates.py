"""The examples of docs/windows-aggregates.md do what they say, and it has all aggregates."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streamapp import windows
from streamapp.windows.aggregate import removable

PAGE = (Path(__file__).parents[3] / "docs" / "windows-aggregates.md").read_text()
ROWS = [line.split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]


def test_the_examples_run() -> None:
    names: dict[str, Any] = {}
    examples = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    for example in examples:
        exec(compile(example, example, "exec"), names)  # noqa: S102 - our own page
    assert len(examples) == 3


@pytest.mark.parametrize("row", [row for row in ROWS if "Own" not in row[0]], ids=lambda row: row[0])
def test_the_table_says_what_can_forget(row: list[str]) -> None:
    for text in re.findall(r"`(\w+\(.*?\))`", row[0]):
        aggregate = eval(text, vars(windows))  # noqa: S307 - our own page
        assert removable(aggregate) == (row[-1] == "yes |")


def test_the_table_has_all_aggregates() -> None:
    there = {name for name in windows.__all__ if hasattr(getattr(windows, name), "state_type")}
    assert there | {"Own"} == set(re.findall(r"`(\w+)\(", " ".join(row[0] for row in ROWS))) | {"Aggregate"}
