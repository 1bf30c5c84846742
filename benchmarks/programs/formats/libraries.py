"""Each library, as its users write it: how it makes an object of plain values, encodes it, and gets at all, or at one.

"All" is had once every value is an object of Python: of a Protobuf message each field is read, since upb makes them
when they are asked for.
"""

from __future__ import annotations

import importlib
import io
import json
from typing import Any, Protocol

import msgspec
import orjson
from records import AVRO_CLICK, AVRO_ORDER

__all__ = ["LIBRARIES", "Library"]


class Library(Protocol):
    """A library with a format, for clicks or for orders."""

    def make(self, plain: dict[str, Any]) -> Any:
        """Make its object of plain values."""

    def encode(self, made: Any) -> bytes:
        """Give the bytes of its object."""

    def decode(self, data: bytes) -> Any:
        """Give its object, with all values there."""

    def user_id(self, data: bytes) -> str:
        """Give one field."""

    def plain(self, decoded: Any) -> dict[str, Any]:
        """Give the plain values, to compare them."""


class Click(msgspec.Struct):
    click_id: str
    user_id: str
    url: str


class Address(msgspec.Struct):
    street: str
    city: str
    country: str


class Item(msgspec.Struct):
    sku: str
    title: str
    quantity: int
    price: float
    gift: bool


class Order(msgspec.Struct):
    order_id: str
    user_id: str
    at: int
    total: float
    currency: str
    paid: bool
    tags: list[str]
    address: Address
    items: list[Item]


class User(msgspec.Struct):
    user_id: str


class Json:
    """The standard library's."""

    def __init__(self, is_click: bool) -> None:
        pass

    def make(self, plain: Any) -> Any:
        return plain

    def encode(self, made: Any) -> bytes:
        return json.dumps(made, separators=(",", ":")).encode()

    def decode(self, data: bytes) -> Any:
        return json.loads(data)

    def user_id(self, data: bytes) -> str:
        return json.loads(data)["user_id"]

    def plain(self, decoded: Any) -> Any:
        return decoded


class Orjson(Json):
    """orjson: dicts, as the standard library's."""

    def encode(self, made: Any) -> bytes:
        return orjson.dumps(made)

    def decode(self, data: bytes) -> Any:
        return orjson.loads(data)

    def user_id(self, data: bytes) -> str:
        return orjson.loads(data)["user_id"]


class Msgspec:
    """msgspec: typed Structs; for one field a Struct that has only this."""

    def __init__(self, is_click: bool, module: Any) -> None:
        self._is_click = is_click
        self.encode = module.Encoder().encode
        self.decode = module.Decoder(Click if is_click else Order).decode
        self._user = module.Decoder(User).decode

    def make(self, plain: Any) -> Any:
        if self._is_click:
            return Click(**plain)
        rest = {**plain, "address": Address(**plain["address"]), "items": [Item(**item) for item in plain["items"]]}
        return Order(**rest)

    def user_id(self, data: bytes) -> str:
        return self._user(data).user_id

    def plain(self, decoded: Any) -> Any:
        return msgspec.to_builtins(decoded)


class Protobuf:
    """Protobuf by Google's library, in C (upb)."""

    def __init__(self, is_click: bool, module: str = "classes.records_pb2") -> None:
        self._is_click = is_click
        self._module: Any = importlib.import_module(module)
        self._parse = self._parser(self._module.Click if is_click else self._module.Order)

    def _parser(self, message: Any) -> Any:
        return message.FromString

    def make(self, plain: Any) -> Any:
        module = self._module
        if self._is_click:
            return module.Click(**plain)
        rest = {
            **plain,
            "address": module.Address(**plain["address"]),
            "items": [module.Item(**item) for item in plain["items"]],
        }
        return module.Order(**rest)

    def encode(self, made: Any) -> bytes:
        return made.SerializeToString()

    def decode(self, data: bytes) -> Any:
        return _values(self._parse(data), self._is_click)

    def user_id(self, data: bytes) -> str:
        return self._parse(data).user_id

    def plain(self, decoded: Any) -> Any:
        return _plain(decoded)


class BetterProto(Protobuf):
    """Protobuf by betterproto2: dataclasses, in Python."""

    def __init__(self, is_click: bool) -> None:
        super().__init__(is_click, "classes.shop")

    def _parser(self, message: Any) -> Any:
        return message.parse

    def encode(self, made: Any) -> bytes:
        return bytes(made)


class Avro:
    """fastavro, without a schema before each record; for one field a reader's schema that has only this."""

    def __init__(self, is_click: bool) -> None:
        fastavro = importlib.import_module("fastavro")
        self._write, self._read = fastavro.schemaless_writer, fastavro.schemaless_reader
        self._schema = fastavro.parse_schema(AVRO_CLICK if is_click else AVRO_ORDER)
        one = {**self._schema, "fields": [field for field in self._schema["fields"] if field["name"] == "user_id"]}
        self._one = fastavro.parse_schema({name: value for name, value in one.items() if not name.startswith("__")})

    def make(self, plain: Any) -> Any:
        return plain

    def encode(self, made: Any) -> bytes:
        out = io.BytesIO()
        self._write(out, self._schema, made)
        return out.getvalue()

    def decode(self, data: bytes) -> Any:
        return self._read(io.BytesIO(data), self._schema, None)

    def user_id(self, data: bytes) -> str:
        return self._read(io.BytesIO(data), self._schema, self._one)["user_id"]

    def plain(self, decoded: Any) -> Any:
        return decoded


def _values(message: Any, is_click: bool) -> tuple[Any, ...]:
    if is_click:
        return message.click_id, message.user_id, message.url
    address = message.address
    return (
        message.order_id,
        message.user_id,
        message.at,
        message.total,
        message.currency,
        message.paid,
        list(message.tags),
        (address.street, address.city, address.country),
        [(item.sku, item.title, item.quantity, item.price, item.gift) for item in message.items],
    )


def _plain(values: tuple[Any, ...]) -> dict[str, Any]:
    if len(values) == len(Click.__struct_fields__):
        return dict(zip(Click.__struct_fields__, values, strict=True))
    found = dict(zip(Order.__struct_fields__, values, strict=True))
    found["address"] = dict(zip(Address.__struct_fields__, found["address"], strict=True))
    found["items"] = [dict(zip(Item.__struct_fields__, item, strict=True)) for item in found["items"]]
    return found


#: By how people call them, what makes one for clicks (True) or for orders.
LIBRARIES = {
    "json": Json,
    "orjson": Orjson,
    "msgspec, JSON": lambda is_click: Msgspec(is_click, msgspec.json),
    "msgspec, MessagePack": lambda is_click: Msgspec(is_click, msgspec.msgpack),
    "protobuf": Protobuf,
    "betterproto2": BetterProto,
    "fastavro": Avro,
}
