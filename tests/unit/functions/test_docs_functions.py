"""The examples of docs/functions.md do what they say."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[3] / "docs" / "functions.md").read_text()


def test_the_examples_run() -> None:
    # Whole apps are run as files, on a Kafka (tests/integration/test_docs_apps.py).
    examples = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "App(" not in block]
    assert len(examples) == 2
    names: dict[str, Any] = {}
    for example in examples:
        exec(compile(example, example, "exec"), names)  # noqa: S102 - our own page


def test_each_example_is_listed() -> None:
    assert set(re.findall(r"examples/(\w+)\.py", PAGE)) == {"deduplication", "throttle", "silence", "merge", "branches"}
