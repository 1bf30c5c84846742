"""Results of the click join are shown as JSON, whatever both sides and the results are written as."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.formats.named import FormatName
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Reason, Row
from streamapp.pipelines.clicks.settings import FORMATS, ClickSettings
from streamapp.pipelines.clicks.shown import joined_shown, unmatched_shown
from streamapp.pipelines.clicks.sides import Sides

CLICK = {"click_id": "c1", "user_id": "u1", "url": "/é", "timestamp": 1_700_000_000_000}
PROFILE = {"user_id": "u1", "name": "Ann", "country": "NZ", "plan": "x" * 300}
NOW = 1_731_000_000.25


def sides_of(click: FormatName, profile: FormatName, joined: FormatName) -> Sides:
    return Sides.of(ClickSettings(click_format=click, profile_format=profile, joined_format=joined))


def record(value: bytes) -> Any:
    return SimpleNamespace(key=b"u1", value=value, timestamp=0, headers=())


def as_json(shown: Any, value: bytes) -> Any:
    return json.loads(value if shown is None else shown(value))


@pytest.mark.parametrize(("click", "profile", "joined"), list(itertools.product(FORMATS, repeat=3)))
def test_a_result_of_each_pair_of_formats_in_each_format_is_shown_as_json(
    click: FormatName, profile: FormatName, joined: FormatName
) -> None:
    sides = sides_of(click, profile, joined)
    splicing, shown = sides.splicing(), joined_shown(sides)
    clicked = record(sides.clicks.format.from_json(json.dumps(CLICK).encode()))
    row = Row(sides.profiles.kept(record(sides.profiles.format.from_json(json.dumps(PROFILE).encode()))), 0)
    made = splicing.joined([(clicked, row), (clicked, None)], NOW)
    found = [as_json(shown, value or b"") for _, value in made]
    assert found == [
        {"click": CLICK, "profile": PROFILE, "join_timestamp": NOW},
        {"click": CLICK, "profile": None, "join_timestamp": NOW},
    ]
    unmatched = splicing.unmatched(clicked, Reason.EXPIRED)
    assert as_json(unmatched_shown(sides), unmatched) == {"click": CLICK, "reason": "expired"}


@pytest.mark.parametrize("data", [b"\x0a\x05ab", b"\x3a\x00", b"\x0a", b"\x19\x00"])
def test_bytes_that_are_no_result_are_not_shown_as_one(data: bytes) -> None:
    shown = joined_shown(sides_of(FormatName.PROTOBUF, FormatName.PROTOBUF, FormatName.PROTOBUF))
    assert shown is not None
    with pytest.raises(Undecodable):
        shown(data)
