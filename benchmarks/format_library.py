"""What each library takes to encode and to decode a record, without Kafka, in a venv of their own.

Every library gives back what it got, which is checked of each record before anything is timed. The Protobuf classes are
made of `programs/formats/records.proto` at the run.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from benchmarks.format_results import LibraryFigures
from benchmarks.peers import PROGRAMS, PythonProgram, run_once
from benchmarks.runner import PeerError

__all__ = ["SECONDS", "libraries", "versions"]

#: Seconds that an operation is timed, three times.
SECONDS: Final = 0.1
SOURCE: Final = PROGRAMS / "formats"


def libraries(cache: Path, seconds: float = SECONDS) -> list[LibraryFigures]:
    """Measure all libraries, at each size.

    Args:
        cache: where their venv is kept.
        seconds: that an operation is timed, three times, of which the shortest counts.

    Raises:
        UnavailableError: if the venv or the classes cannot be made.
        PeerError: if a library does not give back what it got.
    """
    program = PythonProgram("formats", "libraries of formats", "")
    program.install(cache)
    with tempfile.TemporaryDirectory(dir=cache, prefix="classes-") as directory:
        _make_classes(program.python, Path(directory) / "classes")
        command: list[str | Path] = [program.python, SOURCE / "measure.py", directory, f"{seconds}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise PeerError("a library of a format has failed")
    return msgspec.json.decode(done.stdout, type=list[LibraryFigures])


def versions() -> dict[str, str]:
    """Return the versions of what is measured."""
    pinned = (SOURCE / "requirements.txt").read_text().splitlines()
    return {name: version for name, _, version in (line.partition("==") for line in pinned)}


def _make_classes(python: Path, directory: Path) -> None:
    """Compile the messages for both Protobuf libraries, into a package."""
    directory.mkdir()
    out = (f"--python_out={directory}", f"--python_betterproto2_out={directory}")
    # The second one's plugin is in the venv, and calls a formatter there.
    run_once(python, "-m", "grpc_tools.protoc", f"-I{SOURCE}", *out, "records.proto", path=python.parent)


if __name__ == "__main__":
    for one in libraries(Path(sys.argv[1] if len(sys.argv) > 1 else ".bench").absolute()):
        print(one)
