"""`make upstream`: the seams, and a short integration, with the newest aiokafka and Faust that PyPI has.

They go into a venv of their own, whatever setup.cfg allows: what has changed is to be known before it is allowed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from importlib.metadata import version
from pathlib import Path

from seams import DISTRIBUTIONS, table

ROOT = Path(__file__).parents[2]
VENV = ROOT / ".upstream/venv"
PYTHON = str(VENV / "bin/python")
NEWEST = ("aiokafka[lz4,zstd,snappy]", "faust-streaming", "mode-streaming")
CHECKS = {
    "sources as they were read": ["tests/seams/test_seam_sources.py"],
    "behaviour that is relied on": ["tests/seams", "--ignore=tests/seams/test_seam_sources.py"],
    "a short integration": ["tests/integration/test_feed.py", "tests/integration/test_own_app.py"],
}


def install() -> None:
    """Make the venv, with what the tests need, and then the newest of what is relied on."""
    if not VENV.exists():
        venv.create(VENV, with_pip=True)
    pip = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--editable", f"{ROOT}[dev]"], check=True)
    subprocess.run([*pip, "--upgrade", *NEWEST], check=True)


def installed(distribution: str) -> str:
    """Return the version that the venv has."""
    code = f"from importlib.metadata import version; print(version({distribution!r}))"
    return subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def failures(tests: list[str]) -> list[str]:
    """Run tests, and return a line about each that fails, or one that says why there is none."""
    command = [PYTHON, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *tests]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "COLUMNS": "1000"})
    told = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    if ran.returncode and not told:
        told = [(ran.stdout + ran.stderr).strip().splitlines()[-1]]
    return [line.partition(" - Failed: ")[2] or line for line in told]  # what a seam says names it


def main() -> int:
    """Install, check, and tell."""
    install()
    read = {
        distribution: next(s.version for s in table() if DISTRIBUTIONS[s.name.split(".")[0]] == distribution)
        for distribution in DISTRIBUTIONS.values()
    }
    found = {what: failures(tests) for what, tests in CHECKS.items()}
    print()
    for distribution, seen in read.items():
        newest, here = installed(distribution), version(distribution)
        change = f"NEW, {seen} was read" if newest != seen else "as it was read"
        print(f"{distribution} {newest} ({change}; .venv has {here})")
    for what, lines in found.items():
        print(f"{what}: {f'{len(lines)} FAILED' if lines else 'ok'}")
        for line in lines:
            print(f"  {line}")
    fine = not any(found.values())
    print("nothing to do" if fine else "read what has changed, mend what relies on it, then run tests/seams/seams.py")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
