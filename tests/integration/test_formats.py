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
#: What a worker is to have read of the orders.
ORDERS = 6


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
        ends = {"named_orders": 4, "paid": 1, "sums": 1, "large": 2, "seen": 1, "dead_letters": 8}
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
