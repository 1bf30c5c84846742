"""Formats of the same orders, customers, results of joins and sums of windows, by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from streamapp.formats import Avro, Format, Json, MessagePack, Protobuf

__all__ = ["KINDS", "format_of", "into"]

PROTO = Path(__file__).parent / "schemas" / "pairs.proto"
KINDS = ("json", "avro", "protobuf", "msgpack")


def record(name: str, /, **types: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [{"name": field, "type": types[field]} for field in types]}


ORDER, CUSTOMER = record("Order", customer="string", amount="double"), record("Customer", name="string")
SCHEMAS = {
    "Order": ORDER,
    "Customer": CUSTOMER,
    "Joined": record("Joined", left=ORDER, right=["null", CUSTOMER]),
    "Sum": record("Sum", key="string", start="long", end="long", n="long", total="double"),
}


def format_of(kind: str, value: str) -> Format:
    """Return the format of a kind of values, such as Order."""
    match kind:
        case "avro":
            return Avro(SCHEMAS[value])
        case "protobuf":
            return Protobuf(PROTO, value)
        case "msgpack":
            return MessagePack()
        case _:
            return Json()


def into(left: str, right: str) -> str:
    """Return the format of the results of a pair of inputs: over all pairs, each of them goes into each format."""
    return KINDS[(KINDS.index(left) + KINDS.index(right)) % len(KINDS)]
