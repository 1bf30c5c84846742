"""The alert rules hold what they say; that a worker has their metrics is tested in `integration/test_group_view.py`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MONITORING = Path(__file__).parents[2] / "docs" / "monitoring"


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian: apt install prometheus)"
)
@pytest.mark.parametrize(
    "command",
    [
        ["check", "rules", "alerts.yml"],
        ["test", "rules", "alerts_test.yml"],
        ["check", "config", "--syntax-only", "prometheus.yml"],
    ],
    ids=" ".join,
)
def test_promtool_accepts_rules_their_tests_and_the_configuration(command: list[str]) -> None:
    ran = subprocess.run(["promtool", *command], cwd=MONITORING, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_every_alert_is_in_the_page_and_has_a_test() -> None:
    alerts = [line.split()[-1] for line in (MONITORING / "alerts.yml").read_text().splitlines() if "alert:" in line]
    page, tests = ((MONITORING / name).read_text() for name in ("README.md", "alerts_test.yml"))
    assert alerts
    for alert in alerts:
        assert f"`{alert}`" in page
        assert f"alertname: {alert}" in tests
