"""The demo, as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port, needs_ipv6
from risk_models import write_model
from worker import wait_until


def variables_of(**settings: str) -> dict[str, str]:
    return {f"STREAMAPP_{name.upper()}": value for name, value in settings.items()}


@contextlib.contextmanager
def running(directory: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    variables |= variables_of(web_port=str(free_port()), **settings) | {"TMPDIR": str(directory)}
    with (directory / "demo.log").open("wb") as log:
        command = [sys.executable, "-m", "streamapp", "demo", *arguments]
        demo = subprocess.Popen(command, env=variables, cwd=directory, stdout=log, stderr=log)
    try:
        yield demo
    finally:
        demo.kill()
        demo.wait()


def descendants(pid: int) -> set[int]:
    """Give the processes that a process has started, and those that these have."""
    found = {pid}
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


@needs_ipv6
def test_all_that_the_demo_has_started_ends_with_it_even_if_it_is_killed(tmp_path: Path) -> None:
    with running(tmp_path, web_bind="::1") as demo:
        wait_until(lambda: " joined 1" in (tmp_path / "demo.log").read_text(), "clicks are joined")
        assert "web views at http://[::1]:" in (tmp_path / "demo.log").read_text()
        started = descendants(demo.pid)
        assert len(started) == 6  # Kafka, a worker and a producer, each on a leash
        demo.kill()
    wait_until(lambda: not any(map(alive, started)), "all of them have ended")


def report_of(directory: Path, *arguments: str, **settings: str) -> tuple[dict[str, Any], str]:
    """Run the demo to its end; returns its last line, and all that it said."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMAPP_")}
    demo = subprocess.run(
        [sys.executable, "-m", "streamapp", "demo", *arguments],
        env=environment | variables_of(web_port=str(free_port()), **settings),
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    report = json.loads(demo.stdout.splitlines()[-1])
    assert report["records"] == report["results"] + report["late"] + report["rejected"]
    return report, demo.stdout


def test_the_demo_ends_by_itself_with_every_click_accounted_for(tmp_path: Path) -> None:
    report, said = report_of(tmp_path, "--clicks", "5000")
    assert (report["pipeline"], report["records"], report["clicks"]) == ("clicks", 5000, 5000)
    assert report["joined"] > 4000
    assert report["unmatched"] > 0
    assert report["rejected"] > 0
    assert report["clicks"] == report["joined"] + report["unmatched"] + report["late"] + report["rejected"]
    assert '"profile":{"user_id":' in said


@pytest.mark.parametrize(
    "formats",
    [
        {"format": "avro", "key_format": "protobuf"},
        {"format": "protobuf", "key_format": "avro"},
        {"format": "msgpack", "joined_format": "avro"},
    ],
    ids=lambda formats: formats["format"],
)
def test_the_demo_in_another_format_accounts_for_every_click_and_shows_results(
    tmp_path: Path, formats: dict[str, str]
) -> None:
    report, said = report_of(tmp_path, "--clicks", "2000", **formats)
    assert report["clicks"] == report["joined"] + report["unmatched"] + report["late"] + report["rejected"] == 2000
    assert min(report["joined"] - 1500, report["unmatched"], report["rejected"]) > 0
    assert '"profile":{"user_id":' in said


def test_the_demo_of_the_risk_ends_by_itself_with_every_transaction_accounted_for(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model.onnx", "shown")
    report, said = report_of(tmp_path, "--pipeline", "risk", "--records", "5000", risk_model=str(model))
    assert (report["pipeline"], report["records"]) == ("risk", 5000)
    assert report["results"] > 4500
    assert report["alerts"] > 0
    assert report["rejected"] > 0
    assert '"model":"shown+' in said


def test_the_demo_of_the_sensors_ends_by_itself_with_every_reading_accounted_for(tmp_path: Path) -> None:
    report, said = report_of(tmp_path, "--pipeline", "sensors", "--records", "20000")
    assert (report["pipeline"], report["records"]) == ("sensors", 20_000)
    assert report["results"] > 18_000
    assert report["alerts"] > 0
    assert report["late"] > 0
    assert report["rejected"] > 0
    assert '"reasons":[' in said
