"""Where things stand in a record batch (Kafka's message format v2), in bytes from its start, and its checksum."""

from __future__ import annotations

from typing import Final

import crc32c

__all__ = ["ATTRIBUTES", "CRC", "LENGTH", "MAGIC", "PRODUCER", "RECORDS", "UNCOUNTED", "checksum"]

LENGTH: Final = 8
#: Where what the length counts begins.
UNCOUNTED: Final = 12
MAGIC: Final = 16
CRC: Final = 17
ATTRIBUTES: Final = 21
PRODUCER: Final = 43
RECORDS: Final = 61


def checksum(batch: bytes | bytearray | memoryview) -> int:
    """Compute the checksum of a record batch; aiokafka does so without the processor's instruction for it."""
    return crc32c.crc32c(memoryview(batch)[ATTRIBUTES:])
