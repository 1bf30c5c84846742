"""Rows of profiles say what they are."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.formats import Side
from streamapp.pipelines.clicks.rows import format_of
from streamapp.pipelines.clicks.settings import PROFILES

KINDS = [FormatName.JSON, FormatName.AVRO, FormatName.PROTOBUF, FormatName.MSGPACK]
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def side(kind: FormatName, into: FormatName) -> Side:
    return Side(PROFILES, kind, into, "", "PROFILE_SCHEMA")


SIDES = {(kind, into): side(kind, into) for kind in KINDS for into in KINDS}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("into", KINDS)
@given(user=TEXT, name=TEXT)
def test_a_row_tells_its_format_and_gives_back_the_value(
    kind: FormatName, into: FormatName, user: str, name: str
) -> None:
    profiles = SIDES[kind, into]
    value = {"user_id": user, "name": name, "country": "", "plan": ""}
    record: Any = SimpleNamespace(value=profiles.format.from_json(json.dumps(value).encode()), headers=[])
    row = profiles.kept(record)
    assert format_of(row) is profiles.rows
    assert profiles.rows is (kind if kind is into else FormatName.JSON)
    assert json.loads(profiles.shown(row)) == value
    assert json.loads(profiles.part.to_json(profiles.row_of_result(row))) == value
    assert profiles.row_of_result(row) == profiles.of_result(record) or kind is not into


def test_rows_of_the_first_version_were_json() -> None:
    assert {format_of(row) for row in (b'{"user_id":"u"}', b' {"user_id":7}', b"")} == {FormatName.JSON}
