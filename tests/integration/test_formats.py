"""Topics with formats: joins, windows and functions from one into another, in one worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from topics import Topics
from worker import Worker, wait_until

from streamapp.formats import Avro, MessagePack, Protobuf

SCHEMAS = Path(__file__).parent / "schemas"
ORDER = Avro(SCHEMAS / "order.avsc")
#: A producer that was not changed yet: other names and widths, a field more, and others less.
EARLIER = Avro(SCHEMAS / "order_1.avsc", single_object=True)
SUM = Avro(SCHEMAS / "sum.avsc")
CUSTOMER = Protobuf(SCHEMAS / "customer.proto")
NUMBER, TEXT = Avro("long"), Avro("string")
AT = "2026-01-31T12:00:00Z"
ANN = {"id": "ann", "name": "Ann", "email": "ann@example.com", "born": 1_990}
MINUTE = 60_000


def order(number: str, customer: str, amount: float) -> dict[str, Any]:
    return {"id": number, "customer": customer, "amount": amount, "at": AT}


def encoded(format_: Avro | Protobuf | MessagePack, value: object) -> bytes:
    return format_.from_json(json.dumps(value).encode())


def produce(topics: Topics) -> None:
    topics.create("orders", "customers", "payments", "visits", "pages")
    topics.send("customers", "ann", encoded(CUSTOMER, ANN), at=0)
    topics.send("pages", encoded(NUMBER, 7), {"page": "home"}, at=0)
    topics.flush()
    topics.send("orders", "ann", encoded(ORDER, order("o1", "ann", 12.5)), at=1_000)
    earlier = {"id": "o2", "client": "ann", "amount": 2.25, "at": AT, "count": 3, "note": "of an earlier schema"}
    topics.send("orders", "ann", encoded(EARLIER, earlier), at=2_000)
    topics.send("orders", "bob", encoded(ORDER, order("o3", "bob", 40)), at=3_000)
    topics.send("orders", "ann", encoded(ORDER, order("o4", "ann", 1))[:-3], at=4_000)
    topics.send("orders", "ann", b"\xc3\x01\x01\x02\x03\x04\x05\x06\x07\x08rest", at=5_000)
    topics.send("orders", "ann", encoded(ORDER, order("o5", "ann", 1)), at=MINUTE)
    topics.send("payments", "ann", {"of": "o1"}, at=1_500)
    topics.send("visits", encoded(NUMBER, 7), encoded(MessagePack(), {"n": 1}), at=1_000)
    topics.send("visits", encoded(NUMBER, 8), encoded(MessagePack(), {"n": 2}), at=2_000)
    topics.flush()


@pytest.fixture(scope="module")
def ran(kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Topics, Worker]]:
    topics = Topics(kafka.bootstrap, "formats", partitions=2)
    topics.now -= topics.now % MINUTE + 10 * MINUTE
    produce(topics)
    with Worker(tmp_path_factory.mktemp("formats"), app="formats_app", **topics.settings) as worker:
        ends = {"named_orders": 4, "paid": 1, "sums": 1, "unmatched": 1, "large": 2, "seen": 1, "dead_letters": 8}
        for name, end in ends.items():
            wait_until(lambda name=name, end=end: topics.end(name) >= end, f"{name} has {end}")
        yield topics, worker


def values(topics: Topics, name: str, decode: Any) -> list[Any]:
    return [decode(message.value()) for message in topics.read(name)]


def plain(format_: Avro | Protobuf | MessagePack) -> Any:
    return lambda data: json.loads(format_.to_json(data))


def test_a_join_of_avro_with_protobuf_writes_messagepack(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    found = values(topics, "named_orders", msgspec.msgpack.decode)
    named = {one["left"]["id"]: one for one in found}
    assert named["o1"]["left"] == {**order("o1", "ann", 12.5), "tags": {}, "count": 1, "discount": None}
    assert named["o1"]["right"] == ANN
    assert named["o3"]["right"] is None


def test_a_value_of_an_earlier_schema_joins_as_the_declared_one(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    found = {one["left"]["id"]: one["left"] for one in values(topics, "named_orders", msgspec.msgpack.decode)}
    assert found["o2"] == {**order("o2", "ann", 2.25), "tags": {}, "count": 3, "discount": None}


def test_two_streams_of_avro_and_json_join_into_json(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    (paid,) = values(topics, "paid", json.loads)
    assert (paid["left"]["id"], paid["right"]) == ("o1", {"of": "o1"})


def test_a_window_of_avro_sums_up_decimals_into_avro(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    sums = {one["key"]: (one["n"], one["total"]) for one in values(topics, "sums", plain(SUM))}
    assert sums["ann"] == (2, 14.75)


def test_functions_get_decoded_values_and_write_protobuf(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    names = sorted(one["name"] for one in values(topics, "large", plain(CUSTOMER)))
    assert names == ["of 12.5", "of 40.0"]


def test_what_is_unmatched_is_written_in_the_format_of_its_topic(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    (unmatched,) = values(topics, "unmatched", plain(ORDER))
    assert unmatched["id"] == "o3"


def test_keys_that_are_not_text_join_and_are_text_in_results(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    (seen,) = topics.read("seen")
    assert (seen.key(), json.loads(seen.value())) == (b"7", {"left": {"n": 1}, "right": {"page": "home"}})


def test_results_have_keys_in_the_format_that_is_declared(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    wait_until(lambda: topics.end("named_keys") == 4, "all are there")
    assert {plain(TEXT)(message.key()) for message in topics.read("named_keys")} == {"ann", "bob"}


def test_what_cannot_be_read_is_a_dead_letter_as_it_came_with_the_reason(ran: tuple[Topics, Worker]) -> None:
    topics, _ = ran
    found = {}
    for message in topics.read("dead_letters"):
        headers = dict(message.headers())
        found[headers["reason"]] = (message.key(), message.value(), headers["error"])
    assert found[b"not_avro"][:2] == (b"ann", encoded(ORDER, order("o4", "ann", 1))[:-3])
    assert b"fingerprint 0807060504030201" in found[b"unknown_schema"][2]


def test_a_table_is_looked_at_as_json(ran: tuple[Topics, Worker]) -> None:
    _, worker = ran
    assert worker.get("/table/customers/ann/").json() == ANN


def test_a_record_of_a_format_is_explained(ran: tuple[Topics, Worker]) -> None:
    topics, worker = ran
    place = next(one for one in topics.read("orders") if one.key() == b"bob")
    path = f"/joins/named/orders/{place.partition()}/{place.offset()}/"
    (answer,) = worker.get(path).json()
    assert answer["verdict"] == "unmatched"
