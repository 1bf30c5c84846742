"""Keys of rows whose order as bytes is the order of what they are made of."""

from __future__ import annotations

from typing import Final

__all__ = ["TIME", "grouped", "number", "number_of", "time", "time_of"]

#: Bytes of a time.
TIME: Final = 8
_SIGN: Final = 1 << 63


def number(value: int) -> bytes:
    """Give 8 bytes that sort as natural numbers do."""
    return value.to_bytes(8, "big")


def number_of(data: bytes) -> int:
    """Give the number that `number` made 8 bytes of."""
    return int.from_bytes(data[:8], "big")


def time(timestamp: int) -> bytes:
    """Give 8 bytes that sort as timestamps (ms) do, negative ones too."""
    return number(timestamp + _SIGN)


def time_of(data: bytes) -> int:
    """Give the timestamp (ms) that `time` made 8 bytes of."""
    return number_of(data) - _SIGN


def grouped(key: bytes) -> bytes:
    """Give bytes that keep the rows of one key together, whatever follows: the key after its length."""
    return len(key).to_bytes(4, "big") + key
