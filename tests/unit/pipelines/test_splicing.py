"""Results that are put together of the bytes of both sides are what the format makes of the same result."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf
from streamapp.formats.undecodable import Undecodable
from streamapp.joins import Reason, Row
from streamapp.pipelines.clicks.result_schemas import result_schemas
from streamapp.pipelines.clicks.results import reason_of
from streamapp.pipelines.clicks.splicing import (
    AvroSplicing,
    JsonSplicing,
    MessagePackSplicing,
    ProtobufSplicing,
    Splicing,
    Translating,
)

SCHEMAS = Path(__file__).parents[3] / "streamapp" / "pipelines" / "clicks" / "schemas"
CLICK, PROFILE = ({**json.loads((SCHEMAS / f"{name}.avsc").read_text())} for name in ("click", "profile"))


def record(**types: Any) -> Avro:
    return Avro({"type": "record", "name": "R", "fields": [{"name": name, "type": types[name]} for name in types]})


def proto(message: str) -> Protobuf:
    return Protobuf(SCHEMAS / "clicks.proto", message).bound("clicks")


RESULTS = result_schemas(Avro(CLICK), Avro(PROFILE))
assert RESULTS is not None
JOINED, UNMATCHED = RESULTS
#: What puts together; clicks, profiles, results and unmatched clicks.
FORMATS: dict[str, tuple[Splicing, Format, Format, Format, Format]] = {
    "json": (JsonSplicing(), Json(), Json(), Json(), Json()),
    "msgpack": (MessagePackSplicing(), MessagePack(), MessagePack(), MessagePack(), MessagePack()),
    "avro": (
        AvroSplicing(RESULTS),
        Avro(CLICK),
        Avro(PROFILE),
        JOINED,
        UNMATCHED,
    ),
    "protobuf": (ProtobufSplicing(), proto("Click"), proto("Profile"), proto("Joined"), proto("Unmatched")),
}
#: Long enough for lengths of one, two and three bytes.
URLS = st.one_of(st.text(st.characters(codec="utf-8"), max_size=5), st.sampled_from(["x" * 200, "x" * 20_000]))
CLICKS = st.builds(
    lambda url, at: {"click_id": "c", "user_id": "u", "url": url, "timestamp": at}, URLS, st.integers(0, 1 << 50)
)
PROFILES = st.none() | URLS.map(lambda name: {"user_id": "u", "name": name, "country": "NZ", "plan": ""})
NOW = 1_731_000_000.25


def encoded(format_: Format, value: object) -> bytes:
    return format_.from_json(msgspec.json.encode(value))


@pytest.mark.parametrize("name", FORMATS)
@settings(deadline=None)
@given(click=CLICKS, profile=PROFILES)
def test_a_result_is_that_of_the_decoded_sides(
    name: str, click: dict[str, Any], profile: dict[str, Any] | None
) -> None:
    splicing, clicks, profiles, joined, _ = FORMATS[name]
    sent: Any = SimpleNamespace(value=encoded(clicks, click))
    row = None if profile is None else Row(encoded(profiles, profile), 1)
    ((stamped, value),) = splicing.joined([(sent, row)], NOW)
    assert id(stamped) == id(sent)
    assert splicing.is_of(value or b"", sent.value)
    assert json.loads(joined.to_json(value or b"")) == {"click": click, "profile": profile, "join_timestamp": NOW}


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("reason", [Reason.UNMATCHED, Reason.EXPIRED])
@settings(deadline=None)
@given(click=CLICKS)
def test_an_unmatched_click_has_the_reason_which_is_read_again(
    name: str, reason: Reason, click: dict[str, Any]
) -> None:
    splicing, clicks, _, _, unmatched = FORMATS[name]
    sent: Any = SimpleNamespace(value=encoded(clicks, click))
    value = splicing.unmatched(sent, reason)
    assert json.loads(unmatched.to_json(value)) == {"click": click, "reason": reason.value}
    assert reason_of(value) is reason
    assert splicing.is_of(value, sent.value)


def test_what_is_made_of_another_click_is_not_taken_for_one_of_a_click() -> None:
    for name, (splicing, clicks, _, _, _) in FORMATS.items():
        one, other = (encoded(clicks, {"user_id": "u", "click_id": click}) for click in ("c1", "c2"))
        sent: Any = SimpleNamespace(value=one)
        ((_, value),) = splicing.joined([(sent, None)], NOW)
        assert [splicing.is_of(value or b"", click) for click in (one, other)] == [True, False], name


@pytest.mark.parametrize("first", [b"\x82", b"\x83"])
def test_a_result_in_avro_that_begins_as_messagepack_does_is_found(first: bytes) -> None:
    click: Any = SimpleNamespace(value=first + b"\x01u")
    splicing = AvroSplicing(RESULTS)
    ((_, value),) = splicing.joined([(click, None)], NOW)
    assert splicing.is_of(value or b"", click.value)


def test_results_whose_schema_is_told_otherwise_are_bare() -> None:
    click: Any = SimpleNamespace(value=encoded(Avro(CLICK), {"user_id": "u"}))
    splicing, framed = AvroSplicing(), AvroSplicing(RESULTS)
    for bare, value in (
        (splicing.joined([(click, None)], NOW)[0][1], framed.joined([(click, None)], NOW)[0][1]),
        (splicing.unmatched(click, Reason.EXPIRED), framed.unmatched(click, Reason.EXPIRED)),
    ):
        assert bare == (value or b"")[10:]
        assert splicing.is_of(bare or b"", click.value)


def test_a_click_that_names_its_schema_goes_into_results_without() -> None:
    clicks = Avro(CLICK)
    bare = encoded(clicks, {"user_id": "u", "url": "/"})
    splicing = AvroSplicing(RESULTS, clicks=clicks)
    for value in (bare, clicks.prefix + bare):
        click: Any = SimpleNamespace(value=value)
        ((_, made),) = splicing.joined([(click, None)], NOW)
        assert json.loads(JOINED.to_json(made or b""))["click"]["url"] == "/"
        assert json.loads(UNMATCHED.to_json(splicing.unmatched(click, Reason.UNMATCHED)))["click"]["url"] == "/"


def test_a_row_in_protobuf_goes_into_results_without_its_frame() -> None:
    splicing = ProtobufSplicing(b"\xc1")
    for name in ("n", "x" * 200):
        row = Row(b"\xc1" + encoded(proto("Profile"), {"user_id": "u", "name": name}), 1)
        click: Any = SimpleNamespace(value=encoded(proto("Click"), {"user_id": "u"}))
        ((_, value),) = splicing.joined([(click, row)], NOW)
        assert json.loads(proto("Joined").to_json(value or b""))["profile"]["name"] == name


def test_rows_of_an_earlier_schema_become_those_of_the_declared_one() -> None:
    earlier = Avro({**PROFILE, "fields": PROFILE["fields"][:2]})
    rows = Avro(PROFILE, earlier=(earlier.schema,))
    old = Row(earlier.prefix + encoded(earlier, {"user_id": "u", "name": "n"}), 1)
    click: Any = SimpleNamespace(value=encoded(Avro(CLICK), {"user_id": "u"}))
    ((_, value),) = AvroSplicing(RESULTS, rows=rows).joined([(click, old)], NOW)
    assert json.loads(FORMATS["avro"][3].to_json(value or b""))["profile"] == {
        "user_id": "u",
        "name": "n",
        "country": "",
        "plan": "",
    }


def test_a_row_of_an_unknown_schema_makes_no_result() -> None:
    other = record(n="int")
    row, click = Row(other.prefix + b"\x02", 1), SimpleNamespace(value=b"\x02u")
    with pytest.raises(Undecodable, match="is not known"):
        AvroSplicing(RESULTS, rows=Avro(PROFILE)).joined([(click, row)], NOW)  # type: ignore[list-item]


def test_sides_of_other_formats_are_translated_before_they_are_put_together() -> None:
    into = proto("Profile")
    made = Translating(JsonSplicing(), lambda click: b'{"of":%b}' % click.value, into.to_json)
    click: Any = SimpleNamespace(value=b"1")
    ((stamped, value),) = made.joined([(click, Row(encoded(into, {"user_id": "u"}), 1))], NOW)
    assert stamped is click
    found = json.loads(value or b"")
    assert (found["click"], found["profile"]["user_id"]) == ({"of": 1}, "u")
