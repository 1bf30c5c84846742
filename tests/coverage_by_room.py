"""``make coverage``: the branches that were taken, in total and by room."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

#: Percent of lines and branches in all that may not be missed.
FLOOR = 90.0
COUNTED = ("covered_lines", "num_statements", "covered_branches", "num_branches")


def room_of(file: str) -> str:
    """Return the room of a file: the first directory below the package, or the module."""
    return Path(file).relative_to("streamapp").parts[0].removesuffix(".py")


def percent(counts: Counter[str]) -> float:
    """Return what is covered of lines and branches together, as coverage's own total is."""
    everything = counts["num_statements"] + counts["num_branches"]
    return 100.0 * (counts["covered_lines"] + counts["covered_branches"]) / everything if everything else 100.0


def line_of(name: str, counts: Counter[str]) -> str:
    return (
        f"{name:<20}{counts['num_statements']:>10,}{counts['num_branches']:>10,}"
        f"{counts['num_branches'] - counts['covered_branches']:>10,}{percent(counts):>9.1f} %"
    )


def main() -> int:
    """Print the table; the exit code is 1 if less than `FLOOR` is covered."""
    with tempfile.TemporaryDirectory() as directory:
        report = Path(directory) / "coverage.json"
        # pytest-cov combines what is there when it ends; a process that outlived its test writes later.
        if any(Path().glob(".coverage.*")):
            subprocess.run([sys.executable, "-m", "coverage", "combine", "--append", "--quiet"], check=True)
        subprocess.run([sys.executable, "-m", "coverage", "json", "--quiet", "-o", report], check=True)
        files = json.loads(report.read_bytes())["files"]
    rooms: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for file, found in files.items():
        rooms[room_of(file)].update({name: found["summary"][name] for name in COUNTED})
    total = sum(rooms.values(), Counter[str]())
    print(f"{'room':<20}{'lines':>10}{'branches':>10}{'not taken':>10}{'covered':>11}")
    for room in sorted(rooms):
        print(line_of(room, rooms[room]))
    print(line_of("in total", total))
    if percent(total) < FLOOR:
        print(f"less than {FLOOR:g} % is covered", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
