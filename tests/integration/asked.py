"""Commands that look at topics, run as a user does, and their JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner
from topics import Topics

from streamapp.cli.group import streamapp

__all__ = ["answer", "asked"]


def asked(topics: Topics, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run ``streamapp`` with some words, for the app of these topics; where no app is imported, in this process."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    given = {f"STREAMAPP_{name.upper()}": value for name, value in topics.settings.items()}
    variables |= {name: str(value) for name, value in {**given, **environment}.items()}
    if "--left" in words or (words[0] == "advise" and not words[1].startswith("-")):
        return _here(words, variables)
    variables["PYTHONPATH"] = str(Path(__file__).parent)
    line = [sys.executable, "-m", "streamapp", *words]
    return subprocess.run(line, env=variables, capture_output=True, text=True, timeout=120, check=False)


def _here(words: tuple[str, ...], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    result = CliRunner().invoke(streamapp, words, env=variables, standalone_mode=False)
    if isinstance(result.exception, click.ClickException):
        told = result.exception
        return subprocess.CompletedProcess(words, told.exit_code, "", f"{told.format_message()}\n")
    if result.exception is not None:
        raise result.exception
    return subprocess.CompletedProcess(words, result.return_value or 0, result.stdout, result.stderr)


def answer(topics: Topics, *words: str, **environment: str) -> dict[str, Any]:
    """Return the JSON that it prints."""
    done = asked(topics, *words, "--json", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
