"""The wheel as a user installs it: alone in an empty venv, without extras, on each Python that is here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/conformance/join_cases.json"
#: Minor versions of Python 3 that the package is for.
MINORS = (11, 12, 13)


def run(command: Sequence[str | Path], cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program without the variables of this venv, and without settings but these."""
    environment = {"PATH": os.defpath, "HOME": f"{Path.home()}", **variables}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=150, env=environment)


def succeed(command: Sequence[str | Path], cwd: Path) -> str:
    ran = run(command, cwd)
    assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout


def find_python(minor: int) -> Path | None:
    """Return an interpreter that can make a venv: the one that runs this, one on the PATH, or one of pyenv's."""
    named = shutil.which(f"python3.{minor}")
    found = [Path(sys.executable)] if sys.version_info[:2] == (3, minor) else []
    found += [Path(named)] if named else []
    found += sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python"), reverse=True)
    looked = ["-c", "import ensurepip, sys, venv; print(sys.version_info[1])"]
    return next((path for path in found if run([path, *looked], ROOT).stdout == f"{minor}\n"), None)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built of what git would commit, so that nothing that lies about gets in."""
    source, built = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    listed = succeed(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], ROOT)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, source / name)
    succeed([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, source], source)
    (found,) = built.glob("streamapp-*.whl")
    return found


@pytest.fixture(scope="module", params=MINORS, ids=lambda minor: f"python3.{minor}")
def venv(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    python = find_python(request.param)
    if python is None:
        pytest.skip(f"there is no Python 3.{request.param} here")
    directory = tmp_path_factory.mktemp("venv")
    succeed([python, "-m", "venv", directory], ROOT)
    pip: list[str | Path] = [directory / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    succeed([*pip, wheel], directory)
    yield directory
    shutil.rmtree(directory)


def test_the_wheel_has_the_package_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].removesuffix(".dist-info") for name in names} == {
        "streamapp",
        "-".join(wheel.stem.split("-")[:2]),
    }


def test_the_wheel_has_all_modules_and_the_marker_of_types(wheel: Path) -> None:
    package = {f"{path.relative_to(ROOT)}" for path in (ROOT / "streamapp").rglob("*.py")} | {"streamapp/py.typed"}
    assert package <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_the_model_with_its_card_and_the_rules(wheel: Path) -> None:
    risk = "streamapp/pipelines/risk"
    data = {f"{risk}/{name}" for name in ("model/risk.onnx", "model/card.json", "model/roc.png", "rules.toml")}
    assert data <= set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_has_the_license(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        assert archive.read(name) == (ROOT / "LICENSE").read_bytes()


def test_the_package_is_imported_from_where_it_is_installed(venv: Path, tmp_path: Path) -> None:
    told = succeed([venv / "bin/python", "-c", "import streamapp; print(streamapp.__file__)"], tmp_path)
    assert Path(told.strip()).is_relative_to(venv)


def test_the_library_of_joins_comes_without_faust(venv: Path, tmp_path: Path) -> None:
    looked = "import streamapp.joins, sys; print('faust' in sys.modules)"
    assert succeed([venv / "bin/python", "-c", looked], tmp_path) == "False\n"


def test_what_is_installed_goes_together(venv: Path, tmp_path: Path) -> None:
    succeed([venv / "bin/python", "-m", "pip", "check"], tmp_path)


def test_help_names_the_commands(venv: Path, tmp_path: Path) -> None:
    told = succeed([venv / "bin/streamapp", "--help"], tmp_path)
    assert all(command in told for command in ("demo", "kafka", "produce", "replay", "worker"))


def test_a_case_of_the_contract_is_replayed(venv: Path, tmp_path: Path) -> None:
    cases = json.loads(CASES.read_bytes())
    case = next(case for case in cases["cases"] if any(step["expected"] for step in case["steps"]))
    (tmp_path / "case.json").write_text(json.dumps({**cases, "cases": [case]}))
    told = succeed([venv / "bin/streamapp", "replay", "case.json"], tmp_path)
    assert len(told.splitlines()) == len(case["steps"])


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("kafka", "streamapp kafka: the embedded Kafka needs pip install 'streamapp[embedded]'\n"),
        ("produce", "streamapp produce: producing needs pip install 'streamapp[produce]'\n"),
        ("worker", "streamapp: a store in Redis needs pip install 'streamapp[redis]'\n"),
    ],
    ids=["embedded", "produce", "redis"],
)
def test_a_missing_extra_is_one_line(venv: Path, tmp_path: Path, command: str, line: str) -> None:
    ran = run([venv / "bin/streamapp", command], tmp_path, STREAMAPP_STORE="redis://127.0.0.1")
    assert (ran.returncode, ran.stderr) == (1, line)
