"""The demo, as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_demo_ends_by_itself_with_every_click_accounted_for(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    demo = subprocess.run(
        [sys.executable, "-m", "streamapp", "demo", "--clicks", "5000"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    report = json.loads(demo.stdout.splitlines()[-1])
    assert report["clicks"] == 5000
    assert report["joined"] > 4000
    assert report["unmatched"] > 0
    assert report["rejected"] > 0
    assert report["clicks"] == report["joined"] + report["unmatched"] + report["late"] + report["rejected"]
    assert '"profile":{"user_id":' in demo.stdout
