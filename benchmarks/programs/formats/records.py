"""The records: clicks of 86 bytes, and orders of 1,000 and 10,000, as JSON has them without spaces."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from typing import Any

__all__ = ["AVRO_CLICK", "AVRO_ORDER", "RECORDS", "SIZES", "clicks", "of_size", "orders"]

#: Bytes of a record as JSON, about.
SIZES = (86, 1_000, 10_000)
#: Records of each size, which go into a compressed batch together.
RECORDS = 1_000

Plain = dict[str, Any]


def of_size(size: int) -> Sequence[Plain]:
    """Return records of so many bytes."""
    return clicks() if size == SIZES[0] else orders(size)


def clicks() -> list[Plain]:
    """Return clicks of three texts each."""
    rng = random.Random(7)
    return [
        {
            "click_id": f"c{number:06}",
            "user_id": f"u{rng.randrange(10_000):05}",
            "url": f"https://shop.example.com/items/{number * 7919 % 100_000:05}",
        }
        for number in range(RECORDS)
    ]


def orders(size: int) -> list[Plain]:
    """Return orders with so many items that they are of a size: text, whole and other numbers, and flags."""
    return [_order(number, size) for number in range(RECORDS)]


def _order(number: int, size: int) -> Plain:
    rng = random.Random(number)
    order: Plain = {
        "order_id": f"o{number:08}",
        "user_id": f"u{rng.randrange(10_000)}",
        "at": 1_790_000_000_000 + 1_000 * number + rng.randrange(1_000),
        "total": round(rng.uniform(10, 2_000), 2),
        "currency": rng.choice(["NZD", "EUR", "USD"]),
        "paid": rng.random() < 0.9,
        "tags": rng.sample(["new", "express", "gift", "business", "return"], 2),
        "address": {"street": f"{rng.randrange(1, 300)} Queen Street", "city": "Auckland", "country": "NZ"},
        "items": [],
    }
    room = size - len(json.dumps(order, separators=(",", ":")))
    while room > 0:
        item = {
            "sku": f"SKU-{rng.randrange(100_000):05}",
            "title": f"{rng.choice(['Blue', 'Small', 'Heavy', 'Soft'])} {rng.choice(['lamp', 'chair', 'kettle'])}",
            "quantity": rng.randrange(1, 5),
            "price": round(rng.uniform(1, 500), 2),
            "gift": rng.random() < 0.1,
        }
        order["items"].append(item)
        room -= len(json.dumps(item, separators=(",", ":"))) + 1
    return order


def _record(name: str, **fields: Any) -> Plain:
    return {"type": "record", "name": name, "fields": [{"name": one, "type": kind} for one, kind in fields.items()]}


AVRO_CLICK = _record("Click", click_id="string", user_id="string", url="string")
AVRO_ORDER = _record(
    "Order",
    order_id="string",
    user_id="string",
    at="long",
    total="double",
    currency="string",
    paid="boolean",
    tags={"type": "array", "items": "string"},
    address=_record("Address", street="string", city="string", country="string"),
    items={
        "type": "array",
        "items": _record("Item", sku="string", title="string", quantity="long", price="double", gift="boolean"),
    },
)
