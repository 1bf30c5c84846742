"""The page on the architecture names files and rooms that are there, and each room says what it is."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text()
ROOMS = sorted(path.parent for path in (ROOT / "streamapp").glob("*/__init__.py"))
INIT_LINES = 12  # ten, and what begins and ends a docstring


def named() -> set[str]:
    """Return the paths that stand on the page as code."""
    found = set(re.findall(r"`([\w/*.]+\.(?:py|cfg|md)|[\w/]+/)`", PAGE))
    return {path for path in found if "NAME" not in path}


@pytest.mark.parametrize("path", sorted(named()))
def test_what_the_page_names_is_there(path: str) -> None:
    folders = (ROOT, ROOT / "streamapp", ROOT / "tests" / "unit")
    assert any(found for folder in folders for found in folder.glob(path.rstrip("/")))


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_room_is_in_the_table(room: Path) -> None:
    assert f"`{room.name}/`" in PAGE.split("## The rooms")[1].split("## Where")[0]


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_each_room_says_what_comes_in_and_goes_out(room: Path) -> None:
    said = ast.get_docstring(ast.parse((room / "__init__.py").read_text())) or ""
    assert re.search(r"\bin[,:]", said, re.IGNORECASE)
    assert re.search(r"\bout[,:]", said, re.IGNORECASE)
    assert len(said.splitlines()) <= INIT_LINES
