"""Results of the click join are the same of each pair of formats, and in each format, and so are they read again."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest

from streamapp.formats.named import FormatName
from streamapp.joins import Reason, Row
from streamapp.pipelines.clicks.formats import Sides
from streamapp.pipelines.clicks.settings import FORMATS, JOINED, UNMATCHED, ClickSettings

CLICK = {"click_id": "c1", "user_id": "u1", "url": "/é", "timestamp": 1_700_000_000_000}
PROFILE = {"user_id": "u1", "name": "Ann", "country": "NZ", "plan": "x" * 300}
NOW = 1_731_000_000.25


def record(value: bytes) -> Any:
    return SimpleNamespace(key=b"u1", value=value, timestamp=0, headers=())


@pytest.mark.parametrize(("click", "profile", "joined"), list(itertools.product(FORMATS, repeat=3)))
def test_a_result_of_each_pair_of_formats_in_each_format_is_the_same(
    click: FormatName, profile: FormatName, joined: FormatName
) -> None:
    sides = Sides.of(ClickSettings(click_format=click, profile_format=profile, joined_format=joined))
    splicing, formats = sides.splicing(), sides.formats()
    clicked = record(sides.clicks.format.from_json(json.dumps(CLICK).encode()))
    row = Row(sides.profiles.kept(record(sides.profiles.format.from_json(json.dumps(PROFILE).encode()))), 0)
    made = splicing.joined([(clicked, row), (clicked, None)], NOW)
    found = [json.loads(formats[JOINED].to_json(value or b"")) for _, value in made]
    assert found == [
        {"click": CLICK, "profile": PROFILE, "join_timestamp": NOW},
        {"click": CLICK, "profile": None, "join_timestamp": NOW},
    ]
    unmatched = splicing.unmatched(clicked, Reason.EXPIRED)
    assert json.loads(formats[UNMATCHED].to_json(unmatched)) == {"click": CLICK, "reason": "expired"}
