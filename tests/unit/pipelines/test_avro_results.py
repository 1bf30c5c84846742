"""The schemas of results are made of those of both sides, whatever types these have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamapp.formats import Avro
from streamapp.pipelines.clicks import avro_results


def record(name: str, **types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": types[field]} for field in types]}


ADDRESS = record("shop.Address", city="string")
TREE = record("shop.Tree", inner={"type": "array", "items": "shop.Tree"})


@pytest.mark.parametrize(
    ("click", "profile"),
    [
        (record("Click", to=ADDRESS), record("Profile", home=ADDRESS, work="shop.Address")),
        (record("Click", to=ADDRESS), record("Profile", home={**ADDRESS, "fields": [{"name": "n", "type": "int"}]})),
        (record("topLevelRecord", n="int"), record("topLevelRecord", n="string")),
        (record("Same", n="int"), record("Same", n="int")),
        (record("Click", tree=TREE), record("Profile", tree=record("shop.Tree", next=["null", "shop.Tree"]))),
        (
            record("C", b=record("B", n="int"), a=record("A", b="B")),
            record("P", b=record("B", n="string"), a=record("A", b="B")),
        ),
    ],
)
def test_types_of_both_sides_may_have_the_same_names(click: Any, profile: Any) -> None:
    sides = Avro(click), Avro(profile)
    values = [_example(click, {}), _example(profile, {})]
    first, second = (side.from_json(json.dumps(value).encode()) for side, value in zip(sides, values, strict=True))
    joined = avro_results.joined(*sides)
    data = joined.prefix + first + b"\x02" + second + bytes(8)
    assert json.loads(joined.to_json(data)) == {"click": values[0], "profile": values[1], "join_timestamp": 0}


def _example(schema: Any, named: dict[str, Any]) -> Any:
    if isinstance(schema, list):
        return None
    if isinstance(schema, str):
        return {"int": 7, "string": "x"}[schema] if schema not in named else _example(named[schema], named)
    if schema["type"] == "array":
        return []
    named[schema["name"]] = schema
    return {field["name"]: _example(field["type"], named) for field in schema["fields"]}


def test_the_results_of_the_demo_have_the_names_of_its_messages() -> None:
    click, profile = Avro(record("streamapp.clicks.Click", n="int")), Avro(record("streamapp.clicks.Profile", n="int"))
    names = [one.parsed["name"] for one in (avro_results.joined(click, profile), avro_results.unmatched(click))]
    assert names == ["streamapp.clicks.Joined", "streamapp.clicks.Unmatched"]
