"""`streamapp redrive` as a process, and the marks of what it has sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from topics import Received, Topics
from worker import Worker, wait_until

__all__ = ["MARK", "mark", "marked", "report", "run", "start", "wait_read"]

MARK = "streamapp-redriven"


def start(topics: Topics, *arguments: str, program: str = "", **settings: Any) -> subprocess.Popen[str]:
    given = {**topics.settings, **settings}
    variables = {name if name.isupper() else f"STREAMAPP_{name.upper()}": str(value) for name, value in given.items()}
    line = [str(Path(__file__).parent / program)] if program else ["-m", "streamapp"]
    return subprocess.Popen(
        [sys.executable, *line, "redrive", *arguments],
        env={**os.environ, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(topics: Topics, *arguments: str, **settings: Any) -> tuple[int, str, str]:
    with start(topics, *arguments, **settings) as process:
        out, err = process.communicate(timeout=90)
        return process.returncode, out, err


def report(topics: Topics, *arguments: str, code: int = 0, **settings: Any) -> dict[str, int]:
    returned, out, err = run(topics, *arguments, **settings)
    assert returned == code, err
    found: dict[str, int] = json.loads(out.splitlines()[-1])
    return found


def mark(message: Received) -> dict[str, Any]:
    name, value = message.headers()[0]
    assert name == MARK
    found: dict[str, Any] = json.loads(value)
    return found


def marked(messages: list[Received]) -> Iterator[Received]:
    return (one for one in messages if one.headers() and one.headers()[0][0] == MARK)


def wait_read(topics: Topics, worker: Worker, *names: str) -> None:
    worker.wait_ready()
    for name in names:
        wait_until(lambda name=name: topics.committed(name) == topics.end(name), f"{name} is read to its end")
