"""Which records can be used, and what is wrong with the others."""

from __future__ import annotations

import base64
import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from streamapp.formats.undecodable import Reason
from streamapp.pipelines.clicks.models import Click, Profile
from streamapp.runtime.batch import Batch
from streamapp.runtime.decoding import Decoder

clicks = Decoder(Click, key=lambda click: click.user_id, remedy="rekey it")
profiles = Decoder(Profile, key=lambda profile: profile.user_id, tombstones=True)

GOOD = b'{"user_id":"u","n":1}'


class Order(msgspec.Struct):
    """A type that a user may declare."""

    user_id: str
    amount: int


orders = Decoder(Order, key=lambda order: order.user_id)
ORDER = b'{"user_id":"u","amount":9}'


def record(value: bytes | None, key: bytes | None = b"u", headers: Any = ()) -> Any:
    return SimpleNamespace(key=key, value=value, headers=headers, timestamp=5, offset=3)


def event(data: dict[str, Any], **attributes: object) -> bytes:
    return json.dumps({"specversion": "1.0", "id": "1", "source": "/", "type": "click", **attributes, **data}).encode()


def typed(value: bytes | None, media_type: bytes | None, name: str = "content-type", key: bytes | None = b"u") -> Any:
    return record(value, key, [(name, media_type)])


@pytest.mark.parametrize(
    ("bad", "reason", "error"),
    [
        (record(b"{"), Reason.NOT_JSON, "truncated"),
        (record(b'{"user_id":"u","more":"\xff"}'), Reason.NOT_JSON, "utf-8"),
        (record(b"\x00\x00\x00\x00\x07\x02u"), Reason.NOT_JSON, "Avro or Protobuf of a schema registry (schema 7"),
        (record(b'{"more":' * 20_000), Reason.NOT_JSON, "recursion"),
        (record(b"[]"), Reason.WRONG_TYPE, "array"),
        (record(b"{}"), Reason.MISSING_FIELD, "`user_id`"),
        (record(b'{"in":{"user_id":"u"}}'), Reason.MISSING_FIELD, "`user_id`"),
        *[
            (record(b'{"user_id":%b}' % value), Reason.WRONG_TYPE, "$.user_id")
            for value in (b"1.5", b"7.0", b"true", b"null", b"[]", b"{}", b'""')
        ],
        (record(GOOD, key=None), Reason.NULL_KEY, "the record has no key: rekey it"),
        (record(GOOD, key=b"v"), Reason.KEY_MISMATCH, "the key b'v' is not that of the value, 'u': rekey it"),
        (
            record(GOOD, key=b'"u"'),
            Reason.KEY_MISMATCH,
            "the key b'\"u\"' is the user_id with JSON quotes: rekey it",
        ),
        (record(None), Reason.TOMBSTONE, "no tombstones"),
        (record(None, key=None), Reason.NULL_KEY, "neither a key nor a value"),
        (typed(GOOD, b"text/plain"), Reason.UNKNOWN_CODEC, "text/plain"),
        (typed(GOOD, b"application/x-ndjson"), Reason.UNKNOWN_CODEC, "application/x-ndjson"),
        (typed(GOOD, b"application/cloudevents+avro"), Reason.UNKNOWN_CODEC, "is not JSON"),
        (
            typed(b"[]", b"application/cloudevents-batch+json; charset=utf-8"),
            Reason.UNKNOWN_CODEC,
            "batch of CloudEvents",
        ),
        (typed(GOOD, b"application/cloudevents+json"), Reason.MISSING_FIELD, "neither data nor data_base64"),
        (typed(event({"data": {}}), b"application/cloudevents+json"), Reason.MISSING_FIELD, "`user_id`"),
        (typed(event({"data": "u"}), b"application/cloudevents+json"), Reason.WRONG_TYPE, "got `str`"),
        (typed(event({"data_base64": "?"}), b"application/cloudevents+json"), Reason.NOT_JSON, "not base64"),
        (
            typed(event({"data": "<u/>"}, datacontenttype="text/xml"), b"application/cloudevents+json"),
            Reason.UNKNOWN_CODEC,
            "datacontenttype 'text/xml'",
        ),
    ],
)
def test_a_bad_click_is_told_with_its_reason(bad: Any, reason: Reason, error: str) -> None:
    (rejected,) = clicks.split(Batch(TP("clicks", 0), [bad]))[1]
    assert rejected.reason is reason
    assert error in rejected.error


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'{"user_id":"u"}', b"u"),
        (b'{"user_id":7,"page_url":"/","timestamp":1.5}', b"7"),
        (b'{"user_id":"7"}', b"7"),
        (b'{"user_id":-7}', b"-7"),
        (b'{"user_id":123456789012345678901234567890}', b"123456789012345678901234567890"),
        (b'{"user\\u005fid":"u"}', b"u"),
        (b'{"user_id":"a\\u0062"}', b"ab"),
        ('{"user_id":"é"}'.encode(), "é".encode()),
        (b'{"user_id":"first","in":{"user_id":"v"},"user_id":"u"}', b"u"),
        (b'{"user_id":null,"user_id":"u"}', b"u"),
        (b' {"more":[1,{"x":null}],"user_id":"u"}\n', b"u"),
    ],
)
def test_any_object_with_a_user_id_is_good_and_its_key_is_what_a_json_parser_reads(value: bytes, key: bytes) -> None:
    good, bad = clicks.split(Batch(TP("clicks", 0), [record(value, key)]))
    assert ([one.value for one in good], bad) == ([value], [])
    assert clicks.key(record(value, None)) == key


