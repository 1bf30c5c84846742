"""What is replaced, copied or called by a private name is what was read."""

from __future__ import annotations

from pathlib import Path

import pytest
import seams

import streamapp

PACKAGE = Path(streamapp.__file__).parent


@pytest.mark.parametrize("seam", seams.table(), ids=lambda seam: seam.name)
def test_a_source_is_the_one_that_was_read(seam: seams.Seam) -> None:
    relies = f"what relies on it: {', '.join(f'streamapp/{file}' for file in seam.relied_on_by)}"
    try:
        installed = seams.Seam.installed(seam.name, seam.relied_on_by)
    except AttributeError:
        pytest.fail(f"{seam.name} is not there any more, which {seam.version} had; {relies}", pytrace=False)
    if installed.source != seam.source:
        pytest.fail(
            f"read it again: {seam.name} of {installed.version} has changed since {seam.version}; {relies}; "
            "then run tests/seams/seams.py",
            pytrace=False,
        )


def test_every_function_that_a_class_of_ours_overrides_is_in_the_table() -> None:
    listed = {(seam.name, file) for seam in seams.table() for file in seam.relied_on_by}
    replaced = {(name, file) for name, files in seams.overridden().items() for file in files}
    assert replaced - listed == set(), "run tests/seams/seams.py"


def test_the_files_that_are_said_to_rely_on_a_seam_are_there() -> None:
    assert {file for seam in seams.table() for file in seam.relied_on_by if not (PACKAGE / file).is_file()} == set()


def test_a_comment_or_a_line_break_changes_no_digest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one_way.py").write_text("def f(a, b):\n    return a + b\n")
    (tmp_path / "other_way.py").write_text("def f(a,\n      b):\n    # the sum\n    return a + b  # of both\n")
    (tmp_path / "changed.py").write_text("def f(a, b):\n    return a - b\n")
    monkeypatch.syspath_prepend(tmp_path)
    one, other, changed = (seams.digest(seams.found(f"{name}.f")) for name in ("one_way", "other_way", "changed"))
    assert one == other != changed
