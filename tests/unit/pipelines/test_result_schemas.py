"""The schemas of the click join's results, made of those of both sides."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from streamapp.errors import StreamappError
from streamapp.formats import Avro, Json, MessagePack, Protobuf
from streamapp.pipelines.clicks.demo_schemas import DEMO_PROTO
from streamapp.pipelines.clicks.result_schemas import ResultSchemas, result_schemas

USER: dict[str, Any] = {"name": "user_id", "type": "string"}
PLACE: dict[str, Any] = {"type": "record", "name": "geo.Place", "fields": [{"name": "country", "type": "string"}]}


def record(name: str, *fields: dict[str, Any]) -> Avro:
    return Avro({"type": "record", "name": name, "fields": [USER, *fields]})


def of(click: Avro | Protobuf, profile: Avro | Protobuf) -> ResultSchemas:
    found = result_schemas(click, profile)
    assert found is not None
    return found


def test_an_avro_result_is_the_click_the_profile_or_null_and_the_time() -> None:
    click, profile = record("Click"), record("Profile")
    one = click.from_json(b'{"user_id":"u1"}')
    schemas = of(click, profile)
    without = one + b"\0" + struct.pack("<d", 1.5)
    assert json.loads(schemas.joined.to_json(without)) == {
        "click": {"user_id": "u1"},
        "profile": None,
        "join_timestamp": 1.5,
    }
    unmatched = json.loads(schemas.unmatched.to_json(one + b"\x12unmatched"))
    assert unmatched == {"click": {"user_id": "u1"}, "reason": "unmatched"}


def test_a_type_that_both_sides_have_is_defined_once() -> None:
    field = {"name": "at", "type": PLACE}
    schemas = of(record("Click", field), record("Profile", field))
    assert isinstance(schemas.joined, Avro)
    assert str(schemas.joined.schema).count("'country'") == 1
    assert schemas.joined.parsed


def plain(name: str, **types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": types[field]} for field in types]}


ADDRESS = plain("shop.Address", city="string")
TREE = plain("shop.Tree", inner={"type": "array", "items": "shop.Tree"})


@pytest.mark.parametrize(
    ("click", "profile"),
    [
        (plain("Click", to=ADDRESS), plain("Profile", home=ADDRESS, work="shop.Address")),
        (plain("Click", to=ADDRESS), plain("Profile", home={**ADDRESS, "fields": [{"name": "n", "type": "int"}]})),
        (plain("topLevelRecord", n="int"), plain("topLevelRecord", n="string")),
        (plain("Same", n="int"), plain("Same", n="int")),
        (plain("Click", tree=TREE), plain("Profile", tree=plain("shop.Tree", next=["null", "shop.Tree"]))),
        (
            plain("C", b=plain("B", n="int"), a=plain("A", b="B")),
            plain("P", b=plain("B", n="string"), a=plain("A", b="B")),
        ),
    ],
)
def test_types_of_both_sides_may_have_the_same_names(click: Any, profile: Any) -> None:
    sides = Avro(click), Avro(profile)
    values = [_example(click, {}), _example(profile, {})]
    first, second = (side.from_json(json.dumps(value).encode()) for side, value in zip(sides, values, strict=True))
    joined = of(*sides).joined
    assert isinstance(joined, Avro)
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


def written(directory: Path, file: str, text: str) -> Path:
    path = directory / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'syntax = "proto3";\npackage own;\n{text}\n')
    return path


def test_a_protobuf_result_has_both_messages_under_the_numbers_of_the_demo(tmp_path: Path) -> None:
    click = Protobuf(written(tmp_path, "click.proto", "message Click { string user_id = 7; }"))
    profile = Protobuf(written(tmp_path, "profile.proto", "message Profile { string user_id = 9; }"))
    value = {"click": {"user_id": "u1"}, "profile": {"user_id": "u2"}, "join_timestamp": 1.5}
    data = of(click, profile).joined.from_json(json.dumps(value).encode())
    assert data == b"\x0a\x04\x3a\x02u1" + b"\x12\x04\x4a\x02u2" + b"\x19" + struct.pack("<d", 1.5)


def test_two_files_of_one_name_are_one_line(tmp_path: Path) -> None:
    click = Protobuf(written(tmp_path / "a", "value.proto", "message Click { string user_id = 1; }"))
    profile = Protobuf(written(tmp_path / "b", "value.proto", "message Profile { string user_id = 1; }"))
    with pytest.raises(StreamappError, match=r"clicks and profiles have two files value.proto: rename one of them"):
        of(click, profile)


def test_the_demos_messages_are_in_its_own_file() -> None:
    source = f"{DEMO_PROTO}"
    assert of(Protobuf(source, "Click"), Protobuf(source, "Profile")) == ResultSchemas(
        Protobuf(DEMO_PROTO, "Joined"), Protobuf(DEMO_PROTO, "Unmatched")
    )


def test_json_and_messagepack_need_no_schema() -> None:
    assert result_schemas(Json(), Json()) is None
    assert result_schemas(MessagePack(), MessagePack()) is None