@pytest.mark.parametrize(
    "media_type",
    [
        None,
        b"",
        b"application/json",
        b"json",
        b"text/json",
        b"APPLICATION/JSON ; charset=UTF-8",
        b"application/vnd.shop.click+json",
        b"application/ld+JSON; profile=x",
    ],
)
@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
def test_a_value_is_json_by_its_content_type(media_type: bytes | None, name: str) -> None:
    good, bad = clicks.split(Batch(TP("clicks", 0), [typed(GOOD, media_type, name), typed(GOOD, b"text/json")]))
    assert (len(good), bad) == (2, [])


@pytest.mark.parametrize(
    "value",
    [
        event({"data": {"user_id": "u"}}),
        event({"data": {"user_id": "u"}}, datacontenttype="application/vnd.shop+json"),
        event({"data": {"user_id": "u"}}, user_id="not this"),
        event({"data_base64": base64.b64encode(GOOD).decode()}),
    ],
)
def test_a_cloudevent_in_structured_mode_is_joined_by_its_data_and_stays_as_it_came(value: bytes) -> None:
    came = typed(value, b"Application/CloudEvents+json; charset=utf-8")
    good, bad = clicks.split(Batch(TP("clicks", 0), [came, record(GOOD)]))
    assert ([one.value for one in good], good.keys, bad) == ([value, GOOD], [b"u", b"u"], [])


def test_results_of_a_cloudevent_do_not_say_that_they_are_one() -> None:
    came = record(
        event({"data": {"user_id": "u"}}), b"u", [("a", b"1"), ("content-type", b"application/cloudevents+json")]
    )
    found: Any = clicks.split(Batch(TP("clicks", 0), [came]))
    ((good,), _) = found
    assert good.headers == [("a", b"1"), ("content-type", b"application/json")]
    assert (good.key, good.timestamp, good.offset, good.source) == (came.key, came.timestamp, came.offset, came)


def test_a_cloudevent_in_binary_mode_is_joined_by_its_value() -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("content-type", b"application/json")]
    good, bad = clicks.split(Batch(TP("clicks", 0), [record(GOOD, b"u", headers)]))
    assert (next(iter(good)).headers, bad) == (headers, [])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"user_id":"u"}', Reason.MISSING_FIELD),
        (b'{"user_id":"u","amount":"5"}', Reason.WRONG_TYPE),
        (b'{"user_id":"u","amount":5}', None),
        (b'{"user_id":"u","amount":"5","amount":5}', None),
    ],
)
def test_what_a_type_declares_beyond_is_demanded(value: bytes, reason: Reason | None) -> None:
    _, bad = orders.split(Batch(TP("orders", 0), [record(value)]))
    assert [one.reason for one in bad] == [reason] * (reason is not None)


