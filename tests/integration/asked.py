"""Commands that look at topics, run as a user does, and their JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from topics import Topics

__all__ = ["answer", "asked"]


def asked(topics: Topics, *words: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run ``streamapp`` with some words, for the app of these topics."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    given = {**topics.settings, **settings}
    variables |= {f"STREAMAPP_{name.upper()}": str(value) for name, value in given.items()}
    variables["PYTHONPATH"] = str(Path(__file__).parent)
    line = [sys.executable, "-m", "streamapp", *words]
    return subprocess.run(line, env=variables, capture_output=True, text=True, timeout=120, check=False)


def answer(topics: Topics, *words: str, **settings: Any) -> dict[str, Any]:
    """Return the JSON that it prints."""
    done = asked(topics, *words, "--json", **settings)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
