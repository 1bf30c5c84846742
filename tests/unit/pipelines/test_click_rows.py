"""Rows of profiles say what they are."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.formats.named import FormatName
from streamapp.pipelines.clicks.formats import Side
from streamapp.pipelines.clicks.rows import format_of
from streamapp.pipelines.clicks.settings import PROFILES

KINDS = [FormatName.JSON, FormatName.AVRO, FormatName.PROTOBUF, FormatName.MSGPACK]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("into", KINDS)
def test_a_row_tells_its_format_and_gives_back_the_value(kind: FormatName, into: FormatName) -> None:
    profiles = Side(PROFILES, kind, into, "", "PROFILE_SCHEMA")
    assert profiles.rows is (kind if kind is into else FormatName.JSON)
    for text in ("", "u", "é" * 200):
        value = {"user_id": text, "name": text, "country": "", "plan": ""}
        record: Any = SimpleNamespace(value=profiles.format.from_json(json.dumps(value).encode()), headers=[])
        row = profiles.kept(record)
        assert format_of(row) is profiles.rows
        assert json.loads(profiles.shown(row)) == value
        assert json.loads(profiles.part.to_json(profiles.row_of_result(row))) == value
        assert profiles.row_of_result(row) == profiles.of_result(record) or kind is not into


def test_rows_of_the_first_version_were_json() -> None:
    assert {format_of(row) for row in (b'{"user_id":"u"}', b' {"user_id":7}', b"")} == {FormatName.JSON}
