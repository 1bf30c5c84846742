"""Which records of a format can be used: by their keys alone where that tells, and each looked at once."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from faust.types import TP

from streamapp.formats import Avro, MessagePack
from streamapp.formats.avro_field import field_reader
from streamapp.formats.serde import came
from streamapp.formats.undecodable import Reason
from streamapp.pipelines.clicks.models import Click
from streamapp.pipelines.clicks.values import key_reader
from streamapp.runtime.batch import Batch
from streamapp.runtime.format_decoding import FormatDecoder

EARLIER = {"type": "record", "name": "Click", "fields": [{"name": "user_id", "type": ["null", "string"]}]}
NOW = {**EARLIER, "fields": [*EARLIER["fields"], {"name": "n", "type": "int", "default": 5}]}
AVRO = Avro(NOW, earlier=(EARLIER,))


def record(value: bytes | None, key: bytes | None = b"u") -> Any:
    return SimpleNamespace(key=key, value=value, headers=[], timestamp=5, offset=3)


def encoded(format_: Avro, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


def split(decoder: FormatDecoder[Any], *records: Any) -> tuple[list[Any], list[tuple[Reason, str]]]:
    good, bad = decoder.split(Batch(TP("clicks", 0), records))
    return list(good), [(one.reason, one.error) for one in bad]


def avro(**options: Any) -> FormatDecoder[Click]:
    read = field_reader(AVRO.parsed, "user_id", AVRO.prefix)
    return FormatDecoder(AVRO, Click, lambda click: click.user_id, **{"read": read, "bare": AVRO.bare, **options})


def msgpack(type_: type[Any] | None = None) -> FormatDecoder[Any]:
    read = key_reader(MessagePack(), type_)
    return FormatDecoder(MessagePack(), type_ or Click, lambda click: click.user_id, read=read)


def test_a_key_that_may_be_null_is_read_and_null_is_refused_with_the_field() -> None:
    good, no_good = (record(encoded(AVRO, {"user_id": user, "n": 1}), b"None") for user in ("None", None))
    found, bad = split(avro(), good, no_good)
    assert found == [good]
    ((reason, error),) = bad
    assert reason is Reason.WRONG_TYPE
    assert error.endswith("got `null` - at `$.user_id`")


def test_a_value_that_names_its_schema_stays_as_it_came_and_one_of_an_earlier_schema_becomes_bare() -> None:
    own = record(AVRO.prefix + encoded(AVRO, {"user_id": "u", "n": 1}))
    old = record(encoded(Avro(EARLIER, single_object=True), {"user_id": "u"}))
    found, bad = split(avro(), own, old)
    assert (found[0], bad) == (own, [])
    assert found[1].value == encoded(AVRO, {"user_id": "u", "n": 5})
    assert came(found[1]) is old


def test_beside_a_record_that_is_bad_the_others_are_not_read_twice() -> None:
    looks: Counter[bytes] = Counter()
    read = field_reader(AVRO.parsed, "user_id")
    assert read is not None

    def counted(data: bytes) -> str | int | None:
        looks[data] += 1
        return read(data)

    values = [encoded(AVRO, {"user_id": "u", "n": number}) for number in range(3)]
    found, bad = split(avro(read=counted), *map(record, values), record(b"\xff"), record(None))
    assert (len(found), [reason for reason, _ in bad]) == (3, [Reason.NOT_AVRO, Reason.TOMBSTONE])
    assert [looks[value] for value in values] == [1, 1, 1]


@pytest.mark.parametrize("type_", [None, Click])
def test_messagepack_with_text_that_is_no_utf8_is_refused(type_: type[Any] | None) -> None:
    value = msgspec.msgpack.encode({"user_id": "u", "url": "~~"})
    found, bad = split(msgpack(type_), record(value), record(value.replace(b"~~", b"\xff\xfe")))
    assert [one.value for one in found] == [value]
    ((reason, error),) = bad
    assert reason is Reason.NOT_MSGPACK
    assert "utf-8" in error.lower()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([1], Reason.WRONG_TYPE),
        ({"user_id": True}, Reason.WRONG_TYPE),
        ({"user_id": None}, Reason.WRONG_TYPE),
        ({"user": "u"}, Reason.MISSING_FIELD),
    ],
)
def test_messagepack_without_a_user_id_is_refused(value: object, reason: Reason) -> None:
    _, bad = split(msgpack(), record(msgspec.msgpack.encode(value), b"True"))
    assert [one for one, _ in bad] == [reason]


def test_an_empty_key_is_none() -> None:
    _, bad = split(avro(), record(encoded(AVRO, {"user_id": "", "n": 1}), b""))
    assert [reason for reason, _ in bad] == [Reason.WRONG_TYPE]
