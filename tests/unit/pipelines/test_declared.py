"""A type that a user declares for clicks or profiles is used, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamapp.pipelines.clicks.declared import declared
from streamapp.pipelines.clicks.models import Click

MODULE = """
from typing import Annotated
import msgspec

class Good(msgspec.Struct):
    user_id: Annotated[str, msgspec.Meta(max_length=20)] | int
    url: str

class Nameless(msgspec.Struct):
    url: str

class Renamed(msgspec.Struct, rename="camel"):
    user_id: str

class Decimal(msgspec.Struct):
    user_id: float

class Strange(msgspec.Struct):
    user_id: str
    what: "nowhere.Type"

class Plain:
    user_id: str
"""


@pytest.fixture(autouse=True)
def _module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "declared_types.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)


def test_without_a_name_the_type_is_ours() -> None:
    assert declared("", Click) is Click


def test_a_type_is_found_in_a_module_of_the_current_directory() -> None:
    assert declared("declared_types:Good", Click).__struct_fields__ == ("user_id", "url")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:Good", "cannot be imported: No module named 'no_such_module'"),
        ("declared_types:Better", "cannot be imported: module 'declared_types' has no attribute 'Better'"),
        ("declared_types:Plain", "is no msgspec.Struct"),
        ("declared_types:msgspec", "is no msgspec.Struct"),
        ("declared_types:Nameless", "must have the field user_id, a str or an int"),
        ("declared_types:Renamed", "must have the field user_id, a str or an int"),
        ("declared_types:Decimal", "must have the field user_id, a str or an int"),
        ("declared_types:Strange", "cannot be read from JSON: name 'nowhere' is not defined"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        declared(name, Click)
    assert "\n" not in str(error.value)