def test_a_tombstone_of_a_profile_is_good_whatever_its_content_type() -> None:
    assert profiles.decode(record(None)) is None
    assert profiles.decode(typed(None, b"application/avro")) is None


@given(st.lists(st.binary(max_size=60) | st.just(GOOD)))
def test_every_record_is_either_good_or_bad_and_in_order(values: list[bytes]) -> None:
    batch = Batch(TP("clicks", 0), [record(value) for value in values])
    good, bad = clicks.split(batch)
    kept = list(good)
    rejected = [one.record for one in bad]
    assert [entry for entry in batch if entry in kept] == kept
    assert len(kept) + len(rejected) == len(values)


@pytest.mark.parametrize(
    "unsure",
    [
        record(None),
        record(GOOD, b"v"),
        record(b"{}"),
        record(b"{"),
        record(b'{"user_id":"u","more":"\xff"}'),
        record(b'{"user_id":"u","more":"\xc3\xa9"}'),
        record(b'{"more":' * 20_000),
        typed(event({"data": {"user_id": "u"}}), b"application/cloudevents+json"),
        typed(GOOD, b"application/avro"),
    ],
)
def test_many_records_are_decoded_together_unless_one_has_to_be_looked_at(unsure: Any) -> None:
    sure = [record(GOOD), typed(GOOD, b"application/json"), record(GOOD, headers=[("trace", b"1")])]

    assert clicks.together(sure) == [clicks.decode(one) for one in sure]
    assert clicks.together([*sure, unsure]) is None
    assert clicks.together([]) == []


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (record(b"{"), Reason.NOT_JSON),
        (record(b"{}"), Reason.MISSING_FIELD),
        (record(b'{"more":' * 20_000), Reason.NOT_JSON),
        (record(ORDER, b"v"), Reason.KEY_MISMATCH),
    ],
)
@pytest.mark.parametrize("place", [0, 2, 5])
def test_beside_a_bad_record_the_good_ones_are_decoded_once_and_stay_in_order(
    bad: Any, reason: Reason, place: int
) -> None:
    decoded: Counter[int] = Counter()

    def key(order: Order) -> str:
        decoded[order.amount] += 1
        return order.user_id

    values = [record(b'{"user_id":"u","amount":%d}' % number) for number in range(5)]
    batch = Batch(TP("orders", 0), [*values[:place], bad, bad, *values[place:]])
    good, rejected = Decoder(Order, key).split(batch)
    assert list(good) == values
    assert [(one.record, one.reason) for one in rejected] == [(bad, reason)] * 2
    assert {number: decoded[number] for number in range(5)} == dict.fromkeys(range(5), 1)


@pytest.mark.parametrize("bad", [record(b"{"), record(b"{}"), record(b'{"more":' * 20_000), record(ORDER, b"v")])
@pytest.mark.parametrize("place", [0, 2, 5])
def test_of_many_records_those_that_cannot_be_used_are_doubtful_and_all_are_decoded_once(bad: Any, place: int) -> None:
    decoded: list[int] = []

    def key(order: Order) -> str:
        decoded.append(order.amount)
        return order.user_id

    values = [record(b'{"user_id":"u","amount":%d}' % number) for number in range(5)]
    found = Decoder(Order, key).doubtful([*values[:place], bad, bad, *values[place:]])
    assert found == [place, place + 1]
    assert [amount for amount in decoded if amount < 5] == [*range(5)]


def test_of_many_good_records_none_is_doubtful_and_beside_one_that_says_what_it_is_all_are() -> None:
    sure = [record(GOOD), typed(GOOD, b"application/json"), record(GOOD, headers=[("trace", b"1")])]
    assert not clicks.doubtful(sure)
    assert not clicks.doubtful([])
    assert clicks.doubtful([*sure, record(None)]) == [0, 1, 2, 3]
    assert clicks.doubtful([*sure, typed(GOOD, b"application/avro")]) == [0, 1, 2, 3]
