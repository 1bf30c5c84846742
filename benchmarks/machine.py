"""What a figure was measured on."""

from __future__ import annotations

import dataclasses
import datetime
import json
import platform
import subprocess
from pathlib import Path
from typing import Final, Self

import psutil

from streamapp.embedded_kafka import VERSION as KAFKA

__all__ = ["About"]

#: Packages of streamapp's venv that the speed depends on, as far as they are installed.
PACKAGES: Final = ("faust-streaming", "aiokafka", "rocksdict", "msgspec", "numba", "numpy", "cramjam")


@dataclasses.dataclass(frozen=True)
class About:
    """How, when and on what figures were measured.

    Args:
        command: that measures them again.
        date: of the end, in UTC.
        machine: cores, memory and system.
        versions: of all programs that took part.
        commit: of streamapp's tree; with a + if it had changes.
    """

    command: str
    date: str
    machine: str
    versions: dict[str, str]
    commit: str

    @classmethod
    def now(cls, command: str, streamapp: Path) -> Self:
        """Look at this machine.

        Args:
            command: that was given.
            streamapp: ``bin`` of the venv with streamapp.
        """
        python = _output(f"{streamapp}/python", "--version").removeprefix("Python ")
        listed = json.loads(_output(f"{streamapp}/python", "-m", "pip", "list", "--format=json") or "[]")
        installed = {package["name"]: package["version"] for package in listed}
        versions = {"Kafka": KAFKA, "Python": python}
        versions |= {name: installed[name] for name in PACKAGES if name in installed}
        return cls(
            command=command,
            date=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC",
            machine=_machine(),
            versions=versions,
            commit=_commit(streamapp),
        )


def _machine() -> str:
    cores, memory = psutil.cpu_count(), psutil.virtual_memory().total / (1 << 30)
    return f"{cores} cores ({_processor()}), {memory:.0f} GiB of memory, {platform.system()} {platform.release()}"


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _commit(streamapp: Path) -> str:
    where = "import streamapp, pathlib; print(pathlib.Path(streamapp.__file__).parent)"
    tree = _output(f"{streamapp}/python", "-P", "-c", where)
    commit = _output("git", "-C", tree, "rev-parse", "--short=10", "HEAD")
    return commit + ("+" if _output("git", "-C", tree, "status", "--porcelain", "--", tree) else "")


def _output(*command: str) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
