"""Keys and times as cases have them."""

from __future__ import annotations

from typing import Annotated

import msgspec

__all__ = ["Key", "Time", "decode_key", "encode_key"]

Time = Annotated[int, msgspec.Meta(ge=-(1 << 60), le=1 << 60)]
Key = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)] | str | None


def encode_key(key: Key) -> bytes | None:
    """Write a key so that it sorts as Kafka Streams' serializers have it."""
    if isinstance(key, str):
        return b"s" + key.encode()
    return None if key is None else b"i" + key.to_bytes(8, "big", signed=True)


def decode_key(data: bytes | None) -> Key:
    """Return the key of what `encode_key` wrote."""
    if data is None:
        return None
    return data[1:].decode() if data[:1] == b"s" else int.from_bytes(data[1:], "big", signed=True)
