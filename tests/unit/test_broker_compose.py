"""``compose.yaml`` is what Docker Compose takes it for."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def has_compose() -> bool:
    docker = shutil.which("docker")
    return docker is not None and subprocess.run([docker, "compose", "version"], capture_output=True).returncode == 0


@pytest.mark.skipif(not has_compose(), reason="docker compose is not installed")
def test_docker_compose_accepts_the_file() -> None:
    ran = subprocess.run(
        ["docker", "compose", "--file", ROOT / "compose.yaml", "config", "--format", "json"],
        capture_output=True,
        check=True,
    )
    services = {"kafka", "worker-1", "worker-2", "producer", "prometheus", "grafana"}
    assert set(json.loads(ran.stdout)["services"]) == services
