"""The messages of results are made of those of both sides, and are told as a file that others compile."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.formats import Protobuf
from streamapp.joins import Reason
from streamapp.pipelines.clicks import protobuf_results
from streamapp.pipelines.clicks.splicing import ProtobufSplicing

SCHEMAS = Path(__file__).parents[3] / "streamapp" / "pipelines" / "clicks" / "schemas"
FIELDS = "string user_id = 1; google.protobuf.Timestamp at = 2;"


@pytest.fixture
def sides(tmp_path: Path) -> tuple[Protobuf, Protobuf]:
    (tmp_path / "page.proto").write_text('syntax = "proto3"; package shop; message Page { string url = 1; }')
    head = 'syntax = "proto3"; package shop; import "page.proto"; import "google/protobuf/timestamp.proto";'
    (tmp_path / "view.proto").write_text(f"{head} message View {{ {FIELDS} Page page = 3; }}")
    (tmp_path / "user.proto").write_text(f"{head} message User {{ {FIELDS} Page home = 3; }}")
    return Protobuf(tmp_path / "view.proto"), Protobuf(tmp_path / "user.proto")


def test_results_are_read_by_messages_of_other_files(sides: tuple[Protobuf, Protobuf], tmp_path: Path) -> None:
    view = {"user_id": "u", "at": "2026-01-31T12:00:00Z", "page": {"url": "/"}}
    user = {"user_id": "u", "at": None, "home": {"url": "/home"}}
    joined = protobuf_results.joined(*sides)
    value = {"click": view, "profile": user, "join_timestamp": 1.5}
    data = joined.from_json(json.dumps(value).encode())
    assert json.loads(joined.to_json(data)) == value
    (tmp_path / "joined.proto").write_text(protobuf_results.text(joined))
    theirs = Protobuf(tmp_path / "joined.proto")
    assert json.loads(theirs.to_json(data)) == value


def test_the_results_of_the_demo_are_those_of_its_file() -> None:
    click, profile = (Protobuf(SCHEMAS / "clicks.proto", name) for name in ("Click", "Profile"))
    sent: Any = SimpleNamespace(value=click.from_json(b'{"user_id":"u"}'))
    data = ProtobufSplicing().unmatched(sent, Reason.UNMATCHED)
    for found in (protobuf_results.unmatched(click), Protobuf(SCHEMAS / "clicks.proto", "Unmatched")):
        assert json.loads(found.to_json(data))["reason"] == "unmatched"
    assert ".streamapp.clicks.Profile profile = 2;" in protobuf_results.text(protobuf_results.joined(click, profile))
