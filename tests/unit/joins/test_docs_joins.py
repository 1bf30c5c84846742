"""The examples of docs/joins.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from streamapp.joins.driver import Driver
from streamapp.replay.spec import read_spec

PAGE = (Path(__file__).parents[3] / "docs" / "joins.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_examples_run() -> None:
    # Whole apps are run as files, on a Kafka (tests/integration/test_docs_apps.py).
    examples = [block for block in blocks("python") if "App(" not in block]
    assert len(examples) >= 10
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, example, "exec"), names)  # noqa: S102 - our own page
    assert isinstance(names["join"], Driver)


def test_the_join_for_replay_can_be_used() -> None:
    (spec,) = blocks("toml")
    assert read_spec(spec.encode(), "docs").join
