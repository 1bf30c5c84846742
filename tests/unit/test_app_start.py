"""What a start imports: each worker waits for it, also one that replaces another."""

from __future__ import annotations

import subprocess
import sys

import pytest

START = """
import sys
from streamapp.app import app
app.discover()
print(*sorted(app.agents))
print(*sorted(sys.modules))
"""


def test_agents_are_found_without_what_only_some_commands_need() -> None:
    started = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    agents, modules = (line.split() for line in started.stdout.splitlines())
    assert agents == ["streamapp.agents.clicks.join_clicks", "streamapp.agents.profiles.keep_profiles"]
    assert {"streamapp.cli.reset", "streamapp.agents.clicks"} <= set(modules)
    assert not {"jgo", "requests", "redis", "tqdm", "streamapp.cli.replay"} & set(modules)


@pytest.mark.parametrize("command", ["explain", "lag", "top"])
def test_a_command_that_only_asks_imports_no_faust(command: str) -> None:
    looked = f"import sys, streamapp.cli.{command}; print({{'faust', 'aiokafka'}} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", looked], capture_output=True, text=True, check=True)
    assert ran.stdout == "set()\n"
