"""The headers of results tell what results are, and not what the records were that they are made of."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from faust.types import TP

from streamapp.formats import Avro, MessagePack
from streamapp.formats.serde import Serde
from streamapp.kafka.record import Envelope
from streamapp.runtime.batch import Batch, Merged
from streamapp.runtime.output import Output
from streamapp.runtime.unmatched import UnmatchedOutput

CAME = [("Content-Type", b"application/json"), ("__value_schema_id", b"1"), ("__key_schema_id", b"2"), ("own", b"3")]


def record(*headers: tuple[str, bytes]) -> Any:
    return SimpleNamespace(key=b"k", value=b"1", timestamp=5, offset=3, headers=list(headers))


def sent(output: Output, *records: Any) -> list[Any]:
    batch = Batch(TP("clicks", 0), records)
    output.send(batch, [(one, b"1") for one in records])
    return [stamped for results in batch.work.results for stamped, _ in results.results]


@pytest.mark.parametrize(
    ("format_", "media_type"),
    [("avro", b"application/avro"), ("msgpack", b"application/vnd.msgpack"), ("json", b"application/json")],
)
def test_a_result_that_was_made_in_a_format_says_so_and_no_more_which_schema_its_source_had(
    format_: str, media_type: bytes
) -> None:
    output, came = Output(cast(Any, None), "joined"), record(*CAME)
    output.made_as = format_
    plain = record()
    found = sent(output, came, plain)
    assert found[0].headers == [("Content-Type", media_type), ("__key_schema_id", b"2"), ("own", b"3")]
    assert (found[0].key, found[0].timestamp, found[0].source) == (b"k", 5, came)
    assert found[1] is plain


def test_results_without_such_headers_are_sent_as_they_are() -> None:
    output = Output(cast(Any, None), "joined")
    output.made_as = "avro"
    came = [record(("own_schema_id", b"1")), record()]
    assert [one is other for one, other in zip(sent(output, *came), came, strict=True)] == [True, True]


def test_what_is_written_in_the_format_of_its_topic_says_so() -> None:
    output = Output(cast(Any, None), "joined")
    output.serde = Serde(MessagePack(), Avro("string"))
    (found,) = sent(output, record(*CAME, ("my_schema_id", b"4")))
    assert isinstance(found, Envelope)
    assert found.headers == [("Content-Type", b"application/vnd.msgpack"), ("own", b"3"), ("my_schema_id", b"4")]


def test_records_without_a_row_say_where_they_are_from_and_why_they_are_there() -> None:
    unmatched = UnmatchedOutput(cast(Any, None), "unmatched", cast(Any, None), bytes.decode)
    tps = [TP("clicks", 0), TP("clicks", 3)]
    first, second = record(("own", b"3")), record()
    batch = Merged(tps, [0, 1], [first, second])
    by_hand = Envelope(b"k", 5)
    unmatched.send(batch, [(first, b"expired"), (Envelope(b"k", 5, source=second), b"gone"), (by_hand, b"gone")])
    ((one, _), (other, _), (third, _)) = batch.work.results[0].results
    place = [("topic", b"clicks"), ("partition", b"0"), ("offset", b"3"), ("reason", b"expired")]
    assert one.headers == [*place, ("own", b"3")]
    assert dict(other.headers)["partition"] == b"3"
    assert batch.work.results[0].origin_of(other) == (tps[1], second)
    assert third is by_hand
