"""The examples of docs/windows.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from streamapp.joins import Driver
from streamapp.replay.window_spec import read_window_spec

PAGE = (Path(__file__).parents[3] / "docs" / "windows.md").read_text()


def test_the_examples_run() -> None:
    # Whole apps are run as files, on a Kafka.
    examples = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "App(" not in block]
    assert len(examples) >= 5
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, example, "exec"), names)  # noqa: S102 - our own page
    assert isinstance(names["visits"], Driver)


def test_the_windows_for_replay_can_be_used() -> None:
    (spec,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    assert list(read_window_spec(spec.encode(), "docs").join.aggregates) == ["n", "total"]
